"""Objective-C: methods, and blocks, which Clang counts.

__33-[OrchardTree pruneBranch:height:]_block_invoke_2  ->  __33-[OrchardTree pruneBranch:height:]_block_invoke
"""

from __future__ import annotations

import re

_METHOD = re.compile(r"(?:_+[0-9]*)?[-+]\[[^\]]+\]\w*")
_COUNTED_BLOCK = re.compile(r"(?<=_block_invoke)(?:[_.][0-9]+)+(?=$|_|[^\w])")


def is_method(name: str) -> bool:
    """Return True for a method, or a block in one; not for a function of C++ within it."""
    return _METHOD.fullmatch(name) is not None


def without_block_numbers(name: str) -> str:
    return _COUNTED_BLOCK.sub("", name) if "_block_invoke" in name else name
