"""Crash ids: a UUID whose last seven digits are a throttle digit and the day of submission.

``0bba61c5-dfc3-43e7-dead-8afd20161123`` was submitted on 2016-11-23.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime

from socorro_processor.errors import InvalidCrashID

_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{6}[0-9]{6}", re.ASCII)

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
"""The first and last day that a crash id can have."""

ACCEPTED, DEFERRED = "0", "1"
"""The throttle digits: a deferred crash is stored, but processed only when somebody asks for it by its id."""

_DIGIT = -7
"""The position of the throttle digit."""

DAYS_AHEAD = 2
"""Days that another clock, or a time zone, may be ahead; a crash dated later has an invented date."""


def today() -> date:
    """Return the date in UTC, as in crash ids."""
    return datetime.now(UTC).date()


def new_crash_id(day: date | None = None) -> str:
    """Make a crash id dated ``day``; by default today, in UTC."""
    return dated_crash_id(uuid.uuid4(), ACCEPTED, day or today())


def dated_crash_id(source: uuid.UUID, digit: str, day: date) -> str:
    """Return the crash id that a UUID becomes with a throttle digit and a day."""
    return f"{str(source)[:_DIGIT]}{digit}{day:%y%m%d}"


def throttle_digit(crash_id: str) -> str:
    return crash_id[_DIGIT]


def is_deferred(crash_id: str) -> bool:
    """Return True if the collector stored the crash for later, and queued it nowhere."""
    return throttle_digit(crash_id) == DEFERRED


def without_throttle_digit(crash_id: str) -> str:
    """Return what is left of a crash id without its throttle digit: it is the same whatever the rules say."""
    return crash_id[:_DIGIT] + crash_id[_DIGIT + 1 :]


def check_crash_id(text: str) -> str:
    """Return ``text`` if it is a crash id; raise InvalidCrashID if it is not.

    Whatever passes is safe as a part of a path, a key or a query.
    """
    crash_date(text)
    return text


def crash_date(crash_id: str) -> date:
    """Return the day (UTC) on which the crash was submitted. Raises InvalidCrashID."""
    if not _FORM.fullmatch(crash_id):
        raise InvalidCrashID(
            f"{crash_id[:60]!r} is not a crash id: 8-4-4-4-12 lower-case hex digits, the last six yymmdd"
        )
    try:
        return date(2000 + int(crash_id[-6:-4]), int(crash_id[-4:-2]), int(crash_id[-2:]))
    except ValueError:
        raise InvalidCrashID(f"{crash_id!r} ends in {crash_id[-6:]}, which is not a date (yymmdd)") from None
