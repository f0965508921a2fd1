"""Memory that a crash needed is given back when it is done, whichever thread it was in."""

from __future__ import annotations

import ctypes
import os

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_LARGE = 4 << 20
"""Bytes of a block that is the kernel's again as soon as it is free: Python's own table of texts is copied to a new one
every some thousand crashes, and its old place would stay free in the heap."""
_KEPT = 16 << 20
"""Bytes at the end of the heap that are free and kept for the next crash."""


def keep_memory_flat() -> None:
    """Tell glibc's malloc not to hoard.

    To be called before the first thread is started.

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
    # With the one set, the other stays at 128 kB.
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
