"""The modules that the Linux kernel maps into every process: no file has their code, and nobody has their symbols.

``linux-vdso.so.1`` on 64 bits and ``linux-gate.so.1`` on 32; a memory map calls both ``[vdso]``. Functions such as
``clock_gettime`` are there, so stacks do lead through them: https://man7.org/linux/man-pages/man7/vdso.7.html
"""

from __future__ import annotations

import re

PATTERN = r"linux-(?:gate|vdso)\d*\.so.*|\[(?:vdso|vsyscall|vectors)\]"
"""The names, to be matched as a whole and in any case."""
_NAMES = re.compile(PATTERN, re.IGNORECASE)
_LONGEST_NAME = 100  # characters that are looked at


def is_of_kernel(module: str) -> bool:
    return _NAMES.fullmatch(module[:_LONGEST_NAME]) is not None
