"""Memory that a crash needed is given back when it is done, whichever thread it was in."""

from __future__ import annotations

import ctypes
import os

# Of glibc's malloc.h.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_LARGE = 128 * 1024
"""Bytes of a block that is the kernel's again as soon as it is free."""


def keep_memory_flat() -> None:
    """Tell glibc's malloc not to hoard. To be called before the first thread is started.

    By itself it has an arena for each thread, of which each grows to the largest crash that it has seen, and
    keeps larger and larger blocks once such were freed. One arena is enough, for Python lets one thread run
    at a time. What the operator sets (``MALLOC_ARENA_MAX`` and the like, see ``man mallopt``) stays, and
    with another C library nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
