from __future__ import annotations

import copy

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.redactor import Redactor


def redactor(*keys: str) -> Redactor:
    return Redactor(defaults(Redactor, forbidden_keys=", ".join(keys)))


def test_by_default_personal_data_is_removed():
    crash = {
        "url": "https://example.com",
        "email": "a@example.com",
        "user_id": "1",
        "exploitability": "high",
        "memory_info": {},
        "user_comments": "call me at 555-0100",
        "memory_report": {"reports": [{"path": "window(https://example.com)"}]},
        "java_stack_trace": "java.lang.Exception: ann@example.com",
        "signature": "main",
        "json_dump": {"sensitive": {}, "status": "OK"},
        "upload_file_minidump_flash1": {"json_dump": {"sensitive": {}, "status": "OK"}},
        "upload_file_minidump_flash2": {"json_dump": {"sensitive": {}}, "success": True},
        "upload_file_minidump_browser": {"json_dump": {"sensitive": {}}},
    }
    assert Redactor(defaults(Redactor)).redact(crash) == {
        "signature": "main",
        "json_dump": {"status": "OK"},
        "upload_file_minidump_flash1": {"json_dump": {"status": "OK"}},
        "upload_file_minidump_flash2": {"json_dump": {}, "success": True},
        "upload_file_minidump_browser": {"json_dump": {}},
    }


def test_forbidden_keys_are_forbidden_below_each_additional_minidump_whatever_its_name():
    walk = {"json_dump": {"sensitive": {}, "status": "OK"}, "exploitability": "high", "success": True}
    crash = {"additional_minidumps": ["upload_file_minidump_x"], "upload_file_minidump_x": walk, "dump_2": walk}
    redacted = {"json_dump": {"status": "OK"}, "success": True}
    assert Redactor(defaults(Redactor)).redact(crash) == crash | {
        "upload_file_minidump_x": redacted,
        "dump_2": redacted,
    }
    assert walk["json_dump"] == {"sensitive": {}, "status": "OK"}


@pytest.mark.parametrize(
    ("keys", "redacted"),
    [
        (["a"], {"b": 1, "c": [{"d": 1}]}),
        (["a.x"], {"a": {"y": {"z": 1}}, "b": 1, "c": [{"d": 1}]}),
        (["a.y.z"], {"a": {"x": 1, "y": {}}, "b": 1, "c": [{"d": 1}]}),
        (["a", "a.x"], {"b": 1, "c": [{"d": 1}]}),
        (["a.y.z", "a.y", "a.x"], {"a": {}, "b": 1, "c": [{"d": 1}]}),
        (["b.x", "c.d", "c.0", "nothing", "a.nothing", ""], None),
        ([], None),
    ],
)
def test_named_keys_are_removed_and_all_others_stay(keys, redacted):
    crash = {"a": {"x": 1, "y": {"z": 1}}, "b": 1, "c": [{"d": 1}]}
    before = copy.deepcopy(crash)
    assert redactor(*keys).redact(crash) == (before if redacted is None else redacted)
    assert crash == before


def test_only_objects_that_lose_a_key_are_copied():
    crash = {"email": "a", "json_dump": {"sensitive": 1, "threads": [{}], "modules": []}, "other": {"list": [1]}}
    redacted = redactor("email", "json_dump.sensitive", "other.nothing").redact(crash)
    assert redacted["json_dump"] is not crash["json_dump"]
    assert redacted["json_dump"]["threads"] is crash["json_dump"]["threads"]
    assert redacted["other"] is crash["other"]
