"""Hangs of plugins are recognized in the stacks of their processes."""

from __future__ import annotations

import json

import pytest

from socorro_processor.configuration import class_converter, defaults
from socorro_processor.pipeline.mozilla_2015 import RULE_SETS, MozillaProcessorAlgorithm2015
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.skunk import (
    FLASH_DUMP,
    PLUGIN_DUMP,
    Bug811804,
    Bug812318,
    NullClassification,
    SendWaitReceivePort,
    SetWindowPos,
    UpdateWindowAttributes,
)
from socorro_processor.rules.skunk_filter import DontConsiderTheseFilter

PEEK_CALLER = "F849276792______________________________"


def walked(*functions: str) -> dict[str, object]:
    return {"crashing_thread": {"frames": [{"function": function} for function in functions]}}


def hang(plugin: tuple[str, ...] = (), flash: tuple[str, ...] = (), **processed: object) -> Crash:
    dumps = {PLUGIN_DUMP: {"json_dump": walked(*plugin)}, FLASH_DUMP: {"json_dump": walked(*flash)}}
    return Crash(id="", raw={}, processed=dumps | processed)


def found(crash: Crash) -> object:
    return crash.processed.get("classifications", {}).get("skunk_works", {}).get("classification")


def normalized(crash: Crash, dump: str) -> list[str]:
    frames = crash.processed[dump]["json_dump"]["crashing_thread"]["frames"]
    return [frame["normalized"] for frame in frames if "normalized" in frame]


@pytest.mark.parametrize(
    ("plugin", "flash", "classification"),
    [
        (("NtUserSetWindowPos", "F_468782153", "F_320940052"), (), "NtUserSetWindowPos | F_320940052"),
        (("F_1378698112x", "NtUserSetWindowPosition"), (), "NtUserSetWindowPos | F_1378698112"),
        (("NtUserSetWindowPos", "F455544145"), (), "NtUserSetWindowPos | other"),
        (("a", "b", "c", "d", "NtUserSetWindowPos", "F_468782153"), (), "NtUserSetWindowPos | other"),
        (("a", "b", "c", "d", "e", "NtUserSetWindowPos"), (), None),
        (("x::NtUserSetWindowPos",), (), None),
        ((), ("NtUserSetWindowPos", "F455544145"), "NtUserSetWindowPos | F455544145"),
        (("load",), ("NtUserSetWindowPos", "F_320940052"), "NtUserSetWindowPos | other"),
        (("NtUserSetWindowPos",), ("NtUserSetWindowPos", "F455544145"), "NtUserSetWindowPos | other"),
        ((), (), None),
    ],
)
def test_the_placing_of_a_window_shows_at_the_top_of_the_plugin_or_of_flash(plugin, flash, classification):
    crash = hang(plugin, flash)

    assert SetWindowPos().act(crash) == (True, classification is not None)
    assert found(crash) == classification


def test_the_main_dump_is_the_plugins_if_the_plugin_crashed():
    crash = hang(process_type="plugin", json_dump=walked("NtUserSetWindowPos"))

    SetWindowPos().act(crash)
    assert found(crash) == "NtUserSetWindowPos | other"


def test_no_more_frames_are_noted_than_are_considered():
    crash = hang(flash=("a", "NtAlpcSendWaitReceivePort", "b"))

    SendWaitReceivePort().act(crash)
    assert normalized(crash, FLASH_DUMP) == ["a", "NtAlpcSendWaitReceivePort"]


@pytest.mark.parametrize(
    ("flash", "classification"),
    [
        (("a", "NtAlpcSendWaitReceivePort"), "NtAlpcSendWaitReceivePort"),
        (("a", "b", "c", "d", "e", "NtAlpcSendWaitReceivePort"), None),
    ],
)
def test_flash_waits_for_an_answer(flash, classification):
    crash = hang(("NtAlpcSendWaitReceivePort",), flash)

    SendWaitReceivePort().act(crash)
    assert found(crash) == classification


@pytest.mark.parametrize(
    ("flash", "classification"),
    [
        (("NtUserPeekMessage", PEEK_CALLER), "bug812318-PeekMessage"),
        (("NtUserPeekMessage", "load"), "NtUserPeekMessage-other"),
        ((PEEK_CALLER,), None),
    ],
)
def test_flash_looks_for_messages(flash, classification):
    crash = hang((), flash)

    Bug812318().act(crash)
    assert found(crash) == classification


@pytest.mark.parametrize(
    ("signature", "is_found"), [(Bug811804.flash_signature, True), ("hang | a", False), (7, False)]
)
def test_flash_is_known_by_its_signature(signature, is_found):
    crash = Crash(id="", raw={}, processed={FLASH_DUMP: {"signature": signature}})

    assert Bug811804().act(crash) == (True, is_found)
    assert found(crash) == ("bug811804-NtUserWaitMessage" if is_found else None)


FIRST, SECOND, THIRD = UpdateWindowAttributes.frames


