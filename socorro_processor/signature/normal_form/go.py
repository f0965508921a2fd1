"""Go: receivers stay, type arguments are ``[...]``.

main.(*List[go.shape.int]).Push  ->  main.(*List[...]).Push
"""

from __future__ import annotations

import re

from socorro_processor.signature.normal_form.tokens import Tokens

_RECEIVER = ".(*"
_PATH = re.compile(r"[\w./%~$·-]+\.[\w·]+\[(?!abi:)")


def is_go(name: str) -> bool:
    """Return True for what only Go writes: ``yard.(*Gate).Close``, ``main.Filter[int]``."""
    return "::" not in name and (_RECEIVER in name or (not _has_outer_space(name) and _PATH.match(name) is not None))


def go_name(tokens: Tokens) -> str:
    pieces: list[str] = []
    index = 0
    while index < len(tokens):
        if tokens.opens(index, "["):
            pieces.append("[...]")
            index = tokens.behind(index)
        else:
            pieces.append(tokens.texts[index])
            index += 1
    return "".join(pieces)


def _has_outer_space(name: str) -> bool:
    """Return True if there is a space outside the square brackets, as there is behind a type of D."""
    return " " in name[: name.find("[")] or " " in name[name.rfind("]") + 1 :]
