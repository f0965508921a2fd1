"""Names that nobody demangled: they stay as they are, but for what the optimiser hung on them."""

from __future__ import annotations

import re

_ITANIUM_OR_RUST = re.compile(r"_{1,4}Z[\w.$@]+|_{1,2}R[A-Z][\w.$]+", re.ASCII)
_SWIFT = re.compile(r"_?(?:\$[sSe]|_T0)[\w.$]+", re.ASCII)
_D = re.compile(r"_{1,2}D[0-9]\w+", re.ASCII)


def is_mangled(name: str) -> bool:
    """Return True for a name in the mangling of a C++, Rust, Swift or D compiler."""
    if name[0] == "?":
        return "@" in name and "::" not in name and " " not in name
    return name[0] in "_$" and any(form.fullmatch(name) for form in (_ITANIUM_OR_RUST, _SWIFT, _D))
