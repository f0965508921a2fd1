"""TelemetryBotoS3CrashStorage on a real server."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.telemetry import TelemetryBotoS3CrashStorage
from socorro_processor.errors import ConfigurationError, CrashIDNotFound, InvalidCrashID, TransientStorageError
from tests.integration.s3_bucket import Options, bucket_options, get_object, no_bucket_options, object_keys, put_object

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
KEY = f"v1/crash_report/20161123/{CRASH}"
RAW = {"ProductName": "Lightbox", "version": "annotated", "release_channel": "beta", "Email": "a@example.com"}
PROCESSED: dict[str, Any] = {
    "uuid": CRASH,
    "date_processed": "2016-11-23T10:00:00+00:00",
    "signature": "main\0\U0001f600",
    "version": "1.0",
    "url": "https://example.com/private",
    "email": "a@example.com",
    "json_dump": {
        "sensitive": {"exploitability": "high"},
        "crashing_thread": {
            "frames": [{"frame": 0, "module": "a.so", "function": None, "registers": {"rax": "0x1"}}, "no frame"]
        },
        "modules": [],
    },
}
REPORT = {
    "uuid": CRASH,
    "date_processed": "2016-11-23T10:00:00+00:00",
    "signature": "main\0\U0001f600",
    "version": "1.0",
    "release_channel": "beta",
    "json_dump": {"crashing_thread": {"frames": [{"frame": 0, "module": "a.so", "function": None}]}, "modules": []},
}


@pytest.fixture
def options() -> Options:
    return bucket_options()


@pytest.fixture
def store(options: Options) -> Iterator[TelemetryBotoS3CrashStorage]:
    store = telemetry(options)
    yield store
    store.close()


def telemetry(options: Options, **more: object) -> TelemetryBotoS3CrashStorage:
    return TelemetryBotoS3CrashStorage(defaults(TelemetryBotoS3CrashStorage, **options, **more))


def report(options: Options) -> Any:
    return json.loads(get_object(options, KEY))


def test_a_report_has_the_annotations_and_fields_of_the_schema_and_fields_win(store, options):
    store.save_raw_and_processed(RAW, {MAIN_DUMP: b"main"}, PROCESSED, CRASH)
    assert object_keys(options) == [KEY]
    assert report(options) == REPORT


def test_arguments_are_not_changed(store):
    given = copy.deepcopy((RAW, PROCESSED))
    store.save_raw_and_processed(given[0], {}, given[1], CRASH)
    assert given == (RAW, PROCESSED)


def test_a_reprocessed_crash_replaces_its_report(store, options):
    store.save_raw_and_processed(RAW, {}, PROCESSED, CRASH)
    store.save_raw_and_processed({}, {}, PROCESSED | {"signature": "new"}, CRASH)
    assert object_keys(options) == [KEY]
    assert report(options) == {name: REPORT[name] for name in REPORT if name != "release_channel"} | {
        "signature": "new"
    }


def test_a_processed_crash_alone_makes_a_report_and_a_raw_one_none(store, options):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"main"}, CRASH)
    assert object_keys(options) == []
    store.save_processed(PROCESSED)
    assert report(options)["version"] == "1.0"


def test_annotations_cannot_change_the_id_of_a_crash(store, options):
    store.save_raw_and_processed({"uuid": "../x"}, {}, PROCESSED, CRASH)
    assert report(options)["uuid"] == CRASH


def test_a_removed_report_is_gone_and_nothing_else_is(store, options):
    put_object(options, f"v1/processed_crash/{CRASH}", b"{}")
    store.save_processed(PROCESSED)
    assert store.held(CRASH) == ["crash report"]
    store.remove(CRASH)
    assert store.held(CRASH) == []
    assert object_keys(options) == [f"v1/processed_crash/{CRASH}"]
    with pytest.raises(CrashIDNotFound, match=CRASH):
        store.remove(CRASH)


@pytest.mark.parametrize("crash_id", ["", "../x", CRASH[:-2] + "32", None])
def test_no_key_is_made_of_an_invalid_crash_id(store, options, crash_id):
    with pytest.raises(InvalidCrashID):
        store.save_raw_and_processed(RAW, {}, PROCESSED | {"uuid": crash_id}, CRASH)
    assert object_keys(options) == []


def test_a_report_cannot_be_read_as_a_crash(store):
    store.save_processed(PROCESSED)
    for read in ("get_processed", "get_unredacted_processed", "get_raw_crash", "get_raw_dumps"):
        assert not store.can(read)


def test_a_missing_bucket_is_reported_and_can_be_made():
    store = telemetry(no_bucket_options())
    try:
        with pytest.raises(TransientStorageError, match="socorro setup"):
            store.check()
        with pytest.raises(TransientStorageError, match="NoSuchBucket"):
            store.remove(CRASH)
        store.setup()
        store.check()
    finally:
        store.close()


def test_an_operators_own_schema_is_used(options, tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"Email": {"type": "string"}}}')
    store = telemetry(options, crash_report_schema=str(schema))
    try:
        store.save_raw_and_processed(RAW, {}, PROCESSED, CRASH)
    finally:
        store.close()
    assert report(options) == {"Email": "a@example.com"}


def test_an_unusable_schema_is_reported_at_the_start(options, tmp_path):
    (tmp_path / "schema.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"schema\.json"):
        telemetry(options, crash_report_schema=str(tmp_path / "schema.json"))


def test_crashes_without_a_crash_report_are_missing(store):
    other = new_crash_id()
    store.save_processed(PROCESSED)
    assert store.missing_processed([CRASH, other]) == {other}
