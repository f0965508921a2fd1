"""The badges of a signature: what strikes at first sight, each with its threshold and the numbers behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from socorro_processor.search.results import NewestCrashes
from socorro_processor.web.signature.signature_history import QUIET_DAYS, Return

NEW_DAYS = 7
"""A signature is new for so many days."""
START_SECONDS = 60
"""A crash is one at start for so many seconds."""
MOST = 0.5
"""More than this part of the crashes are most of them."""
LEAST_REPEATED = 3
"""Fewer crashes do not count as repeated."""
MANY_WITHOUT_STACK = 0.2
"""If more than this part of the crashes have no stack, their signature holds what it may."""

_ADDRESS = re.compile(r"(?P<module>[^|]*)@(?P<offset>0x[0-9a-fA-F]+)\s*")
_MOST_MODULES = 5


@dataclass(frozen=True)
class SignatureFacts:
    """The facts by which badges are decided."""

    signature: str
    first_day: date
    last_day: date
    first_seen: datetime | None
    came_back: Return | None
    newest: NewestCrashes
    soon_after_start: int
    """The crashes in ``newest`` that came within START_SECONDS."""
    said_to_be_at_start: int
    """The crashes in ``newest`` that the application calls startup crashes."""
    without_stack: int
    """The crashes in ``newest`` without a stack."""


class Badge(NamedTuple):
    name: str
    kind: str
    """The class of the style sheet."""
    meaning: str
    words: str
    """The numbers behind it."""
    address: str = ""
    """A page that helps."""


def badges(facts: SignatureFacts) -> Iterator[Badge]:
    """Yield the badges that a signature has."""
    for name, kind, meaning, decide, address in _BADGES:
        if words := decide(facts):
            yield Badge(name, kind, meaning, words, address)


def is_new(first_seen: datetime | None, first_day: date, last_day: date) -> bool:
    """Return True if a signature was first seen in these days, and in the last NEW_DAYS of them."""
    first = max(first_day, last_day - timedelta(days=NEW_DAYS - 1))
    return first_seen is not None and first <= first_seen.date() <= last_day


def _new(facts: SignatureFacts) -> str:
    seen = facts.first_seen
    return f"first seen on {seen.date()}" if seen and is_new(seen, facts.first_day, facts.last_day) else ""


def _back_again(facts: SignatureFacts) -> str:
    if facts.came_back is None:
        return ""
    quiet = facts.came_back
    length = f"{quiet.days:,} days" if quiet.days is not None else f"at least {QUIET_DAYS} days"
    return f"since {quiet.day}, after {length} without a crash"


def _at_start(facts: SignatureFacts) -> str:
    counted = facts.newest.crashes
    early, said = facts.soon_after_start, facts.said_to_be_at_start
    if not counted or max(early, said) <= MOST * counted:
        return ""
    words = [
        f"{early:,} of {_crashes(counted)} within {START_SECONDS} seconds of the start" if early else "",
        f"{said:,} of {counted:,} marked as startup crash" if said else "",
    ]
    return "; ".join(filter(None, words))


def _one_installation(facts: SignatureFacts) -> str:
    most, counted = facts.newest.most_of_one_installation, facts.newest.crashes
    if counted < LEAST_REPEATED or most <= MOST * counted:
        return ""
    others = facts.newest.known_installations - 1
    return f"{most:,} of {_crashes(counted)}; {others:,} other known installation{'' if others == 1 else 's'}"


def _mixed(facts: SignatureFacts) -> str:
    parts = [each.strip() for each in facts.signature.split(" | ")]
    found = [match for each in parts if (match := _ADDRESS.fullmatch(each))]
    words = []
    if found:
        modules = list(dict.fromkeys(match["module"].strip() or "an unknown module" for match in found))
        listed = ", ".join(modules[:_MOST_MODULES]) + (", …" if len(modules) > _MOST_MODULES else "")
        words.append(f"{len(found)} of {len(parts)} functions have no name, because symbols are missing: {listed}")
    counted = facts.newest.crashes
    if counted and facts.without_stack > MANY_WITHOUT_STACK * counted:
        words.append(f"{facts.without_stack:,} of {_crashes(counted)} without a stack")
    return "; ".join(words)


def _crashes(number: int) -> str:
    return f"{number:,} crash{'' if number == 1 else 'es'}"


_BADGES: tuple[tuple[str, str, str, Callable[[SignatureFacts], str], str], ...] = (
    (
        "new",
        "new",
        f"It was first seen in the shown days, and in the last {NEW_DAYS} of them.",
        _new,
        "",
    ),
    (
        "back again",
        "again",
        f"In the shown days it crashed again after {QUIET_DAYS} days or more without it. Crashes of unknown versions "
        "do not make it come back.",
        _back_again,
        "",
    ),
    (
        "at start",
        "start",
        f"More than half of its crashes came within {START_SECONDS} seconds of the start, or are marked as startup "
        "crash by the application. An uptime of 0 counts as unknown.",
        _at_start,
        "",
    ),
    (
        "repeated by one installation",
        "one",
        f"One installation has more than half of its crashes, of {LEAST_REPEATED} or more.",
        _one_installation,
        "",
    ),
    (
        "mixed stacks",
        "mixed",
        "Different faults may be together here, and one fault may be under several such signatures: functions without "
        f"a name are in it, or more than {MANY_WITHOUT_STACK:.0%} of its crashes have no stack. Upload the missing "
        "symbols, then process the crashes again.",
        _mixed,
        "/symbols",
    ),
)
