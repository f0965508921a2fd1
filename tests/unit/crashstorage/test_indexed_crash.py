"""The values that an index keeps of a crash: cut, cleaned, counted, whatever a stranger sends."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.crashstorage.indexed_crash import BETWEEN, NAMES, Indexer, clean_text
from socorro_processor.errors import InvalidCrashID
from socorro_processor.fields import FieldTable
from socorro_processor.fields.searchable import searchable_fields
from socorro_processor.search.sqlite.journal import Journal, Position

CRASH_ID = "0bba61c5-dfc3-43e7-dead-8afd20161123"
FIELDS = searchable_fields(FieldTable())
INDEXER = Indexer(FIELDS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


def indexed(**fields: object):
    return INDEXER.of({"uuid": CRASH_ID, **fields})


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON, max_size=8))
def test_whatever_is_in_a_crash_its_values_can_be_written(fields):
    crash = INDEXER.of({**fields, "uuid": CRASH_ID})
    assert crash.crash_id == CRASH_ID
    assert date(2000, 1, 1) <= datetime.fromtimestamp(crash.moment / 1000, UTC).date() <= date(2099, 12, 31)
    for value in crash.values.values():
        if isinstance(value, str):
            assert value
            assert "\0" not in value
            value.encode()
        else:
            assert -(2**63) <= value < 2**63
    assert len(json.dumps(list(crash.values.values()))) < 200_000


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON, max_size=8))
def test_the_journal_returns_what_it_was_given(tmp_path_factory, fields):
    journal = Journal(tmp_path_factory.mktemp("journal") / "waiting.jsonl")
    crash = INDEXER.of({**fields, "uuid": CRASH_ID})
    journal.append(crash)
    ((read,), position, _) = journal.read(Position(), 9)
    assert (read.crash_id, read.moment, read.signature, read.installation) == (
        crash.crash_id,
        crash.moment,
        crash.signature,
        crash.installation,
    )
    assert read.values == crash.values
    assert journal.waiting(position) == 0


@pytest.mark.parametrize(
    ("field", "value", "kept", "is_counted"),
    [
        ("reason", "SIGSEGV", "SIGSEGV", False),
        ("reason", "  a\0b \n", "ab", False),
        ("reason", "x" * 300, "x" * 255, True),
        ("reason", 7, "7", False),
        ("reason", True, "true", False),
        ("reason", ["a"], None, True),
        ("reason", "\ud83d\ude00 \ud800", "\U0001f600 \ufffd", False),
        ("reason", "", None, False),
        ("abort_message", "y" * 1001, "y" * 1000, True),
        ("uptime", "60", 60, False),
        ("uptime", 2**63, None, True),
        ("uptime", float("nan"), None, True),
        ("uptime_ts", 0.25, 0.25, False),
        ("uptime_ts", float("inf"), None, True),
        ("uptime_ts", True, None, True),
        ("startup_crash", "1", 1, False),
        ("startup_crash", "perhaps", None, True),
        ("addons", ["a", "b", "a", ""], f"{BETWEEN}a{BETWEEN}b{BETWEEN}", False),
        ("addons", [["a", ["b"]], 3], f"{BETWEEN}a{BETWEEN}b{BETWEEN}3{BETWEEN}", False),
        ("addons", "one", f"{BETWEEN}one{BETWEEN}", False),
        ("addons", [], None, False),
        ("addons", {"a": 1}, None, True),
        ("classifications", {"a": {"b": "c", "d": None}}, f"{BETWEEN}a.b{NAMES}c{BETWEEN}", False),
        ("classifications", {"a": [1, {"b": True}]}, f"{BETWEEN}a{NAMES}1{BETWEEN}a.b{NAMES}true{BETWEEN}", False),
        ("classifications", "a", None, True),
        ("client_crash_date", "1970-01-02", 86_400_000, False),
        ("client_crash_date", "1970-01-01T02:00:00.5+01:00", 3_600_500, False),
        ("client_crash_date", "soon", None, True),
    ],
)
def test_a_value_is_kept_as_its_field_has_it(field, value, kept, is_counted):
    crash = indexed(**{field: value})
    assert crash.values.get(field) == kept
    assert (field in crash.left_out) == is_counted


def test_a_list_keeps_whole_items_and_counts_that_some_are_missing():
    crash = indexed(addons=[f"{number:0100}" for number in range(100)])
    items = crash.values["addons"].strip(BETWEEN).split(BETWEEN)
    assert all(len(item) == 100 for item in items)
    assert 10 < len(items) < 20
    assert crash.left_out == ("addons",)


def test_the_moment_is_that_of_submission_or_the_day_of_the_crash_id():
    day = int(datetime(2016, 11, 23, tzinfo=UTC).timestamp() * 1000)
    assert indexed().moment == day
    assert indexed(date_processed="2016-11-23T01:00:00Z").moment == day + 3_600_000
    assert indexed(submitted_timestamp="2016-11-23T02:00:00+00:00").moment == day + 7_200_000
    for odd in ("1999-12-31", "2100-01-01T00:00:00Z", "x", 7, None, ["2016-11-23"], "9" * 1_000_000):
        assert indexed(date_processed=odd).moment == day
    assert indexed().day == day // 86_400_000


def test_installations_are_told_apart_by_id_then_by_time_and_the_number_is_not_the_id():
    first, second = indexed(client_id="one-id", install_time=1), indexed(client_id="b", install_time=1)
    assert first.installation != second.installation
    assert first.installation == indexed(client_id="one-id").installation
    assert indexed(install_time=1).installation not in (None, 1, first.installation)
    assert indexed().installation is None
    assert indexed(client_id="", install_time=2**70).installation is None
    assert "one-id" not in str(first)


def test_fields_of_crashes_of_2015_are_found_under_todays_names():
    assert indexed(crashedThread=3).values["crashing_thread"] == 3
    assert indexed(PluginName="Flash").values["plugin_name"] == "Flash"


def test_versions_of_the_processing_are_fields():
    processing = {"processor_version": "0.1.0", "siglists_version": "a1", "algorithm": 2026}
    assert indexed(processing=processing).values["processor_version"] == "0.1.0"
    assert "processor_version" not in indexed(processing=[1]).values
    assert "processor_version" not in indexed(processor_version="2").values


def test_a_crash_of_megabytes_costs_little():
    crash = dict.fromkeys(FIELDS, "�\x00x" * 300000) | {"addons": ["y" * 1000] * 100_000}
    before = time.process_time()
    indexed(**{name: value for name, value in crash.items() if name not in ("uuid", "crash_id")})
    # A whole pass over 100 MB would take seconds.
    assert time.process_time() - before < 1


def test_without_a_crash_id_there_is_nothing_to_index():
    for odd in (None, 7, "x", "../../etc/passwd"):
        with pytest.raises(InvalidCrashID):
            INDEXER.of({"uuid": odd})


def test_cleaned_texts_stay_as_they_are():
    for text in ("a b", "é\u0301", "\U0001f600", "\t\nx"):
        assert clean_text(clean_text(text)) == clean_text(text)
