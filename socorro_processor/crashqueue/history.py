"""The history of a crash: what happened to it so far, as far as its fate depends on that.

It travels with the crash, as headers of a message or columns of a row: a retry may come to another process, on another
host, with another version of this program.
"""

from __future__ import annotations

from dataclasses import dataclass

FORCE = "force"
"""A kind of work: the result is saved even where it is worse than the earlier one."""

_LONGEST_TEXT = 1_000
_LATEST = 2**40
"""Seconds since 1970 that no clock tells."""


@dataclass(frozen=True)
class History:
    """The history of one crash before this delivery of it. The defaults say that nothing happened."""

    not_found: int = 0
    """The number of times that it was looked for in vain."""
    failed: str = ""
    """The names, with commas between, of what failed the last time: stores, the source, the machine."""
    failed_at: float = 0.0
    """The time of that, in seconds since 1970."""
    unsaved: str = ""
    """The stores that lack its result while others have it, names with commas between."""
    result: str = ""
    """Names the result that those others have: only whoever made it can complete it."""
    work: str = ""
    """The kind of work: empty is processing as usual. One that this version does not know is that, too."""


NOTHING = History()


def names_of(text: str) -> list[str]:
    """Return the names in ``failed`` or ``unsaved``."""
    return [name for name in text.split(",") if name]


def history_of(values: dict[str, object]) -> History:
    """Return the history with these values, by the names of its fields.

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
