"""``socorro signature`` and ``socorro siglists``."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import ConfigurationError
from socorro_processor.signature.siglists import (
    FILES,
    IRRELEVANT,
    PREFIX,
    SENTINELS,
    TRIM_DLL,
    SigLists,
    default_directory,
)

CRASH_ID = "0bba61c5-dfc3-43e7-dead-8afd20161123"
OF_2026 = "--processor.processor_class=socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026"
OF_2015 = "--processor.processor_class=socorro_processor.pipeline.mozilla_2015.MozillaProcessorAlgorithm2015"


@pytest.fixture
def lists(tmp_path):
    directory = tmp_path / "siglists"
    directory.mkdir()
    for name in FILES:
        (directory / name).write_text("")
    (directory / PREFIX).write_text("abort\n")
    return directory


def processed(*functions: str, **more: object) -> dict[str, object]:
    frames = [{"function": function, "normalized": "of then"} for function in functions]
    json_dump = {"threads": [{"frames": frames}], "crash_info": {"crashing_thread": 0}}
    return {"uuid": CRASH_ID, "signature": "of then", "json_dump": json_dump} | more


@pytest.fixture
def run(tmp_path, lists):
    def run(*arguments: str) -> int:
        options = {
            "resource.signature.siglists_directory": lists,
            "source.root": tmp_path / "crashes",
            "destination.root": tmp_path / "crashes",
        }
        return main([*arguments, *(f"--{key}={value}" for key, value in options.items())], environ={})

    return run


@pytest.fixture
def crash_file(tmp_path):
    def crash_file(content: object) -> str:
        path = tmp_path / "crash.json"
        path.write_text(json.dumps(content))
        return str(path)

    return crash_file


def test_a_crash_in_a_file_is_signed_by_the_current_lists(run, crash_file, capsys):
    assert run("signature", crash_file(processed("abort", "load", "main"))) == 0
    assert capsys.readouterr().out == f"{CRASH_ID} abort | load\n"


def test_the_explanation_says_why(run, crash_file, capsys):
    assert run("signature", "--explain", crash_file(processed("abort", "load", "main"))) == 0
    out = capsys.readouterr().out
    assert "before: of then" in out
    assert "ends with frame 1, the first that is not a prefix" in out
    assert f"{PREFIX}, line 1: abort" in out


def test_each_frame_is_beside_its_normal_form(run, crash_file, capsys):
    placeholder = "<.plt ELF section in app>"
    crash = processed("a<b<int> >::c(int,char *)", placeholder, "main")
    crash["json_dump"]["threads"][0]["frames"][1] |= {"module": "app", "module_offset": "0x10"}
    crash["json_dump"]["threads"][0]["frames"].append({"module": "libc.so.6", "module_offset": "0x27249"})
    beside = [
        ("a<b<int> >::c(int,char *)", "a<T>::c(int, char*)"),
        (placeholder, "app@0x10"),
        ("main", "main"),
        ("libc.so.6 + 0x27249", "libc.so.6@0x27249"),
    ]

    assert run("signature", "--explain", OF_2015, crash_file(crash)) == 0
    lines = capsys.readouterr().out.splitlines()
    for frame, normal_form in beside:
        assert any(re.search(rf"{re.escape(frame)} +{re.escape(normal_form)}$", line) for line in lines), frame

    run("signature", "--explain", "--json", OF_2015, crash_file(crash))
    frames = json.loads(capsys.readouterr().out)["explanation"]["frames"]
    assert [(frame["walked"], frame["normalized"]) for frame in frames] == beside


def test_programs_get_the_whole_explanation(run, crash_file, capsys):
    run("signature", "--explain", "--json", crash_file(processed("abort", "load")))
    printed = json.loads(capsys.readouterr().out)

    assert printed["signature"] == "abort | load"
    assert printed["stored_signature"] == "of then"
    assert [frame["part"] for frame in printed["explanation"]["frames"]] == ["prefix", "end"]
    assert printed["explanation"]["frames"][0]["entries"][0]["line"] == 1


def test_a_java_crash_has_no_frames_to_explain(run, crash_file, capsys):
    run("signature", "--explain", crash_file(processed("abort", java_stack_trace="a.B: c\n\tat d.E.f(E.java:1)")))

    assert capsys.readouterr().out.startswith(f"{CRASH_ID} a.B: at d.E.f(E.java)\n")


def test_a_watchdog_is_explained_by_the_thread_that_it_waited_for(run, crash_file, capsys):
    crash = processed("idle")
    crash["json_dump"]["threads"].append({"frames": [{"function": "x::RunWatchdog"}]})
    crash["json_dump"]["crash_info"]["crashing_thread"] = 1

    run("signature", "--explain", OF_2015, crash_file(crash))
    out = capsys.readouterr().out
    assert out.startswith(f"{CRASH_ID} shutdownhang | idle\n")
    assert "of the stack: idle" in out


def test_a_crash_of_the_stores_is_signed_with_its_annotations(run, tmp_path, capsys):
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "crashes")))
    store.save_raw_crash({"uuid": CRASH_ID, "OOMAllocationSize": "1"}, {}, CRASH_ID)
    store.save_processed(processed("load"))

    assert run("signature", CRASH_ID) == 0
    assert capsys.readouterr().out == f"{CRASH_ID} OOM | small\n"


@pytest.mark.parametrize("content", [[], "not a crash", {"uuid": 7, "json_dump": 7, "signature": 7}])
def test_an_input_that_is_not_a_crash_does_not_stop_the_others(content, run, crash_file, capsys):
    code = run("signature", crash_file(content), "/nowhere.json")

    assert code == 1
    assert "/nowhere.json" in capsys.readouterr().err


def test_good_lists_are_good(run, lists, capsys):
    assert run("siglists", "check") == 0
    assert str(lists) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("algorithm", "directory"),
    [("mozilla_2015.MozillaProcessorAlgorithm2015", "siglists"), ("algorithm_2026.ProcessorAlgorithm2026", "2026")],
)
def test_the_lists_to_check_are_those_of_the_algorithm_unless_others_are_named(algorithm, directory, capsys):
    named = f"--processor.processor_class=socorro_processor.pipeline.{algorithm}"
    assert main(["siglists", "check", named], environ={}) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert Path(line.partition(":")[0]).name == directory


@pytest.mark.parametrize(("line", "reason"), [("(", "not a regular expression"), ("x*", "matches every frame")])
def test_a_bad_entry_is_named_by_file_line_and_reason(line, reason, run, lists, capsys):
    (lists / PREFIX).write_text(f"abort\n{line}\n")

    assert run("siglists", "check", str(lists)) == 1
    err = capsys.readouterr().err
    assert f"{PREFIX}, line 2" in err
    assert reason in err


def test_every_mistake_of_every_list_is_named_in_one_run(run, lists, tmp_path, capsys):
    (lists / IRRELEVANT).write_bytes(b"\xef\xbb\xbfabort\r\n(\r\n\xff\r\nx*\r\n[\r\n")
    (lists / PREFIX).write_text("y*\nmalloc\n|\n")
    (lists / SENTINELS).write_bytes(b"good\n\xe4 # latin\n")
    (lists / TRIM_DLL).unlink()
    other = tmp_path / "other"
    shutil.copytree(lists, other)

    assert run("siglists", "check", str(lists), str(other)) == 1
    err = capsys.readouterr().err
    for directory in (lists, other):
        places = [
            *((IRRELEVANT, line) for line in (2, 3, 4, 5)),
            *((PREFIX, line) for line in (1, 3)),
            (SENTINELS, 2),
        ]
        for name, line in places:
            assert err.count(f"{directory / name}, line {line}: ") == 1
        assert err.count(f"cannot read signature list {directory / TRIM_DLL}: No such file or directory") == 1
    assert len(err.splitlines()) == 16
    assert err.count("not UTF-8 text") == 4
    with pytest.raises(ConfigurationError) as caught:
        SigLists.load(lists)
    assert len(str(caught.value).splitlines()) == 5


@pytest.mark.parametrize(("name", "reason"), [("nowhere", "No such file or directory"), ("file", "Not a directory")])
def test_missing_lists_are_bad(run, tmp_path, capsys, name, reason):
    (tmp_path / "file").touch()
    assert run("siglists", "check", str(tmp_path / name)) == 1
    assert capsys.readouterr().err == f"socorro: cannot read signature lists {tmp_path / name}: {reason}\n"


@pytest.mark.parametrize(
    ("algorithm", "entry", "is_dead"),
    [
        (OF_2015, "std::terminate()", False),
        (OF_2026, "std::terminate()", True),
        (OF_2015, "yard::Cache<int>::put", True),
        (OF_2026, "yard::Cache<int>::put", True),
        (OF_2026, "yard::Cache<T>::put", False),
    ],
)
def test_an_entry_that_can_match_no_frame_is_named_but_does_no_harm(algorithm, entry, is_dead, run, lists, capsys):
    (lists / SENTINELS).write_text(f"# a function\n{entry}\n")

    assert run("siglists", "check", algorithm) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{lists}: version ")
    told = f"socorro: {lists / SENTINELS}, line 2: {entry!r} matches no frame: in the normal form, {entry} becomes "
    assert printed.err.startswith(told) if is_dead else not printed.err


@pytest.mark.parametrize(
    ("algorithm", "own"), [(OF_2015, default_directory()), (OF_2026, default_directory() / "2026")]
)
def test_the_lists_of_the_algorithm_are_checked_if_none_are_named(algorithm, own, capsys):
    assert main(["siglists", "check", algorithm], environ={}) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [str(own)]


@pytest.mark.parametrize("algorithm", [OF_2015, OF_2026])
def test_the_projects_own_lists_are_checked_with_their_own_names(algorithm, capsys):
    directories = [str(default_directory()), str(default_directory() / "2026")]
    assert main(["siglists", "check", algorithm, *directories], environ={}) == 0
    assert capsys.readouterr().err == ""
