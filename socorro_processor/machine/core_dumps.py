"""No core dumps, and no looking into this process: its memory holds secrets and strangers' personal data.

A minidump may take over the stackwalker, which runs as the same user. To that user the kernel would show
the environment of the processor, with the passwords of every service, and let it read its memory.
"""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """From now on, for this process: programs that it starts are as dumpable as any.

    Who looks into it with a debugger must be root, as for a program that changed its user.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
