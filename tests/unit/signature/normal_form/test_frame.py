"""The name of a frame, made of the known facts about it."""

from __future__ import annotations

import pytest

from socorro_processor.signature.normal_form import explain_frame, normalize_frame

MODULE = {"module": "yard.dll", "module_offset": "0x0010", "offset": "0x7ff8a0000010"}
SOURCE = {"file": "/builds/yard/gate.cc", "line": 12}
UNLOADED = {"unloaded_modules": [{"module": "aqua.dll", "offsets": ["0x00010", "0x90"]}]}


@pytest.mark.parametrize(
    ("frame", "normalized"),
    [
        ({"function": "acme::f(int)", **SOURCE, **MODULE, **UNLOADED}, "acme::f"),
        ({**SOURCE, **MODULE, **UNLOADED}, "gate.cc#12"),
        ({**MODULE, **UNLOADED}, "yard.dll@0x10"),
        ({**UNLOADED, "offset": "0x7ff8"}, "(unloaded aqua.dll@0x10)"),
        ({"offset": "0x00000000deadbeef"}, "@0xdeadbeef"),
        ({}, ""),
    ],
)
def test_a_frame_is_named_by_the_first_of_these_that_is_known(frame, normalized):
    assert normalize_frame(frame) == normalized


@pytest.mark.parametrize(
    "frame",
    [
        {"file": "/builds/gate.cc", **MODULE},
        {"line": 12, **MODULE},
        {"file": "/builds/gate.cc", "line": None, **MODULE},
        {"file": "/builds/gate.cc", "line": 0, **MODULE},
        {"file": "/builds/gate.cc", "line": True, **MODULE},
        {"file": "/builds/gate.cc", "line": "x\n", **MODULE},
        {"file": "/builds/gate.cc", "line": "9" * 5000, **MODULE},
        {"file": "///", "line": 1, **MODULE},
        {"file": " \u200b", "line": 1, **MODULE},
        {"function": " \t\x07", **MODULE},
        {"function": "()", **MODULE},
        {"function": 7, "file": [], "line": {}, **MODULE},
    ],
)
def test_an_empty_name_is_unknown(frame):
    assert normalize_frame(frame) == "yard.dll@0x10"


@pytest.mark.parametrize(
    ("frame", "normalized"),
    [
        ({"module": "yard.dll"}, "yard.dll"),
        ({"module": "yard.dll", "module_offset": None}, "yard.dll"),
        ({"module": "yard.dll", "module_offset": "None"}, "yard.dll"),
        ({"module": "yard.dll", "module_offset": "0x" + "f" * 99}, "yard.dll"),
        ({"module": "yard.dll", "module_offset": "0X0001F"}, "yard.dll@0x1f"),
        ({"module": "yard.dll", "module_offset": "0x0000"}, "yard.dll@0x0"),
        ({"module": "[vdso]", "module_offset": "0x9"}, "vdso@0x9"),
        ({"module": "[heap] (deleted)", "module_offset": "0x9"}, "heap@0x9"),
        ({"module": " lib\x00yard\n.so  (deleted)", "module_offset": "0x9"}, "libyard .so@0x9"),
        ({"module": "", "offset": "0x1"}, "@0x1"),
        ({"unloaded_modules": [{"module": "aqua.dll"}]}, "(unloaded aqua.dll)"),
        ({"unloaded_modules": [{"module": "aqua.dll", "offsets": []}]}, "(unloaded aqua.dll)"),
        ({"unloaded_modules": [{"module": None}, 7, {"module": "b.dll", "offsets": ["0x2"]}]}, "(unloaded b.dll@0x2)"),
        (
            {"unloaded_modules": [{"module": "C:\\Ferry (x86)\\aqua.dll", "offsets": ["0x2"]}]},
            "(unloaded aqua.dll@0x2)",
        ),
        ({"unloaded_modules": [{"module": "/ferry/libaqua.so (deleted)"}]}, "(unloaded libaqua.so)"),
        ({"unloaded_modules": [{"module": "C:\\"}, {"module": "b.dll"}]}, "(unloaded b.dll)"),
        ({"unloaded_modules": [], "offset": "0x1"}, "@0x1"),
        ({"unloaded_modules": "aqua.dll", "offset": "0x1"}, "@0x1"),
        ({"offset": None}, ""),
    ],
)
def test_a_module_is_shown_with_its_offset_and_without_meaningless_parts(frame, normalized):
    assert normalize_frame(frame) == normalized