@pytest.mark.parametrize(
    ("plugin", "data"),
    [
        ((FIRST, SECOND, THIRD), THIRD),
        (("a", FIRST, "b", f"{SECOND}(int *)", "next( int)", f"{THIRD}()", "c"), "next( int)"),
        ((FIRST, SECOND), None),
        ((SECOND, FIRST, THIRD), None),
        ((FIRST, f"a<{SECOND}>", THIRD), None),
    ],
)
def test_a_changing_window_shows_in_three_frames_in_order(plugin, data):
    crash = hang(plugin)

    UpdateWindowAttributes().act(crash)
    assert found(crash) == (data and "adbe-3355131")
    assert crash.processed.get("classifications", {}).get("skunk_works", {}).get("classification_data") == data


def test_a_hang_that_no_rule_recognizes_is_marked_as_examined():
    crash = hang()

    assert NullClassification().act(crash) == (True, True)
    assert crash.processed["classifications"]["skunk_works"] == {
        "classification": "not classified",
        "classification_data": None,
        "classification_version": "0.1",
    }


@pytest.mark.parametrize(
    "rule", [UpdateWindowAttributes, SetWindowPos, SendWaitReceivePort, Bug811804, Bug812318, NullClassification]
)
@pytest.mark.parametrize("dump", [None, 7, [], {}, {"json_dump": None}, {"json_dump": {"crashing_thread": [1]}}])
def test_no_rule_replaces_a_classification_or_fails_without_a_dump(rule, dump):
    crash = Crash(id="", raw={}, processed={FLASH_DUMP: dump, "classifications": {"skunk_works": {"a": "b"}}})
    assert rule().act(crash) == (False, None)

    crash.processed["classifications"] = {}
    assert rule().act(crash) == (True, rule is NullClassification)


CONSIDERED_RAW = {"PluginHang": "1", "ProductName": "Firefox", "Version": "18.0", "BuildID": "20121023030508"}
CONSIDERED = {
    "json_dump": {"system_info": {"cpu_arch": "x86"}},
    "success": True,
    "additional_minidumps": [FLASH_DUMP],
    FLASH_DUMP: {"success": True},
}


def test_a_hang_of_a_plugin_that_was_walked_in_full_is_considered():
    crash = Crash(id="", raw=dict(CONSIDERED_RAW), processed=dict(CONSIDERED))

    assert DontConsiderTheseFilter().act(crash) == (False, None)


@pytest.mark.parametrize(
    ("raw", "processed", "reason"),
    [
        ({"ProductName": "Fennec"}, {}, "Fennec"),
        ({"ProductName": ["Firefox"]}, {}, "list"),
        ({"Version": 16}, {}, "older than 17"),
        ({"Version": None}, {}, "Version is missing"),
        ({"Version": "abc"}, {}, "bad Version 'abc'"),
        ({"Version": "16.0.2"}, {}, "older than 17"),
        ({"BuildID": "20121022030508"}, {}, "before 2012-10-23"),
        ({"Version": "17.0", "BuildID": "20121016030508"}, {}, "before 2012-10-17"),
        ({"BuildID": "20121323030508"}, {}, "bad BuildID"),
        ({"BuildID": "2012"}, {}, "bad BuildID '2012'"),
        ({"BuildID": None}, {}, "bad BuildID"),
        ({}, {"json_dump": {}}, "json_dump"),
        ({}, {"json_dump": {"system_info": {"cpu_arch": "amd64"}}}, "amd64"),
        ({}, {"json_dump": {"system_info": {}}}, "architecture"),
        ({}, {"success": False}, "main dump"),
        ({}, {FLASH_DUMP: {"success": False}}, "flash2 was not walked"),
        ({}, {FLASH_DUMP: None}, "flash2 is missing"),
    ],
)
def test_any_other_hang_of_a_plugin_is_not_considered_and_a_note_says_why(raw, processed, reason):
    crash = Crash(id="", raw=CONSIDERED_RAW | raw, processed=CONSIDERED | processed)

    assert DontConsiderTheseFilter().act(crash) == (True, True)
    assert reason in crash.notes[0]


@pytest.mark.parametrize("hang", ["0", None, 0, ""])
def test_other_crashes_are_not_considered_and_need_no_note(hang):
    crash = Crash(id="", raw=CONSIDERED_RAW | {"PluginHang": hang}, processed=CONSIDERED)

    assert DontConsiderTheseFilter().act(crash) == (True, True)
    assert crash.notes == []


@pytest.mark.parametrize("version", ["17.0", "19.0a1", "100.0"])
def test_builds_of_other_versions_than_18_are_considered_from_a_week_before(version):
    crash = Crash(id="", raw=CONSIDERED_RAW | {"Version": version, "BuildID": "20121017"}, processed=dict(CONSIDERED))

    assert not DontConsiderTheseFilter().predicate(crash)


@pytest.mark.parametrize("name", ["UpdateWindowAttributes", "SendWaitReceivePort", "Bug811804", "Bug812318"])
def test_a_rule_that_is_off_by_default_is_a_line_of_configuration_away(name):
    (skunk,) = (rule_set for rule_set in RULE_SETS if rule_set[0] == "skunk_classifiers")
    assert name not in skunk[4]

    others = [rule_set[0] for rule_set in RULE_SETS[:-1]]
    line = json.dumps([*others, [*skunk[:4], f"socorro.processor.skunk_classifiers.{name}"]])
    config = defaults(MozillaProcessorAlgorithm2015, rule_sets=line)
    assert config.rule_sets.rule_sets[-1].rule_classes == (
        class_converter(f"socorro.processor.skunk_classifiers.{name}"),
    )
