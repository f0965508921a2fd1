"""Forbid core dumps of this process, and debuggers: its memory has secrets and strangers' personal data.

A minidump may hijack the stackwalker, which runs as the same user. The kernel would let that user read the processor's
memory, and its environment with the passwords of every service.
"""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """Forbid core dumps of this process, not of programs that it starts.

    Only root can then debug it, as with a program that changed its user.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
