"""Stackwalks with slices, by the rule: the same result, and the full files wherever something is wrong."""

import json
import logging
import os
import shutil
import threading
import uuid
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.metrics import METRICS
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.breakpad import BreakpadStackwalkerRule2015
from socorro_processor.symbols.memory_directory import IN_MEMORY, MemoryDirectory
from socorro_processor.symbols.slicer import Slicer, Slices
from socorro_processor.symbols.slicing import FEW
from tests.shared import SAMPLES, stackwalker
from tests.system.daemon import eventually
from tests.unit.stackwalk.deep_minidump import minidump_of_a_deep_stack

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"


@pytest.fixture
def rule(tmp_path):
    """Makes rules over a store of symbols of the test's own."""
    shutil.copytree(SAMPLES / "symbols", tmp_path / "symbols")
    rules = []

    def make(**options):
        options = {"symbols_path": str(tmp_path / "symbols"), "command_pathname": str(stackwalker()), **options}
        rules.append(
            BreakpadStackwalkerRule2015(defaults(BreakpadStackwalkerRule2015, **({"slicing": True} | options)))
        )
        return rules[-1]

    yield make
    for each in rules:
        each.close()


def walked(rule, directory, dump=DUMP):
    crash = Crash("an id", {}, {"upload_file_minidump": dump}, temporary_directory=directory)
    rule.action(crash)
    json_dump = dict(crash.processed["json_dump"])
    json_dump.pop("proc_limits", None)  # in another order each time
    return json_dump


def indexed(rule, directory):
    """The rule, with an index of all that the dump needs."""
    walked(rule, directory)
    rule._sliced.wait_for_indexes()
    return rule


class Counts:
    """What was counted since it was made."""

    def __init__(self):
        self._before = METRICS.snapshot()

    def __call__(self, name, **labels):
        return METRICS.snapshot().counter(name, **labels) - self._before.counter(name, **labels)


def test_the_first_walk_is_in_full_and_from_then_on_slices_are_used(rule, tmp_path):
    expected = walked(rule(slicing=False), tmp_path)
    sliced, counts = rule(), Counts()
    assert walked(sliced, tmp_path) == expected
    assert (counts("slicing.files_sliced"), counts("slicing.files_whole")) == (0, 3)
    sliced._sliced.wait_for_indexes()
    assert counts("symbols.indexed") == 3
    counts = Counts()
    assert walked(sliced, tmp_path) == expected
    assert (counts("slicing.files_sliced"), counts("slicing.files_whole")) == (3, 0)


