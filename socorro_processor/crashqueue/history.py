"""The history of a crash: everything so far that its fate depends on.

It travels with the crash, as headers of a message or columns of a row, because a retry may come to another process, on
another host, with another version of this program.
"""

from __future__ import annotations

from dataclasses import dataclass

FORCE = "force"
"""A kind of work: the result is saved even if it is worse than the earlier one."""

_LONGEST_TEXT = 1_000  # characters
_LATEST = 2**40
"""Seconds since 1970, too many for any clock."""


@dataclass(frozen=True)
class History:
    """The history of a crash before this delivery. With the defaults, nothing has happened."""

    not_found: int = 0
    """The number of times that no store had it."""
    failed: str = ""
    """Names of what failed the last time, comma-separated: stores, the source, the machine."""
    failed_at: float = 0.0
    """When that was, in seconds since 1970."""
    unsaved: str = ""
    """Names of the stores that lack its result while others have it, comma-separated."""
    result: str = ""
    """A name for the result that the other stores have: only the process that made it can complete it."""
    work: str = ""
    """The kind of work. Empty, or unknown to this version, means processing as usual."""


NO_HISTORY = History()


def split_names(text: str) -> list[str]:
    """Return the names in ``failed`` or ``unsaved``."""
    return [name for name in text.split(",") if name]


def history_of(values: dict[str, object]) -> History:
    """Return the history with these values by field name.

    Other programs write to the queues too: a value of another form counts as missing.
    """
    return History(
        not_found=_whole(values.get("not_found")),
        failed=_text(values.get("failed")),
        failed_at=_seconds(values.get("failed_at")),
        unsaved=_text(values.get("unsaved")),
        result=_text(values.get("result")),
        work=_text(values.get("work")),
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < _LATEST else 0.0


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isascii() or not value.isprintable():
        return ""
    return value
