"""When a crash was submitted and when it happened."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.dates_and_times import DatesAndTimesRule

CRASH_ID = "00000000-0000-4000-8000-000000161123"
SUBMITTED = "2016-11-23T12:00:00+00:00"
SUBMISSION = int(datetime.fromisoformat(SUBMITTED).timestamp())


def crash_of(**annotations: object) -> Crash:
    crash = Crash(id=CRASH_ID, raw={"submitted_timestamp": SUBMITTED} | annotations)
    assert DatesAndTimesRule().act(crash) == (True, True)
    return crash


def test_a_crash_with_good_clocks_has_all_its_times_and_no_note():
    crash = crash_of(
        CrashTime=str(SUBMISSION - 60),
        StartupTime=str(SUBMISSION - 160),
        InstallTime=str(SUBMISSION - 1060),
        SecondsSinceLastCrash="500",
    )

    assert crash.notes == []
    assert crash.processed == {
        "submitted_timestamp": SUBMITTED,
        "date_processed": SUBMITTED,
        "crash_time": SUBMISSION - 60,
        "client_crash_date": "2016-11-23T11:59:00+00:00",
        "uptime": 100,
        "install_age": 1000,
        "last_crash": 500,
    }


@pytest.mark.parametrize(
    ("timestamp", "submitted"),
    [
        ("2016-11-23T12:00:00.123456+00:00", "2016-11-23T12:00:00.123456+00:00"),
        ("2016-11-23T12:00:00Z", "2016-11-23T12:00:00+00:00"),
        ("2016-11-23 12:00:00", "2016-11-23T12:00:00+00:00"),
        ("2016-11-23T14:00:00+02:00", "2016-11-23T12:00:00+00:00"),
        (datetime(2016, 11, 23, 12, tzinfo=UTC), "2016-11-23T12:00:00+00:00"),
        (None, "2016-11-23T00:00:00+00:00"),
    ],
)
def test_the_submission_is_what_the_collector_wrote_else_the_day_of_the_crash_id(timestamp, submitted):
    crash = crash_of(submitted_timestamp=timestamp)

    assert crash.processed["submitted_timestamp"] == submitted
    assert crash.processed["date_processed"] == submitted
    assert not any("submitted_timestamp" in note for note in crash.notes)


@pytest.mark.parametrize("timestamp", ["yesterday", "", 5, ["2016"], "9999-12-31T23:59:59-10:00"])
def test_a_submission_that_is_not_a_date_is_noted(timestamp):
    crash = crash_of(submitted_timestamp=timestamp)

    assert crash.processed["submitted_timestamp"] == "2016-11-23T00:00:00+00:00"
    assert any("submitted_timestamp is not a date" in note for note in crash.notes)


@pytest.mark.parametrize(
    ("annotations", "crash_time"),
    [
        ({"CrashTime": "1469552466"}, 1469552466),
        ({"CrashTime": "14695524661234567"}, 1469552466),
        ({"CrashTime": 1469552466}, 1469552466),
        ({"CrashTime": 1469552466.75}, 1469552466),
        ({"CrashTime": 1469552466123.0}, 1469552466),
        ({"timestamp": 1480000000.25}, 1480000000),
        ({"timestamp": float("inf")}, 0),
        ({"CrashTime": "1469552466", "timestamp": "1"}, 1469552466),
        ({"timestamp": "1469552466"}, 1469552466),
        ({}, SUBMISSION),
        ({"CrashTime": None}, SUBMISSION),
        ({"CrashTime": "abc", "timestamp": "1469552466"}, 0),
        ({"CrashTime": ""}, 0),
        ({"CrashTime": "1_000"}, 0),
        ({"CrashTime": "\u0661\u0662"}, 0),
        ({"CrashTime": [1]}, 0),
        ({"timestamp": "1469552460.5"}, 0),
        ({"timestamp": "9" * 20}, 0),
        ({"timestamp": "9" * 5000}, 0),
    ],
)
def test_the_time_of_the_crash_is_taken_from_the_best_that_is_there(annotations, crash_time):
    processed = crash_of(**annotations).processed

    assert processed["crash_time"] == crash_time
    assert processed["client_crash_date"] == datetime.fromtimestamp(crash_time, UTC).isoformat()


@pytest.mark.parametrize(
    ("annotations", "uptime", "install_age"),
    [
        ({}, 0, 0),
        ({"StartupTime": "1469552400"}, 66, 66),
        ({"InstallTime": "1469552000"}, 0, 466),
        ({"StartupTime": "1469552400", "InstallTime": "1469552000"}, 66, 466),
        ({"StartupTime": "1469552500"}, 0, -34),
        ({"StartupTime": 1469552400.5, "InstallTime": 1469552000.9}, 66, 466),
        ({"StartupTime": "x"}, 1469552466, 1469552466),
        ({"InstallTime": "y"}, 0, 1469552466),
    ],
)
def test_an_absent_time_is_taken_from_the_next_and_a_bad_one_is_zero(annotations, uptime, install_age):
    processed = crash_of(CrashTime="1469552466", **annotations).processed

    assert (processed["uptime"], processed["install_age"]) == (uptime, install_age)


@pytest.mark.parametrize(
    ("value", "last_crash", "note"),
    [
        ("100", 100, None),
        ("-5", -5, None),
        (7, 7, None),
        (str(2**63 - 1), 2**63 - 1, None),
        (str(2**63), None, "too large"),
        ("q", None, "not an integer"),
        ("1.5", None, "not an integer"),
        (None, None, None),
        (12.75, 12, None),
        (1e300, None, "too large"),
        (float("nan"), None, "not an integer"),
        (True, None, "not an integer"),
        ("9" * 5000, None, "not an integer"),
    ],
)
def test_the_seconds_since_the_last_crash_fit_a_column_or_are_null(value, last_crash, note):
    crash = crash_of(CrashTime="1469552466", SecondsSinceLastCrash=value)

    assert crash.processed["last_crash"] == last_crash
    assert [note for note in crash.notes if "SecondsSinceLastCrash" in note] == ([] if note is None else crash.notes)
    assert note is None or note in crash.notes[0]


@pytest.mark.parametrize("annotation", ["CrashTime", "timestamp", "StartupTime", "InstallTime"])
def test_each_bad_time_is_noted_with_a_piece_of_its_value(annotation):
    crash = crash_of(**{"CrashTime": "1469552466", "SecondsSinceLastCrash": "1", annotation: "x" * 1000})

    (note,) = crash.notes
    assert note.startswith(f"{annotation} is not a time in seconds: 'xxx")
    assert len(note) < 120


def test_a_time_that_is_only_that_of_the_submission_is_noted():
    assert crash_of(SecondsSinceLastCrash="1").notes == [
        "CrashTime is missing",
        "client_crash_date is not known: it is set to the time of submission",
    ]


@pytest.mark.parametrize("raw", [{"timestamp": "1469552466"}, {"timestamp": 1469552466.5}])
def test_a_crash_whose_time_has_its_old_name_does_not_lack_one(raw):
    assert crash_of(**raw).notes == []


anything = st.none() | st.integers() | st.text() | st.lists(st.integers(), max_size=1) | st.datetimes() | st.floats()
annotations = ["submitted_timestamp", "CrashTime", "timestamp", "StartupTime", "InstallTime", "SecondsSinceLastCrash"]


@given(st.dictionaries(st.sampled_from(annotations), anything | st.integers().map(str)))
def test_whatever_the_clocks_say_times_are_integers_that_fit_and_dates_are_dates(raw):
    processed = crash_of(**raw).processed

    for field in ("crash_time", "uptime", "install_age"):
        assert abs(processed[field]) < 2**63
    for field in ("submitted_timestamp", "date_processed", "client_crash_date"):
        assert datetime.fromisoformat(processed[field]).tzinfo == UTC