@pytest.mark.parametrize("damage", ["cut", "flipped", "removed"])
def test_a_damaged_index_is_built_anew_and_no_walk_suffers(rule, tmp_path, damage):
    expected = walked(indexed(rule(), tmp_path), tmp_path)
    for index in (tmp_path / "symbols.index").rglob("*.index"):
        data = index.read_bytes()
        match damage:
            case "cut":
                index.write_bytes(data[: len(data) // 2])
            case "flipped":
                index.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            case "removed":
                index.unlink()
    again, counts = rule(), Counts()
    assert walked(again, tmp_path) == expected
    again._sliced.wait_for_indexes()
    assert walked(again, tmp_path) == expected
    assert (counts("slicing.files_whole"), counts("slicing.files_sliced")) == (3, 3)


def test_a_symbol_file_that_changed_is_not_sliced_by_its_old_index(rule, tmp_path):
    sliced = indexed(rule(), tmp_path)
    (path,) = (tmp_path / "symbols" / "lightbox").rglob("*.sym")
    path.write_bytes(path.read_bytes().replace(b"FUNC ", b"FUNC m "))
    counts = Counts()
    assert walked(sliced, tmp_path) == walked(rule(slicing=False), tmp_path)
    assert (counts("slicing.files_whole"), counts("slicing.files_sliced")) == (1, 2)


def test_a_corrupt_symbol_file_is_still_called_corrupt(rule, tmp_path):
    (path,) = (tmp_path / "symbols" / "lightbox").rglob("*.sym")
    path.write_bytes(path.read_bytes() + b"no record\n")
    sliced = indexed(rule(), tmp_path)
    assert walked(sliced, tmp_path) == walked(rule(slicing=False), tmp_path)
    assert "corrupt_symbols" in str(walked(sliced, tmp_path))


def signers(rule, directory, signatures):
    """Who signed each module, after a walk with this annotation."""
    raw = {"ModuleSignatureInfo": signatures, "Comments": "\ud800", "Number": float("nan")}
    crash = Crash("an id", raw, {"upload_file_minidump": DUMP}, temporary_directory=directory)
    rule.action(crash)
    return {module["filename"]: module["cert_subject"] for module in crash.processed["json_dump"]["modules"]}


@pytest.mark.parametrize("form", [json.dumps, dict], ids=["as text", "as an object"])
def test_who_signed_a_module_is_in_a_walk_with_slices_too(rule, tmp_path, form):
    signatures = {"Lightbox Ltd": ["lightbox"], "GNU": ["libc.so.6"]}
    sliced = indexed(rule(), tmp_path)
    counts = Counts()
    said = signers(sliced, tmp_path, form(signatures))
    assert (said["lightbox"], said["libc.so.6"], said["liblightbox_photos.so"]) == ("Lightbox Ltd", "GNU", None)
    assert said == signers(rule(slicing=False), tmp_path, form(signatures))
    assert (counts("slicing.sliced"), counts("slicing.files_sliced")) == (1, 3)


@pytest.mark.parametrize("signatures", [None, "no JSON", [], {"a": 1}, "[" * 100_000])
def test_what_says_nothing_of_signers_costs_no_walk(rule, tmp_path, signatures):
    said = signers(rule(slicing=False), tmp_path, signatures)
    assert "lightbox" in said
    assert set(said.values()) == {None}


def test_of_a_module_with_several_signers_any_one_is_no_difference_of_slices(rule, tmp_path, caplog):
    sliced, counts = indexed(rule(verify_slices=1.0), tmp_path), Counts()
    for _ in range(5):
        signers(sliced, tmp_path, {f"signer {number}": ["lightbox"] for number in range(9)})
    assert (counts("slicing.verified"), counts("slicing.differences")) == (5, 0)


def test_a_frame_that_was_no_candidate_leads_to_the_full_files(rule, tmp_path, monkeypatch):
    sliced, counts = indexed(rule(), tmp_path), Counts()
    monkeypatch.setattr(Slices, "hold_all_of", lambda slices, json_dump: False)
    assert walked(sliced, tmp_path) == walked(rule(slicing=False), tmp_path)
    assert counts("slicing.full", reason="check") == 1


def test_a_stack_that_was_cut_as_it_was_printed_leads_to_the_full_files(rule, tmp_path):
    functions = "".join(f"FUNC {0x100 * number:x} 100 0 recursion_{number}\n" for number in range(1, 4000))
    path = tmp_path / "symbols/lib0.so/0403020106050807090A0B0C0D0E0F000/lib0.so.sym"
    path.parent.mkdir(parents=True)
    path.write_text(f"MODULE Linux x86_64 {path.parent.name} lib0.so\n{functions}")
    (tmp_path / "deep").write_bytes(minidump_of_a_deep_stack(frames=3000))
    sliced = indexed(rule(output_limit="400k"), tmp_path)
    walked(sliced, tmp_path, tmp_path / "deep")
    sliced._sliced.wait_for_indexes()
    counts = Counts()
    json_dump = walked(sliced, tmp_path, tmp_path / "deep")
    assert counts("slicing.full", reason="check") == 1
    assert json_dump == walked(rule(slicing=False, output_limit="400k"), tmp_path, tmp_path / "deep")
    assert json_dump["threads"][0]["frames"][0]["function"] == "recursion_1"
    assert len(json_dump["threads"][0]["frames"]) == 501


def test_a_slice_is_written_to_its_end_where_the_system_writes_but_a_part_of_it(rule, tmp_path, monkeypatch):
    expected, sliced, counts = walked(rule(slicing=False), tmp_path), indexed(rule(), tmp_path), Counts()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))
    assert walked(sliced, tmp_path) == expected
    assert counts("slicing.sliced") == 1


def test_in_a_sandbox_no_symbol_file_is_linked_for_it_may_hide_what_the_link_leads_to(rule, tmp_path):
    expected = walked(rule(slicing=False), tmp_path)
    sandboxed, counts = rule(sandbox="env"), Counts()
    assert walked(sandboxed, tmp_path) == expected
    assert counts("slicing.full", reason="sandbox") == 1
    sandboxed._sliced.wait_for_indexes()
    assert walked(sandboxed, tmp_path) == expected
    assert counts("slicing.sliced") == 1


def test_slices_that_a_sandbox_hides_lead_to_the_full_files(rule, tmp_path):
    hides_slices = tmp_path / "hide"
    hides_slices.write_text(
        '#!/bin/sh\nfor each; do shift; case "$each" in */slices-*) each=/nowhere;; esac; set -- "$@" "$each"; done\n'
        'exec "$@"\n'
    )
    hides_slices.chmod(0o755)
    expected = walked(rule(slicing=False), tmp_path)
    sandboxed = indexed(rule(sandbox=str(hides_slices)), tmp_path)
    counts = Counts()
    assert walked(sandboxed, tmp_path) == expected
    assert counts("slicing.full", reason="hidden") == 1


