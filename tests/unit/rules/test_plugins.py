"""Plugins: which process hung, which plugin it was, which Flash was loaded."""

from __future__ import annotations

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.errors import ConfigurationError
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.plugins import FlashVersionRule, PluginRule
from tests.cpu_time import cpu_seconds

CRASH_ID = "00000000-0000-4000-8000-000000161123"
KNOWN = "83CF4DC03621B778E931FC713889E8F10"


def processed_by(rule, raw=None, processed=None) -> Crash:
    crash = Crash(id=CRASH_ID, raw={"uuid": CRASH_ID, **(raw or {})}, processed=processed or {})
    assert rule.act(crash) == (True, True)
    return crash


@pytest.mark.parametrize(
    ("raw", "hang_id", "hang_type"),
    [
        ({}, None, 0),
        ({"HangID": "e4c5"}, "e4c5", -1),
        ({"HangID": ""}, "", 0),
        ({"HangID": "e4c5", "Hang": "1"}, "e4c5", 1),
        ({"HangID": "e4c5", "Hang": "0"}, "e4c5", -1),
        ({"Hang": "-1"}, None, 1),
        ({"Hang": " 1 "}, None, 1),
        ({"Hang": "yes"}, None, 0),
        ({"Hang": "1.5"}, None, 0),
        ({"Hang": 1}, None, 1),
        ({"Hang": True}, None, 0),
        ({"Hang": ["1"]}, None, 0),
        ({"PluginHang": "1"}, f"fake-{CRASH_ID}", -1),
        ({"PluginHang": "1", "HangID": "e4c5"}, f"fake-{CRASH_ID}", -1),
        ({"PluginHang": "1", "Hang": "1"}, f"fake-{CRASH_ID}", 1),
        ({"PluginHang": "0", "HangID": "e4c5"}, "e4c5", -1),
        ({"PluginHang": "x"}, None, 0),
        ({"PluginHang": "9" * 5000}, None, 0),
    ],
)
def test_the_type_of_a_hang_is_a_field(raw, hang_id, hang_type):
    crash = processed_by(PluginRule(), raw)

    assert crash.processed == {"hangid": hang_id, "hang_type": hang_type, "process_type": None}
    assert crash.notes == []


def test_the_process_of_a_plugin_says_which_plugin():
    raw = {"ProcessType": "plugin", "PluginFilename": "NPSWF32.dll", "PluginName": "Shockwave Flash"}

    assert processed_by(PluginRule(), raw).processed == {
        "hangid": None,
        "hang_type": 0,
        "process_type": "plugin",
        "PluginFilename": "NPSWF32.dll",
        "PluginName": "Shockwave Flash",
        "PluginVersion": "",
    }


@pytest.mark.parametrize("process_type", ["content", "browser", "", "Plugin"])
def test_another_process_says_nothing_of_plugins(process_type):
    crash = processed_by(PluginRule(), {"ProcessType": process_type, "PluginName": "Shockwave Flash"})

    assert crash.processed == {"hangid": None, "hang_type": 0, "process_type": process_type}


def test_an_annotation_without_a_text_counts_as_absent_and_is_noted():
    crash = processed_by(PluginRule(), {"HangID": {}, "ProcessType": ["plugin"]})

    assert crash.processed == {"hangid": None, "hang_type": 0, "process_type": None}
    assert crash.notes == ["HangID is not a string, but dict", "ProcessType is not a string, but list"]


def flash_version(*modules: object, rule: FlashVersionRule | None = None) -> object:
    crash = processed_by(rule or FlashVersionRule(), processed={"json_dump": {"modules": list(modules)}})
    return crash.processed["flash_version"]


