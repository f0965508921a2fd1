"""Rules for crashes of any product, and what the stackwalker says about the crash."""

from __future__ import annotations

import pytest

from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.crash_info import CrashingThreadRule, ExploitablityRule
from socorro_processor.rules.general import CPUInfoRule, IdentifierRule, OSInfoRule

CRASH_ID = "00000000-0000-4000-8000-000000161123"


def crash_with(json_dump: object) -> Crash:
    return Crash(id=CRASH_ID, raw={"uuid": CRASH_ID}, processed={"json_dump": json_dump})


def added(crash: Crash) -> dict[str, object]:
    return {key: value for key, value in crash.processed.items() if key != "json_dump"}


NO_JSON_DUMPS = [None, [], "x", 5, {}, {"system_info": None, "crash_info": None, "crashing_thread": []}]


def test_a_crash_has_its_id_under_both_names():
    crash = crash_with({})

    assert IdentifierRule().act(crash) == (True, True)
    assert added(crash) == {"crash_id": CRASH_ID, "uuid": CRASH_ID}


@pytest.mark.parametrize(
    ("system_info", "cpu_name", "cpu_info"),
    [
        ({"cpu_arch": "x86", "cpu_info": "family 6", "cpu_count": 8}, "x86", "family 6 | 8"),
        ({"cpu_arch": "x86", "cpu_info": "family 6"}, "x86", "family 6"),
        ({"cpu_arch": "x86", "cpu_info": "family 6", "cpu_count": None}, "x86", "family 6"),
        ({"cpu_arch": "x86", "cpu_info": "", "cpu_count": 8}, "x86", " | 8"),
        ({"cpu_arch": "arm64", "cpu_info": None, "cpu_count": 8}, "arm64", "None | 8"),
        ({"cpu_arch": "arm64", "cpu_info": None}, "arm64", ""),
        ({"cpu_arch": None, "cpu_count": 8}, "", ""),
    ],
)
def test_a_processor_is_described_with_its_count(system_info, cpu_name, cpu_info):
    crash = crash_with({"system_info": system_info})

    assert CPUInfoRule().act(crash) == (True, True)
    assert added(crash) == {"cpu_name": cpu_name, "cpu_info": cpu_info}


@pytest.mark.parametrize(
    ("system_info", "os_name", "os_version"),
    [
        ({"os": "Linux", "os_ver": "5.9 #1 "}, "Linux", "5.9 #1"),
        ({"os": " Windows NT\n", "os_ver": ""}, "Windows NT", ""),
        ({"os": "Linux", "os_ver": None}, "Linux", ""),
        ({"os": 7, "os_ver": ["5"]}, "", ""),
    ],
)
def test_an_operating_system_is_named_without_white_space_around(system_info, os_name, os_version):
    crash = crash_with({"system_info": system_info})

    assert OSInfoRule().act(crash) == (True, True)
    assert added(crash) == {"os_name": os_name, "os_version": os_version}


def test_the_thread_that_crashed_comes_with_reason_and_address():
    crash = crash_with(
        {
            "crash_info": {"crashing_thread": 3, "type": "SIGSEGV", "address": "0x5"},
            "crashing_thread": {"frames_truncated": True, "threads_index": 3},
        }
    )

    assert CrashingThreadRule().act(crash) == (True, True)
    assert added(crash) == {"crashedThread": 3, "truncated": True, "address": "0x5", "reason": "SIGSEGV"}
    assert crash.notes == []


@pytest.mark.parametrize(
    ("crash_info", "threads_index", "thread"),
    [
        ({"crashing_thread": 0}, 5, 0),
        ({}, 5, 5),
        ({"crashing_thread": None}, 5, 5),
        ({"crashing_thread": "2"}, 5, None),
    ],
)
def test_the_thread_is_known_from_either_place(crash_info, threads_index, thread):
    crash = crash_with({"crash_info": crash_info, "crashing_thread": {"threads_index": threads_index}})

    CrashingThreadRule().act(crash)
    assert crash.processed["crashedThread"] == thread


@pytest.mark.parametrize("index", [None, -1, True, 1.0, "1", [1]])
def test_an_unknown_thread_is_null_and_noted(index):
    crash = crash_with({"crash_info": {"crashing_thread": index}})

    assert CrashingThreadRule().act(crash) == (True, True)
    assert crash.processed["crashedThread"] is None
    assert crash.notes == ["the stackwalker did not say which thread crashed"]


def test_a_crash_has_its_exploitability():
    crash = crash_with({"sensitive": {"exploitability": "high"}})

    assert ExploitablityRule().act(crash) == (True, True)
    assert added(crash) == {"exploitability": "high"}
    assert crash.notes == []


@pytest.mark.parametrize(
    "json_dump", [*NO_JSON_DUMPS, *({"sensitive": {"exploitability": it}} for it in (None, 5, []))]
)
def test_without_an_exploitability_it_is_unknown(json_dump):
    crash = crash_with(json_dump)

    assert ExploitablityRule().act(crash) == (True, True)
    assert added(crash) == {"exploitability": "unknown"}
    assert crash.notes == []  # hardly any stackwalker says so


@pytest.mark.parametrize("json_dump", NO_JSON_DUMPS)
def test_without_a_stackwalk_no_thread_is_known(json_dump):
    crash = crash_with(json_dump)

    assert CrashingThreadRule().act(crash) == (True, True)
    assert added(crash) == {"crashedThread": None, "truncated": False, "address": None, "reason": None}


@pytest.mark.parametrize(
    ("rule", "fields", "what"),
    [
        (CPUInfoRule(), {"cpu_name": "", "cpu_info": ""}, "processor"),
        (OSInfoRule(), {"os_name": "", "os_version": ""}, "operating system"),
    ],
)
@pytest.mark.parametrize("json_dump", [*NO_JSON_DUMPS, {"system_info": {}}])
def test_without_system_info_the_system_stays_empty_and_the_rule_fails(rule, fields, what, json_dump):
    crash = crash_with(json_dump)

    assert rule.act(crash) == (True, False)
    assert added(crash) == fields
    assert crash.notes == [f"the stackwalker did not say which {what} it was"]
