"""Facts about the crashed stack and the modules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from socorro_processor.rules.stack_facts import ModuleSignersRule, ModulesInStackRule, ReportTypeRule, TopmostFileRule
from tests.unit.rules.fields_of_crashes import after, crash


def stack(*frames: Any, **more: Any) -> dict[str, Any]:
    return {"crash_info": {"crashing_thread": 0}, "threads": [{"frames": list(frames)}], **more}


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([{"file": "/a.c"}, {"file": "/b.c"}], "/a.c"),
        ([{"file": None}, {"file": " \0"}, 7, {"file": "/b.c \0"}], "/b.c"),
        ([{"file": "/a.c", "inlines": [{"file": None}, {"file": "/inner.h"}, {"file": "/outer.h"}]}], "/inner.h"),
        ([{"file": "/a.c", "inlines": [{"file": ""}, 7]}], "/a.c"),
        ([{"file": "/a.c", "inlines": {"file": "/b.h"}}], "/a.c"),
        ([{"function": "a"}], None),
        ([], None),
    ],
)
def test_the_topmost_file_is_that_of_an_inlined_function_first(frames, expected):
    processed = after(TopmostFileRule(), crash({}, stack(*frames))).processed
    assert processed.get("topmost_filenames") == expected
    assert ("topmost_filenames" in processed) == (expected is not None)


def test_the_copy_of_the_thread_that_crashed_stands_for_it_in_the_list():
    json_dump = {"crashing_thread": {"frames": [{"file": "/a.c"}]}}
    assert after(TopmostFileRule(), crash({}, json_dump)).processed["topmost_filenames"] == "/a.c"


MODULES = [
    {"filename": "libz.so", "debug_id": "AB01"},
    {"filename": "Crane Desktop.exe", "debug_id": "cd02"},
    {"filename": "a;b/c.so", "debug_id": "EF03"},
    {"filename": "nothing.so", "debug_id": None},
    {"filename": "empty.so", "debug_id": ""},
    {"filename": "odd.so", "debug_id": "a;b"},
    {"filename": "unused.so", "debug_id": "0102"},
    {"filename": 7, "debug_id": "0102"},
    7,
]


def test_modules_in_the_stack_are_listed_once_and_in_order():
    names = [
        "libz.so",
        "Crane Desktop.exe",
        "libz.so",
        None,
        7,
        "a;b/c.so",
        "nothing.so",
        "empty.so",
        "odd.so",
        "gone.so",
    ]
    processed = after(
        ModulesInStackRule(), crash({}, stack(*({"module": name} for name in names), modules=MODULES))
    ).processed
    assert processed["modules_in_stack"] == "Crane Desktop.exe/cd02;abc.so/EF03;libz.so/AB01"


@pytest.mark.parametrize("frames", [[], [{"module": None}], [{"module": "gone.so"}]])
def test_a_stack_without_modules_has_no_list(frames):
    assert "modules_in_stack" not in after(ModulesInStackRule(), crash({}, stack(*frames, modules=MODULES))).processed


SIGNED = {"Harbor Labs": ["harbor.exe", "PORTMON.dll"], "Others": ["harbor.exe"]}


@pytest.mark.parametrize("info", [SIGNED, json.dumps(SIGNED)])
def test_annotations_fill_in_signers_that_the_stackwalker_does_not_know(info):
    modules = [
        {"filename": "harbor.exe", "cert_subject": None},
        {"filename": "PortMon.dll"},
        {"filename": "ntdll.dll", "cert_subject": "Microsoft Windows"},
        {"filename": "other.dll", "cert_subject": None},
        {"filename": None},
    ]
    found = after(ModuleSignersRule(), crash({"ModuleSignatureInfo": info}, {"modules": modules}))
    signers = [module.get("cert_subject") for module in found.processed["json_dump"]["modules"]]
    assert signers == ["Harbor Labs", "Harbor Labs", "Microsoft Windows", None, None]
    assert found.notes == []


def test_a_signer_without_a_list_of_files_is_noted_and_the_others_count():
    info = {"Jane Doe": "harbor.exe", "Harbor Labs": ["harbor.exe"], "Others": [1]}
    found = after(ModuleSignersRule(), crash({"ModuleSignatureInfo": info}, {"modules": [{"filename": "harbor.exe"}]}))
    assert found.processed["json_dump"]["modules"][0]["cert_subject"] == "Harbor Labs"
    assert found.notes == ["ModuleSignatureInfo: 2 of 3 signers have no list of file names"]


@pytest.mark.parametrize("info", ["not JSON", "[]", 7, ["harbor.exe"]])
def test_signers_of_another_form_are_noted(info):
    found = after(ModuleSignersRule(), crash({"ModuleSignatureInfo": info}, {"modules": [{"filename": "harbor.exe"}]}))
    assert found.processed["json_dump"]["modules"] == [{"filename": "harbor.exe"}]
    assert len(found.notes) == 1
    assert "ModuleSignatureInfo" in found.notes[0]


WATCHDOG = {"function": "mozilla::(anonymous namespace)::RunWatchdog(void*)"}


@pytest.mark.parametrize(
    ("raw", "json_dump", "expected"),
    [
        ({}, None, "crash"),
        ({"Hang": "ui"}, None, "hang"),
        ({"Hang": "1"}, None, "hang"),
        ({"Hang": 1}, None, "hang"),
        ({"Hang": "0"}, None, "crash"),
        ({"Hang": 0}, None, "crash"),
        ({"Hang": " 0 "}, None, "crash"),
        ({"Hang": " \0"}, None, "crash"),
        ({"Hang": None}, None, "crash"),
        ({"AsyncShutdownTimeout": "{}"}, None, "hang"),
        ({"AsyncShutdownTimeout": "not JSON"}, None, "hang"),
        ({"AsyncShutdownTimeout": ""}, None, "crash"),
        ({"ipc_channel_error": "ShutDownKill"}, None, "hang"),
        ({"ipc_channel_error": "(msgtype=0x1) Channel error"}, None, "crash"),
        ({}, stack({"function": "wait"}, WATCHDOG), "hang"),
        ({}, stack({"function": "wait", "inlines": [WATCHDOG]}), "hang"),
        ({}, stack({"function": None}, 7, {"function": ["RunWatchdog"]}), "crash"),
        ({}, {"threads": [{"frames": [WATCHDOG]}]}, "hang"),
        ({}, {"crash_info": {"crashing_thread": 4}, "threads": [{"frames": [WATCHDOG]}]}, "crash"),
        ({}, {"crash_info": {"crashing_thread": 0}, "threads": [{"frames": []}, {"frames": [WATCHDOG]}]}, "crash"),
    ],
)
def test_a_program_that_was_stopped_because_it_hung_is_distinguished_from_a_crash(raw, json_dump, expected):
    assert after(ReportTypeRule(), crash(raw, json_dump)).processed["report_type"] == expected
