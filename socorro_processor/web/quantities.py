"""Numbers with their units, as people read them."""

from __future__ import annotations

_SIZES = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))
_AGES = ((86400, "day"), (3600, "hour"), (60, "minute"))


def size_words(size: float) -> str:
    """Return a number of bytes: ``1.4 GB``."""
    for unit, name in _SIZES:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} bytes"


def age_words(seconds: float) -> str:
    """Return a time in its largest unit of which there are two: ``90 minutes``, ``3 days``."""
    for unit, name in _AGES:
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}s"
    whole = max(0, int(seconds))
    return f"{whole} second{'' if whole == 1 else 's'}"
