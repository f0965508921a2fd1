"""Kotlin/Native: a name ends where its arguments begin.

kfun:org.orchard.TreeModel#grow(kotlin.Int){}kotlin.Boolean  ->  kfun:org.orchard.TreeModel#grow
"""

from __future__ import annotations

import re

from socorro_processor.signature.normal_form.tokens import Kind, Tokens
from socorro_processor.signature.normal_form.types import TEMPLATE

_FUNCTION = re.compile(r"\w*kfun:")
_INTERNAL = "#internal"


def is_kotlin(name: str) -> bool:
    return _FUNCTION.match(name) is not None


def kotlin_name(tokens: Tokens) -> str:
    pieces: list[str] = []
    index = 0
    while index < len(tokens) and not tokens.opens(index, "("):
        if tokens.opens(index, "<"):
            behind = tokens.behind(index)
            is_template = index > 0 and tokens.kinds[index - 1] is Kind.WORD
            pieces.append(TEMPLATE if is_template else tokens.source(index, behind))
            index = behind
        else:
            pieces.append(tokens.texts[index])
            index += 1
    if index < len(tokens) and tokens.text.endswith(_INTERNAL):
        pieces.append(_INTERNAL)
    return "".join(pieces)
