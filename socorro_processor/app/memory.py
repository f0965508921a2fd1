"""Memory that is given back can be used again, whichever thread gave it back."""

from __future__ import annotations

import ctypes
import os

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""

_OPERATORS_OWN = "MALLOC_ARENA_MAX"


def share_memory_between_threads() -> None:
    """Keep glibc from having an arena for each thread, of which each grows to the largest crash that it has seen.

    To be called before the first thread is started. Threads hardly ever allocate at once, for Python lets
    one run at a time. Where the C library is another one, or the operator says how many arenas there are,
    nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and _OPERATORS_OWN not in os.environ:
        mallopt(_M_ARENA_MAX, 1)
