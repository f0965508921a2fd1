"""Make malloc give memory back after each crash, in whichever thread."""

from __future__ import annotations

import ctypes
import os

# From glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_LARGE = 4 << 20
"""The number of bytes from which on a block goes back to the kernel as soon as it is free. Every few thousand crashes,
Python copies its table of interned strings to a new one, and the old one would stay in the heap."""
_KEPT = 16 << 20
"""The number of free bytes at the end of the heap to keep for the next crash."""


def keep_memory_flat() -> None:
    """Tell glibc's malloc not to hoard. Call it before the first thread is started.

    By default, malloc has an arena for each thread, and each grows to the largest crash that it has seen; and it keeps
    larger and larger blocks once such blocks were freed. One arena is enough, because Python runs one thread at a time.
    Settings of the operator (``MALLOC_ARENA_MAX`` and the like, see ``man mallopt``) stay. With another C library,
    nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    # Once the one is set, the other stays at 128 kB unless it is set too.
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
