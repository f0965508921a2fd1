"""The rule that works out when a crash happened and was submitted, by the clocks of strangers."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from socorro_processor.crash_id import crash_date
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import integer

CRASH_TIME_MISSING = "CrashTime is missing"
CRASH_DATE_UNKNOWN = "client_crash_date is not known: it is set to the time of submission"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = range(
    int((datetime.min.replace(tzinfo=UTC) - _EPOCH).total_seconds()),
    int((datetime.max.replace(tzinfo=UTC) - _EPOCH).total_seconds()),
)
"""Seconds since 1970 that a datetime can represent."""
_BIGINT = range(-(2**63), 2**63)


class DatesAndTimesRule(Rule):
    """Work out the times of the crash; dates are written as ISO 8601 in UTC, times in seconds since 1970.

    Reads ``raw.submitted_timestamp``, ``raw.CrashTime``, ``raw.timestamp``, ``raw.StartupTime``,
    ``raw.InstallTime``, ``raw.SecondsSinceLastCrash``; writes ``submitted_timestamp``,
    ``date_processed``, ``crash_time``, ``client_crash_date``, ``install_age``, ``uptime``, ``last_crash``;
    notes each value that is bad, and a crash whose time is not known.
    """

    def action(self, crash: Crash) -> bool:
        submitted = _submitted(crash)
        submission_time = _seconds_since_1970(submitted)
        # An absent time is replaced with that of the next event: installed, started, crashed.
        timestamp = _time(crash, "timestamp", submission_time)  # CrashTime's old name
        if crash.raw.get("CrashTime") is None and crash.raw.get("timestamp") is None:
            crash.note(CRASH_TIME_MISSING)
        # Some clients send milliseconds or more: ten digits are seconds until the year 2286.
        crash_time = _time(crash, "CrashTime", timestamp, characters=10)
        startup_time = _time(crash, "StartupTime", crash_time)
        install_time = _time(crash, "InstallTime", startup_time)
        if crash_time == submission_time:
            crash.note(CRASH_DATE_UNKNOWN)

        crash.processed["submitted_timestamp"] = submitted.isoformat()
        crash.processed["date_processed"] = submitted.isoformat()
        crash.processed["crash_time"] = crash_time
        crash.processed["client_crash_date"] = (_EPOCH + timedelta(seconds=crash_time)).isoformat()
        crash.processed["install_age"] = crash_time - install_time
        crash.processed["uptime"] = max(0, crash_time - startup_time)
        crash.processed["last_crash"] = _last_crash(crash)
        return True


def _submitted(crash: Crash) -> datetime:
    """Return the time at which the collector received the crash; the day in the crash id if it wrote no time."""
    value = crash.raw.get("submitted_timestamp")
    if value is not None:
        try:
            submitted = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            return submitted.replace(tzinfo=submitted.tzinfo or UTC).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            crash.note(f"submitted_timestamp is not a date: {_quote(value)}")
    return datetime.combine(crash_date(crash.id), time(), UTC)


def _time(crash: Crash, annotation: str, default: int, characters: int | None = None) -> int:
    """Return the annotation in seconds since 1970; ``default`` if there is none; 0, with a note, if it is bad."""
    value = crash.raw.get(annotation)
    if value is None:
        return default
    # Old collectors wrote their times as floats.
    whole = integer(value) if isinstance(value, float) else value
    seconds = integer(str(whole)[:characters] if isinstance(whole, int | str) else whole)
    if seconds is None or seconds not in TIMES:
        crash.note(f"{annotation} is not a time in seconds: {_quote(value)}")
        return 0
    return seconds


def _last_crash(crash: Crash) -> int | None:
    value = crash.raw.get("SecondsSinceLastCrash")
    seconds = integer(value)
    if seconds is None and value is not None:
        crash.note(f"SecondsSinceLastCrash is not an integer: {_quote(value)}")
    elif seconds is not None and seconds not in _BIGINT:
        crash.note(f"SecondsSinceLastCrash is too large: {_quote(value)}")
        return None
    return seconds


def _seconds_since_1970(moment: datetime) -> int:
    return int((moment - _EPOCH).total_seconds())


def _quote(value: object) -> str:
    return repr(value)[:60] if isinstance(value, int | float | str | None) else type(value).__name__