def test_whatever_fails_in_slicing_costs_no_crash(rule, tmp_path, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    sliced, counts = indexed(rule(), tmp_path), Counts()
    monkeypatch.setattr("socorro_processor.symbols.slicer.Slicer.slice", fail)
    assert walked(sliced, tmp_path) == walked(rule(slicing=False), tmp_path)
    assert (counts("slicing.full", reason="slicing"), counts("slicing.failed")) == (1, 1)


def test_without_a_thread_for_them_indexes_wait_for_the_next_walk(rule, tmp_path, monkeypatch):
    def no_thread(_):
        raise RuntimeError("can't start new thread")

    expected = walked(rule(slicing=False), tmp_path)
    sliced, counts = rule(), Counts()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        assert walked(sliced, tmp_path) == expected
    assert walked(sliced, tmp_path) == expected
    sliced._sliced.wait_for_indexes()
    assert counts("symbols.indexed") == 3


def test_a_dump_that_is_none_is_walked_in_full(rule, tmp_path):
    (tmp_path / "dump").write_bytes(b"no minidump")
    counts = Counts()
    walked(rule(), tmp_path, tmp_path / "dump")
    assert counts("slicing.full", reason="slicing") == 1


def test_with_a_stackwalker_that_is_not_known_slicing_is_off_and_says_so(rule, tmp_path, caplog):
    program = tmp_path / "other"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo minidump-stackwalk 9.9.9 && exit\nexec {stackwalker()} "$@"\n'
    )
    program.chmod(0o755)
    counts = Counts()
    with caplog.at_level(logging.WARNING):
        other = rule(command_pathname=str(program))
        walked(other, tmp_path)
        assert walked(other, tmp_path)
    assert counts("slicing.full", reason="stackwalker") == 2
    assert [record.message for record in caplog.records if "9.9.9" in record.message].__len__() == 1


def test_a_stackwalker_that_hangs_when_asked_for_its_version_is_found_by_the_mark_of_its_crash(rule, tmp_path):
    program = tmp_path / "other"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "$SOCORRO_CRASH_DIRECTORY" > {tmp_path}/mark\n'
        f'exec {stackwalker()} "$@"\n'
    )
    program.chmod(0o755)
    walked(rule(command_pathname=str(program)), tmp_path)
    assert (tmp_path / "mark").read_text() == f"{tmp_path}\n"


def test_a_stackwalker_that_does_not_say_its_version_for_once_is_asked_again(rule, tmp_path):
    program = tmp_path / "other"
    program.write_text(
        f'#!/bin/sh\n[ -e {tmp_path}/broken ] && [ "$1" = --version ] && cat {tmp_path}/broken && exit 1\n'
        f'exec {stackwalker()} "$@"\n'
    )
    program.chmod(0o755)
    (tmp_path / "broken").write_text("cannot allocate memory")
    other, counts = rule(command_pathname=str(program)), Counts()
    walked(other, tmp_path)
    assert counts("slicing.full", reason="stackwalker") == 1
    (tmp_path / "broken").unlink()
    walked(other, tmp_path)
    assert counts("slicing.sliced") == 1


@pytest.mark.parametrize(
    "options",
    [
        {"slicing": False},
        {"public_symbols_url": "https://symbols.example"},
        {"command_line": "{command_pathname} --json {dump_file_pathname}"},
        {"command_line": "{command_pathname} --json {dump_file_pathname} {symbols_path}"},
        {"command_line": "{command_pathname} --json --symbols-path /fixed {dump_file_pathname}"},
    ],
)
def test_where_slices_cannot_take_the_place_of_all_symbols_there_are_none(rule, options):
    assert rule(**options)._sliced is None


def test_a_share_of_the_crashes_is_walked_both_ways(rule, tmp_path, monkeypatch, caplog):
    sliced, counts = indexed(rule(verify_slices=1.0), tmp_path), Counts()
    assert walked(sliced, tmp_path) == walked(rule(slicing=False), tmp_path)
    assert (counts("slicing.verified"), counts("slicing.differences")) == (1, 0)
    monkeypatch.setattr("socorro_processor.symbols.slicer.slice_of", lambda *_: b"INFO nothing\n")
    assert walked(sliced, tmp_path) == walked(rule(slicing=False), tmp_path)
    assert counts("slicing.differences") == 1
    assert "differs" in caplog.text