@pytest.mark.parametrize(
    ("file", "normalized"),
    [
        ("hg:hg.harbor.org/crane:yard/src/Gate.h:0f7c21d94be6", "Gate.h#7"),
        ("git:github.com/harbor/crane:yard/gate.cc:9e8d7c6b5a4f", "gate.cc#7"),
        ("s3:harbor-sources:5b1e77c0a9/yard/PGate.cpp:", "PGate.cpp#7"),
        ("git:three:parts", "git:three:parts#7"),
        ("C:\\agent/_work\\yard/Gate.cpp", "Gate.cpp#7"),
        ("/builds/yard/gate.c/", "gate.c#7"),
        ("gate.c", "gate.c#7"),
    ],
)
def test_a_file_is_the_last_part_of_its_path(file, normalized):
    assert normalize_frame({"file": file, "line": 7}) == normalized


@pytest.mark.parametrize(
    "function",
    [
        "<unknown in aqua.dll>",
        "<.plt ELF section in libaqua.so.4>",
        "<.plt.sec ELF section in /usr/lib/my lib.so>",
        " <name omitted> ",
    ],
)
def test_a_placeholder_is_not_a_function(function):
    assert normalize_frame({"function": function, **MODULE}) == "yard.dll@0x10"
    assert normalize_frame({"function": function, **SOURCE, **MODULE}) == "gate.cc#12"


def test_a_placeholder_names_the_module_if_the_frame_does_not():
    assert normalize_frame({"function": "<unknown in aqua.dll>", "module_offset": "0x02"}) == "aqua.dll@0x2"
    assert normalize_frame({"function": "<unknown in aqua.dll>", **UNLOADED, "offset": "0x1"}) == "aqua.dll"
    assert normalize_frame({"function": "<name omitted>", "offset": "0x1"}) == "@0x1"


@pytest.mark.parametrize(
    ("function", "normalized"),
    [
        ("  acme::Shop::close( int,\r\n\tchar )  ", "acme::Shop::close"),
        ("acme::Sh\x07op::\u202eclose(int)", "acme::Shop::close"),
        ("a\u00a0 \u3000b\u2028c", "a b c"),
        ("a \u200b b", "a b"),
        ("\ufeffacme::\u00adf\ud800\ufe0f\U000e0041", "acme::f"),
        ("acme::Größe::測る::измерить::मापें", "acme::Größe::測る::измерить::मापें"),
    ],
)
def test_white_space_becomes_one_space_and_invisible_characters_are_dropped(function, normalized):
    assert normalize_frame({"function": function}) == normalized


def test_the_steps_begin_with_the_frame_and_end_with_its_normal_form():
    frame = {"function": " virtual thunk to acme::Tree<int>::prune(int , char) [clone .cold] ", **MODULE}
    steps = explain_frame(frame)
    assert [step.name for step in steps] == [
        "function",
        "one line, nothing invisible",
        "without suffixes",
        "function of the thunk",
        "read as a declaration",
    ]
    assert steps[0].text == frame["function"]
    assert steps[2].text == "virtual thunk to acme::Tree<int>::prune(int , char)"
    assert steps[-1].text == normalize_frame(frame) == "acme::Tree<T>::prune"


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        ({"function": "main"}, ["function"]),
        (
            {"function": "<name omitted>", **MODULE},
            ["function", "a placeholder is not a function", "module and offset"],
        ),
        ({"function": "()", **SOURCE}, ["function", "read as a declaration", "file and line"]),
        (UNLOADED, ["unloaded module and offset"]),
        ({"offset": "0x1"}, ["address"]),
        ({}, []),
    ],
)
def test_only_changes_are_steps(frame, names):
    steps = explain_frame(frame)
    assert [step.name for step in steps] == names
    assert (steps[-1].text if steps else "") == normalize_frame(frame)