@pytest.mark.parametrize(
    ("module", "version"),
    [
        ({"filename": "NPSWF32_11_9_900_117.dll", "version": "11.9.900.118"}, "11.9.900.118"),
        ({"filename": "NPSWF32_11_9_900_117.dll", "version": ""}, "11.9.900.117"),
        ({"filename": "NPSWF32_11_9_900_117.dll"}, "11.9.900.117"),
        ({"filename": "NPSWF32.dll", "version": "10.0"}, "10.0"),
        ({"filename": "FlashPlayerPlugin_11_9_900_117.exe"}, "11.9.900.117"),
        ({"filename": "FlashPlayerPlugin.exe", "version": None, "debug_id": KNOWN}, "9.0.16.0"),
        ({"filename": "libflashplayer.so", "debug_id": KNOWN}, "9.0.16.0"),
        ({"filename": "libflashplayer.so", "debug_id": "C5B5651B46B7612E118339D19A6E66360"}, "9.0.45.0"),
        ({"filename": "libflashplayer.so", "debug_id": "unknown"}, "[blank]"),
        ({"filename": "libflashplayer.so", "debug_id": [KNOWN]}, "[blank]"),
        ({"filename": "Flash Player-11.2.202.554", "debug_id": KNOWN}, "11.2.202.554"),
        ({"filename": "Flash Player-", "debug_id": KNOWN}, "9.0.16.0"),
        ({"filename": "xul.dll", "version": "48.0", "debug_id": KNOWN}, "[blank]"),
        ({"filename": "C:\\NPSWF32.dll", "version": "10.0"}, "[blank]"),
        ({"filename": "NPSWF32.dll.bak", "version": "10.0"}, "[blank]"),
        ({"filename": f"NPSWF32{'_' * 255}.dll", "version": "10.0"}, "[blank]"),
        ({"filename": None, "version": "10.0"}, "[blank]"),
        ({"filename": ["NPSWF32.dll"], "version": "10.0"}, "[blank]"),
        ({"version": "10.0"}, "[blank]"),
        ("NPSWF32.dll", "[blank]"),
        (None, "[blank]"),
    ],
)
def test_flash_is_known_by_its_module_its_file_name_or_its_debug_id(module, version):
    assert flash_version(module) == version


def test_the_first_flash_that_has_a_version_counts():
    unknown = {"filename": "libflashplayer.so"}
    first = {"filename": "libflashplayer.so", "version": "11.2"}
    second = {"filename": "NPSWF32.dll", "version": "10.0"}

    assert flash_version(unknown, first, second) == "11.2"


@pytest.mark.parametrize("json_dump", [None, [], {}, {"modules": None}, {"modules": {"filename": "NPSWF32.dll"}}])
def test_without_a_list_of_modules_there_is_only_a_note(json_dump):
    crash = Crash(id=CRASH_ID, raw={}, processed={"json_dump": json_dump})

    assert FlashVersionRule().act(crash) == (True, False)
    assert crash.processed["flash_version"] == ""
    assert crash.notes == ["no Flash version: there is no list of modules"]


def test_without_loaded_modules_there_was_no_flash():
    assert flash_version() == "[blank]"


def test_an_operator_can_name_other_builds_by_their_debug_ids():
    rule = FlashVersionRule(defaults(FlashVersionRule, known_flash_identifiers='{"5": "1.2"}'))

    assert flash_version({"filename": "libflashplayer.so", "debug_id": "5"}, rule=rule) == "1.2"
    assert flash_version({"filename": "libflashplayer.so", "debug_id": KNOWN}, rule=rule) == "[blank]"


@pytest.mark.parametrize("value", ["", "[]", '{"5": 1}'])
def test_an_invalid_table_of_debug_ids_is_an_error(value):
    with pytest.raises(ConfigurationError):
        defaults(FlashVersionRule, known_flash_identifiers=value)


@pytest.mark.parametrize(
    "name",
    [
        "NPSWF32" + "_" * 100_000,
        "FlashPlayerPlugin" * 6_000,
        "libflashplayer" + "." * 100_000,
        "libflashplayer" * 7_000,
        "Flash Player-" + "\n" * 100_000,
    ],
    ids=lambda name: name[:20],
)
def test_five_thousand_modules_of_long_names_take_no_time(name):
    processed = {"json_dump": {"modules": [{"filename": name, "debug_id": "5"}] * 5000}}

    # 50 ms on a quiet machine; what this guards against took seconds.
    assert cpu_seconds(lambda: processed_by(FlashVersionRule(), processed=processed)) < 0.25
