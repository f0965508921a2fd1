"""A hostile dump costs socorro-stackwalk no more than a crash may, and it reports what it bounded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from socorro_processor.stackwalk.comparison import OWN_KEY
from tests import hostile_dumps
from tests.equality.walks import comparable
from tests.hostile_dumps import DEBUG_ID, KINDS, SYMBOLS
from tests.own_walk import Walk, walk
from tests.shared import own_stackwalker, shared

MEMORY = 100_000_000
CPU_SECONDS = 2.0
OUTPUT = 16 << 20


@pytest.fixture(scope="session")
def program() -> Path:
    return own_stackwalker()


def assert_within_bounds(walked: Walk, named: tuple[str, ...]) -> None:
    assert walked.exit_code == 0, walked.stderr
    assert walked.memory < MEMORY
    assert walked.cpu < CPU_SECONDS
    assert len(walked.stdout) < OUTPUT
    printed = walked.json
    assert printed["status"] == "OK"
    assert set(named) <= set(walked.bounded)
    number = printed["crash_info"]["crashing_thread"]
    assert printed["crashing_thread"]["threads_index"] == number
    assert printed["crashing_thread"]["frames"]
    assert printed["threads"][number]["thread_id"] == printed["crashing_thread"]["thread_id"]


@pytest.mark.parametrize("order", "<>", ids=["little", "big"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_hostile_dump_costs_no_more_than_a_crash_may(
    program: Path, kind: Callable[[str], bytes], order: str, tmp_path: Path
) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(kind(order))
    assert_within_bounds(walk(program, dump), KINDS[kind])


@pytest.mark.parametrize("kind", SYMBOLS, ids=lambda kind: kind.__name__)
def test_a_hostile_symbol_file_costs_no_more_than_a_crash_may(
    program: Path, kind: Callable[[], bytes], tmp_path: Path
) -> None:
    dump, symbols = tmp_path / "dump", tmp_path / "symbols" / "app" / DEBUG_ID / "app.sym"
    dump.write_bytes(hostile_dumps.crash_with_symbols())
    symbols.parent.mkdir(parents=True)
    symbols.write_bytes(kind())
    walked = walk(program, dump, ["--symbols-path", tmp_path / "symbols"])
    assert_within_bounds(walked, SYMBOLS[kind])


def test_hostile_certificates_cost_no_more_than_a_crash_may(program: Path, tmp_path: Path) -> None:
    dump, annotations = tmp_path / "dump", tmp_path / "annotations"
    dump.write_bytes(hostile_dumps.many_threads(threads=1))
    annotations.write_bytes(hostile_dumps.certificates())
    walked = walk(program, dump, ["--evil-json", annotations])
    assert_within_bounds(walked, ("certified_modules",))
    assert walked.json["modules_contains_cert_info"]


def test_a_bound_says_the_number_that_was_there(program: Path, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(hostile_dumps.many_threads())
    walked = walk(program, dump)
    assert walked.bounded["threads"] == 100_000
    assert walked.json["crashing_thread"]["thread_id"] == 99_990
    dump.write_bytes(hostile_dumps.deep_stack())
    assert walk(program, dump).bounded == {"frames": 170_000}


def test_threads_beyond_the_bound_of_frames_have_one_frame_and_say_so(program: Path, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(hostile_dumps.many_threads(threads=4_000, frames=100, crashed=2))
    walked = walk(program, dump)
    threads = walked.json["threads"]
    assert len(threads) == 4_000
    assert len(threads[0]["frames"]) == 100
    assert "truncated" not in threads[0]
    cut = [thread for thread in threads if thread.get("truncated")]
    assert cut[-1] == threads[-1]
    assert threads[-1]["frame_count"] == len(threads[-1]["frames"]) == 1
    assert walked.bounded["unfinished_stacks"] == sum(thread["frame_count"] == 1 for thread in threads)


def test_modules_only_of_cut_frames_are_listed_under_the_own_key(program: Path, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    writer = hostile_dumps.Writer()
    names = ("app", "/usr/lib/libz.so", "/usr/lib/libmiddle.so")
    bases = (0x400000, 0x500000, 0x600000)
    records = [writer.module(base, writer.put_name(name)) for base, name in zip(bases, names, strict=True)]
    writer.records(4, records)
    middle = {500: 0x600010, 510: 0x500010, 520: 0x400010}
    stack = writer.chain(1_000, lambda frame: middle.get(frame, 0x400010))
    writer.records(3, [writer.thread(1, (len(stack), writer.put(stack)), writer.context())])
    writer.exception(1)
    dump.write_bytes(writer.finish())
    own = walk(program, dump).json[OWN_KEY]
    assert own["modules_in_cut_frames"] == ["libmiddle.so", "libz.so"]


def test_a_name_is_cut_between_characters(program: Path, tmp_path: Path) -> None:
    """Letters of two units; the bound would split one of them."""
    dump = tmp_path / "dump"
    writer = hostile_dumps.Writer()
    writer.records(4, [writer.module(0x400000, writer.put_name("x" + "\N{GRINNING FACE}" * 5_000))])
    dump.write_bytes(writer.finish())
    walked = walk(program, dump)
    [module] = walked.json["modules"]
    assert set(module["filename"]) == {"x", "\N{GRINNING FACE}"}
    assert walked.bounded["names"] == 20_002


@pytest.mark.parametrize("order", "<>", ids=["little", "big"])
def test_a_dump_that_was_cut_off_gives_what_the_reference_gives(program: Path, order: str, tmp_path: Path) -> None:
    """Bytes after the end of the file must not be taken for a place beyond it."""
    whole = hostile_dumps.many_threads(order, threads=2, frames=5, crashed=2)
    dump = tmp_path / "dump"
    for end in range(0, len(whole), 61):
        dump.write_bytes(whole[:end])
        assert_equal_to_reference(program, dump)


ANNOTATIONS = [
    {},
    {"CPUMicrocodeVersion": "0x2a", "ModuleSignatureInfo": '{"Signer": ["app", "gone.dll"], "Other": ["none"]}'},
    {"CPUMicrocodeVersion": 5, "ModuleSignatureInfo": {"Signer": ["app", "gone.dll"], "None": []}},
    {"CPUMicrocodeVersion": "2a", "ModuleSignatureInfo": {"Signer": ["app", 1]}},
    {"CPUMicrocodeVersion": "0xfg", "ModuleSignatureInfo": {"Signer": "app"}},
    {"ModuleSignatureInfo": '{"Signer": ["app"]} {}'},
    {"ModuleSignatureInfo": ["app"], "Deep": [[{"a": 1.5}, None, True, -1]]},
    {"ModuleSignatureInfo": "{}"},
]


@pytest.mark.parametrize("annotations", [*map(json.dumps, ANNOTATIONS), "[]", "{", '{"CPUMicrocodeVersion": "0x1"} 2'])
def test_annotations_count_as_they_do_for_the_reference(program: Path, annotations: str, tmp_path: Path) -> None:
    dump, file = tmp_path / "dump", tmp_path / "annotations"
    dump.write_bytes(hostile_dumps.many_threads(threads=1))
    file.write_text(annotations)
    assert_equal_to_reference(program, dump, "--evil-json", file)


def samples() -> list[Path]:
    found = (shared("crashes").glob("*/*.dmp"), shared("hostile").iterdir(), shared("field").glob("dumps/*.dmp"))
    return sorted(path for paths in found for path in paths)


@pytest.mark.parametrize("with_symbols", [False, True], ids=["bare", "symbols"])
def test_a_dump_within_the_bounds_gives_what_the_reference_gives(program: Path, with_symbols: bool) -> None:
    options = ["--symbols-path", shared("symbols")] if with_symbols else []
    for dump in samples():
        annotations = dump.parent / "raw_crash.json"
        assert_equal_to_reference(program, dump, *options, *(["--evil-json", annotations] * annotations.exists()))


def assert_equal_to_reference(program: Path, dump: Path, *options: str | Path) -> None:
    own, reference = walk(program, dump, options), walk(program, dump, ["--reference", *options])
    assert (own.exit_code, own.stderr) == (reference.exit_code, reference.stderr), dump
    if own.exit_code == 0:
        assert comparable(own.json) == comparable(reference.json), dump
        assert not set(own.bounded) - {"frames"}, dump
