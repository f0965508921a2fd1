"""The times of a crash, which each kind of client sends in another way."""

from __future__ import annotations

import pytest

from socorro_processor.rules.client_times import ClientTimesRule
from tests.unit.rules.fields_of_crashes import after, crash

SUBMITTED = {"submitted_timestamp": "2026-11-24T10:00:00+00:00"}
CRASHED = 1795514350


@pytest.mark.parametrize(
    ("raw", "process_uptime", "uptime"),
    [
        ({"StartupTime": str(CRASHED - 350), "ptime": "7000"}, 42, 350),
        ({"StartupTime": CRASHED - 350}, 42, 350),
        ({"StartupTime": str(CRASHED + 9)}, 42, 0),
        ({"ptime": "83999"}, 42, 83),
        ({"ptime": 83999}, 42, 83),
        ({"ptime": "83999.9"}, 42, 83),
        ({"ptime": "999"}, 42, 0),
        ({"StartupTime": " ", "ptime": "7000"}, 42, 7),
        ({"StartupTime": None, "ptime": None}, 42, 42),
        ({}, 42, 42),
        ({}, "42", 42),
        ({}, None, 0),
        ({}, -1, 0),
        ({}, [], 0),
    ],
)
def test_the_uptime_comes_from_the_first_that_knows_it(raw, process_uptime, uptime):
    given = crash({"CrashTime": str(CRASHED), **SUBMITTED, **raw}, {"process_uptime": process_uptime})
    found = after(ClientTimesRule(), given)
    assert found.processed["uptime"] == uptime
    assert found.notes == []


@pytest.mark.parametrize(
    ("raw", "uptime"),
    [
        ({"StartupTime": "soon"}, 42),
        ({"StartupTime": "soon", "ptime": "7000"}, 7),
        ({"StartupTime": "9" * 19}, 42),
        ({"ptime": "soon"}, 42),
        ({"ptime": "-1"}, 42),
        ({"ptime": "1e99"}, 42),
        ({"ptime": {}}, 42),
    ],
)
def test_an_invalid_time_is_noted_and_the_next_source_counts(raw, uptime):
    found = after(ClientTimesRule(), crash({"CrashTime": str(CRASHED), **SUBMITTED, **raw}, {"process_uptime": 42}))
    assert found.processed["uptime"] == uptime
    assert len(found.notes) == 1
    assert next(iter(raw)) in found.notes[0]


def test_all_other_times_are_those_of_2016():
    raw = {"CrashTime": str(CRASHED), "InstallTime": str(CRASHED - 1_000_000), "ptime": "7000", **SUBMITTED}
    processed = after(ClientTimesRule(), crash(raw)).processed
    assert processed == {
        "submitted_timestamp": "2026-11-24T10:00:00+00:00",
        "date_processed": "2026-11-24T10:00:00+00:00",
        "crash_time": CRASHED,
        "client_crash_date": "2026-11-24T09:59:10+00:00",
        "install_age": 1_000_000,
        "uptime": 7,
    }


def test_a_crash_that_nobody_dated_is_of_the_day_in_its_id():
    processed = after(ClientTimesRule(), crash({"submitted_timestamp": "", "CrashTime": None})).processed
    assert processed["submitted_timestamp"] == "2026-11-24T00:00:00+00:00"
    assert processed["client_crash_date"] == "2026-11-24T00:00:00+00:00"
