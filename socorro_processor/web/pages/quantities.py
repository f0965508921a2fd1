"""Times, as people read them; ``machine.disk_space.in_words`` writes numbers of bytes."""

from __future__ import annotations

_AGES = ((86400, "day"), (3600, "hour"), (60, "minute"))


def age_words(seconds: float) -> str:
    """Return a time in its largest unit of which there are two: ``90 minutes``, ``3 days``."""
    for unit, name in _AGES:
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}s"
    whole = max(0, int(seconds))
    return f"{whole} second{'' if whole == 1 else 's'}"
