"""Stored crashes of both algorithms lose what is protected, wherever it is, and keep what is public."""

from __future__ import annotations

import copy
import json
from contextlib import closing

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.redactor import Redactor
from socorro_processor.fields import FIELDS, Field, FieldTable, Protection, follows_table

MARK = "mark of a user"
DUMPS = ("upload_file_minidump_browser", "upload_file_minidump_of a stranger", "plugin", "upload_file_minidump_failed")


def put(crash, path, value):
    """Put a value at a path; ``*`` makes a list whose second item has it."""
    first, _, rest = path.partition(".")
    if not rest:
        crash[first] = value
    elif rest.startswith("*."):
        items = crash.setdefault(first, [{}, {}])
        put(items[1], rest[2:], value)
    else:
        put(crash.setdefault(first, {}), rest, value)


def walk():
    """A walk with a mark in each place that the table protects."""
    found = {"json_dump": {"status": "OK", "threads": [{"frames": [{"function": "main"}, {}]}, {"frames": [{}, {}]}]}}
    for field in FIELDS:
        if field.is_protected:
            if not field.is_part:
                put(found, field.name, MARK)
            if field.json_dump and not field.json_dump.startswith("sensitive."):
                put(found, f"json_dump.{field.json_dump}", MARK)
    return found


def crash_of_2026():
    crash = walk() | {
        field.name: f"public {field.name}" for field in FIELDS if not (field.is_protected or field.is_part)
    }
    crash["json_dump"] = walk()["json_dump"]
    failed = {name: value for name, value in walk().items() if name != "json_dump"}
    return crash | {
        "uuid": new_crash_id(),
        "processing": {"algorithm": 2026},
        "additional_minidumps": list(DUMPS),
        **{name: walk() for name in DUMPS[:3]},
        DUMPS[3]: failed,
    }


def crash_of_2015():
    keys = [key.strip() for key in defaults(Redactor).forbidden_keys.split(",")]
    crash = {"uuid": new_crash_id(), "signature": "main", "processing": {}, "moz_crash_reason_raw": "as in 2016"}
    walked = {"json_dump": {"status": "OK", "handles": ["as in 2016"]}}
    for key in keys:
        put(crash, key, MARK)
        if not key.startswith("upload_file_minidump"):
            put(walked, key, MARK)
    crash["json_dump"] |= {"status": "OK"}
    return crash | {"additional_minidumps": ["plugin"], "plugin": walked}


@pytest.mark.parametrize("crash", [crash_of_2015(), crash_of_2026()], ids=["2015", "2026"])
def test_a_stored_crash_is_given_without_any_protected_value(crash, tmp_path):
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path)))) as store:
        store.setup()
        store.save_processed(crash)
        redacted = store.get_processed(crash["uuid"])
        assert json.dumps(crash).count(MARK) > 10
        assert MARK not in json.dumps(redacted)
        assert store.get_unredacted_processed(crash["uuid"]) == crash


@pytest.mark.parametrize(
    ("name", "listed", "walked"),
    [
        ("plugin", ["plugin"], {}),
        ("plugin", "odd", {"json_dump": {}}),
        ("upload_file_minidump_browser", None, {}),
        ("email", [], {"json_dump": {}}),
    ],
)
def test_the_walk_of_an_additional_minidump_is_known_by_its_name_or_what_it_has(name, listed, walked):
    crash = {"processing": {"algorithm": 2026}, "additional_minidumps": listed}
    redacted = Redactor(defaults(Redactor)).redact(crash | {name: {"mdsw_stderr": MARK, "success": False, **walked}})
    assert MARK not in json.dumps(redacted)
    assert redacted.get(name) in (None, {"success": False, **walked})


def test_what_is_public_in_2026_stays_also_what_a_redactor_of_2015_removes():
    crash = crash_of_2026()
    before = copy.deepcopy(crash)
    redacted = Redactor(defaults(Redactor)).redact(crash)
    public = {field.name for field in FIELDS if not field.is_protected and not field.is_part}
    assert public | set(DUMPS) == redacted.keys()
    assert redacted["java_stack_trace"] == "public java_stack_trace"
    assert redacted["json_dump"]["threads"][0] == {"frames": [{"function": "main"}, {}]}
    assert redacted["json_dump"]["status"] == "OK"
    assert crash == before


def test_what_is_redacted_in_2015_is_what_was():
    redacted = Redactor(defaults(Redactor)).redact(crash_of_2015())
    assert redacted["moz_crash_reason_raw"] == "as in 2016"
    assert redacted["plugin"] == {"json_dump": {"status": "OK", "handles": ["as in 2016"]}}


@pytest.mark.parametrize(
    ("processing", "expected"),
    [(None, False), ({}, False), ("2026", False), ({"algorithm": 2015}, False), ({"algorithm": 2026}, True)]
    + [({"algorithm": odd}, True) for odd in (2027, "2015", [])],
)
def test_the_algorithm_decides_and_one_that_nobody_knows_is_protected_by_the_table(processing, expected):
    assert follows_table({"processing": processing}) is expected
    assert follows_table({}) is False


def test_forbidden_keys_of_an_old_configuration_add_to_the_table_and_take_nothing_from_it():
    options = {"forbidden_keys": "user_id, reason, java_stack_trace, json_dump.modules.*.filename"}
    crash = {
        "processing": {"algorithm": 2026},
        "user_id": 1,
        "reason": "SIGSEGV",
        "java_stack_trace": "at a.b",
        "email": "ann@example.com",
        "json_dump": {"modules": [{"filename": "a", "version": "1"}]},
    }
    kept = {"processing": {"algorithm": 2026}, "json_dump": {"modules": [{"version": "1"}]}}
    assert Redactor(defaults(Redactor, **options)).redact(crash) == kept


def test_keys_that_are_forbidden_by_default_stay_so_in_2026_if_the_table_does_not_know_them():
    crash = {"processing": {"algorithm": 2026}, "user_id": 1, "memory_info": {}, "java_stack_trace": "at a.b"}
    assert Redactor(defaults(Redactor)).redact(crash).keys() == {"processing", "java_stack_trace"}


def test_a_raw_crash_keeps_public_annotations_only():
    raw = {name: MARK for field in FIELDS if field.is_protected for name in field.annotations}
    raw |= {"Unknown": MARK, "": MARK, "productname": MARK, "Theme": "dark", "ProductName": "Lightbox", "Album": MARK}
    own = Field("album", "string", "protected", "keyword", "an album", annotations=("Album",))
    protection = Protection(FieldTable([own], ["Theme", "Album", "URL"]))
    assert protection.redact_raw(raw) == {"Theme": "dark", "ProductName": "Lightbox"}


def test_an_own_protected_field_is_protected_where_it_comes_from_too():
    own = Field("page", "integer", "protected", "number", "a page", json_dump="threads.0.frames.*.page")
    crash = {"page": 1, "json_dump": {"threads": [{"frames": ({"page": 1, "x": 2}, None)}, "odd"]}, "plugin": 3}
    assert Protection(FieldTable([own])).redact(crash) == {
        "json_dump": {"threads": [{"frames": [{"x": 2}, None]}, "odd"]},
        "plugin": 3,
    }


def test_only_what_loses_something_is_copied():
    crash = {"json_dump": {"threads": [{"frames": [{}]}], "handles": []}, "addons": [1]}
    redacted = Protection(FieldTable()).redact(crash)
    assert redacted["json_dump"] == {"threads": [{"frames": [{}]}]}
    assert redacted["json_dump"]["threads"] is crash["json_dump"]["threads"]
    assert redacted["addons"] is crash["addons"]