@pytest.mark.parametrize("trouble", ["exit 1", "rm -r {symbols}"], ids=["it fails", "symbols go meanwhile"])
def test_a_walk_in_full_that_says_nothing_of_the_slices_takes_no_stack_away(rule, tmp_path, trouble, caplog):
    expected = walked(rule(slicing=False), tmp_path)
    program = tmp_path / "walker"
    trouble = trouble.format(symbols=tmp_path / "symbols")
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *{tmp_path}/symbols*) [ -e {tmp_path}/trouble ] && {trouble};; esac\n'
        f'exec {stackwalker()} "$@"\n'
    )
    program.chmod(0o755)
    sliced, counts = indexed(rule(verify_slices=1.0, command_pathname=str(program)), tmp_path), Counts()
    (tmp_path / "trouble").touch()
    assert walked(sliced, tmp_path) == expected
    assert (counts("slicing.verified"), counts("slicing.differences"), counts("slicing.sliced")) == (0, 0, 1)
    assert "differs" not in caplog.text


@pytest.mark.parametrize("sandbox", ["", "env"])
def test_after_a_few_walks_a_process_makes_the_slices(rule, tmp_path, sandbox, monkeypatch):
    expected = walked(rule(slicing=False), tmp_path)
    sliced, counts = indexed(rule(sandbox=sandbox), tmp_path), Counts()
    for _ in range(FEW):
        walked(sliced, tmp_path)
    (process,) = sliced._sliced._slicing._processes
    eventually(process.has_said_something)
    monkeypatch.setattr(Slicer, "attempt", None)
    directory = tmp_path / "crash"
    directory.mkdir()
    assert walked(sliced, directory) == expected
    assert counts("slicing.sliced") == FEW + 1
    slices = directory if sandbox else sliced._sliced._memory.path
    eventually(lambda: list(slices.iterdir()) == [])


def test_nothing_is_left_of_slices(rule, tmp_path):
    sliced = indexed(rule(), tmp_path)
    walked(sliced, tmp_path)
    directory = sliced._sliced._memory.path
    assert list(directory.iterdir()) == []
    sliced.close()
    assert not directory.exists()


def test_what_a_killed_process_left_in_memory_is_removed_at_the_start(rule):
    directory = IN_MEMORY / f"socorro-slices-{os.getuid()}" / f"1-{uuid.uuid4()}"
    (directory / "slice").mkdir(parents=True)
    made = rule()
    assert directory.exists()
    made.clean_up()
    assert not directory.exists()


def test_what_a_killed_process_left_in_memory_is_removed_by_the_next_one(tmp_path):
    (tmp_path / "1-abandoned" / "slice").mkdir(parents=True)
    first = MemoryDirectory(tmp_path)
    second = MemoryDirectory(tmp_path)
    assert {path.name for path in Path(tmp_path).iterdir()} == {first.path.name, second.path.name}
    first.close()
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_symbol_files_that_are_smaller_than_the_dump_are_used_in_full(rule, tmp_path):
    with (tmp_path / "large").open("wb") as large:
        large.write(DUMP.read_bytes())
        large.truncate(1 << 20)
    sliced, counts = indexed(rule(), tmp_path), Counts()
    assert walked(sliced, tmp_path, tmp_path / "large") == walked(rule(slicing=False), tmp_path)
    assert counts("slicing.full", reason="small") == 1


def test_where_indexes_cannot_be_written_the_full_files_are_used_and_one_message_says_so(rule, tmp_path, caplog):
    (tmp_path / "symbols.index").write_text("no directory")
    counts = Counts()
    assert walked(indexed(rule(), tmp_path), tmp_path) == walked(rule(slicing=False), tmp_path)
    assert counts("symbols.index_failed") == 3
    assert caplog.text.count("set symbol_index_path") == 1


def test_only_a_walk_with_slices_asks_for_huge_pages(rule, tmp_path):
    seen = tmp_path / "seen"
    program = tmp_path / "spy"
    program.write_text(f'#!/bin/sh\necho "$GLIBC_TUNABLES" >> {seen}\nexec {stackwalker()} "$@"\n')
    program.chmod(0o755)
    sliced = indexed(rule(command_pathname=str(program)), tmp_path)
    seen.write_text("")
    walked(sliced, tmp_path)
    walked(rule(command_pathname=str(program), slicing=False), tmp_path)
    assert [line[:21] for line in seen.read_text().split("\n")[:2]] == ["glibc.malloc.hugetlb=", ""]
