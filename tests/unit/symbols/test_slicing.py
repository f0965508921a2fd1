"""Where dumps are sliced: the same slices in a thread and in a process, and a process that is lost costs no more."""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest

from socorro_processor.metrics import METRICS
from socorro_processor.stackwalk.orphans import kill_orphans
from socorro_processor.symbols import slicing_process
from socorro_processor.symbols.address_search import AddressSearch
from socorro_processor.symbols.dump_file import NotUnderstood
from socorro_processor.symbols.index_store import IndexStore
from socorro_processor.symbols.minidump import read
from socorro_processor.symbols.searched_dumps import SearchedDumps
from socorro_processor.symbols.slicer import NotSliced, Slicer, Slices
from socorro_processor.symbols.slicing import FEW, PROCESSES, Slicing
from socorro_processor.symbols.slicing_process import ProcessKilled, SlicingProcess
from socorro_processor.symbols.wanted import needed_symbols
from tests.equality import equality
from tests.shared import SAMPLES, stackwalker
from tests.system.daemon import eventually

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"


@pytest.fixture(scope="module")
def indexes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("indexes")
    equality.index_all(str(stackwalker()), SAMPLES / "symbols", IndexStore(str(directory)))
    return IndexStore(str(directory))


@pytest.fixture(scope="module")
def version():
    return equality.version(str(stackwalker()))


@pytest.fixture
def stores():
    return [str(SAMPLES / "symbols")]


@pytest.fixture
def process(stores, indexes):
    process = SlicingProcess(stores, indexes)
    process.take_first_message()
    yield process
    process.close()


@pytest.fixture
def new_directory(tmp_path):
    """Makes empty ones."""
    numbers = iter(range(1000))

    def make():
        directory = tmp_path / f"slices{next(numbers)}"
        directory.mkdir()
        return str(directory)

    return make


def content(slices):
    return {
        str(path.relative_to(slices.directory)): path.read_bytes()
        for path in slices.directory.rglob("*")
        if path.is_file()
    }


def test_a_process_makes_the_slices_that_a_thread_makes(process, stores, indexes, new_directory, version):
    there, seconds = process.slice(DUMP, new_directory(), version)
    here, _ = Slicer(stores, indexes, version).attempt(DUMP, Path(new_directory()), SearchedDumps())
    assert content(there) == content(here)
    assert (there.candidates == here.candidates).all()
    for name in ("sliced", "whole", "size", "without_index", "modules"):
        assert getattr(there, name) == getattr(here, name), name
    assert there.sliced == 3
    assert 0 < seconds < 10


def test_a_process_says_which_files_have_no_index(stores, tmp_path, new_directory, version):
    process = SlicingProcess(stores, IndexStore(str(tmp_path / "none")))
    process.take_first_message()
    slices, _ = process.slice(DUMP, new_directory(), version)
    process.close()
    assert slices.whole == 3
    assert sorted(file.path for file in slices.without_index) == sorted((SAMPLES / "symbols").rglob("*.sym"))


def test_a_process_that_cannot_slice_a_dump_says_why_and_goes_on(process, tmp_path, new_directory, version):
    (tmp_path / "dump").write_bytes(b"no minidump")
    result, _ = process.slice(tmp_path / "dump", new_directory(), version)
    assert isinstance(result, NotSliced)
    assert (result.reason, result.failed) == ("slicing", False)
    assert "header" in result.why
    assert isinstance(process.slice(DUMP, new_directory(), version)[0], Slices)


def test_a_process_says_which_symbols_a_dump_needs(process, tmp_path, new_directory, version):
    assert process.needed(DUMP) == needed_symbols(read(DUMP))
    assert process.slice(DUMP, new_directory(), version)[0].sliced == 3
    (tmp_path / "dump").write_bytes(b"no minidump")
    with pytest.raises(NotUnderstood, match="header"):
        process.needed(tmp_path / "dump")
    assert process.needed(DUMP)


def test_slices_are_removed_with_their_directory(process, new_directory, version):
    slices, _ = process.slice(DUMP, new_directory(), version)
    slices.remove()
    eventually(lambda: not slices.directory.exists())


def test_what_a_process_did_not_get_to_remove_is_removed_without_it(process, new_directory, version):
    slices, _ = process.slice(DUMP, new_directory(), version)
    os.kill(process.pid, signal.SIGSTOP)
    slices.remove()
    assert slices.directory.exists()
    process.close(patience=0.0)
    assert not slices.directory.exists()


def test_slices_of_a_process_that_is_gone_can_be_removed(process, new_directory, version):
    slices, _ = process.slice(DUMP, new_directory(), version)
    process.close()
    slices.remove()
    assert not slices.directory.exists()


def test_a_process_outlives_the_signals_that_a_processor_gets(process, new_directory, version):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(process.pid, number)
    assert isinstance(process.slice(DUMP, new_directory(), version)[0], Slices)


def test_a_process_has_none_of_the_passwords(stores, indexes, monkeypatch):
    monkeypatch.setenv("SECRETS__POSTGRESQL__DATABASE_PASSWORD", "hidden")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    process = SlicingProcess(stores, indexes)
    process.take_first_message()
    environment = Path(f"/proc/{process.pid}/environ").read_text()
    process.close()
    assert "hidden" not in environment
    assert "MALLOC_ARENA_MAX=1" in environment


def test_a_process_that_is_frozen_when_its_processor_ends_is_found_by_the_next_one(
    stores, indexes, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "4711-abc"))
    process = SlicingProcess(stores, indexes)
    process.take_first_message()
    os.kill(process.pid, signal.SIGSTOP)
    assert kill_orphans("4711-abc") == 1
    process.close()


def test_a_process_without_memory_says_nothing_against_the_dump(process, new_directory, version):
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0])
    resource.prlimit(process.pid, resource.RLIMIT_AS, (pages * resource.getpagesize(), resource.RLIM_INFINITY))
    with pytest.raises(ProcessKilled, match="memory"):
        process.slice(DUMP, new_directory(), version)


def test_a_message_that_comes_in_pieces_is_read_to_its_end():
    here, there = socket.socketpair()
    here.settimeout(30)
    there.sendall(b"12345")
    threading.Timer(0.2, there.sendall, (b"678",)).start()
    assert slicing_process._read(here, 8) == b"12345678"
    there.close()
    with here, pytest.raises(EOFError):
        slicing_process._read(here, 1)


PROCESSOR = """
import sys, time
from pathlib import Path
from socorro_processor.symbols.index_store import IndexStore
from socorro_processor.symbols.slicing_process import SlicingProcess

store, indexes, dump, directory, version = sys.argv[1:]
process = SlicingProcess([store], IndexStore(indexes))
process.take_first_message()
process.slice(Path(dump), directory, version)
print(process.pid, flush=True)
time.sleep(60)
"""


def test_a_killed_processor_leaves_neither_its_process_nor_slices(stores, indexes, new_directory, version):
    directory = new_directory()
    arguments = [*stores, indexes.index_path, str(DUMP), directory, version]
    with subprocess.Popen([sys.executable, "-c", PROCESSOR, *arguments], stdout=subprocess.PIPE) as processor:
        pid = int(processor.stdout.readline())
        assert list(Path(directory).iterdir())
        processor.kill()
    eventually(lambda: not Path(directory).exists())
    eventually(lambda: not Path(f"/proc/{pid}/exe").exists())


@pytest.fixture
def slicing(stores, indexes):
    slicing = Slicing(stores, indexes)
    yield slicing
    slicing.close()


@pytest.fixture
def sliced(new_directory, version):
    """Has dumps sliced, one after the other; the last one's slices."""

    def slice_dumps(slicing, number=1):
        return [slicing.slice(DUMP, new_directory(), version)[0] for _ in range(number)][-1]

    return slice_dumps


@pytest.fixture
def started(sliced):
    """Has dumps sliced until there is a process for it."""

    def start(slicing):
        sliced(slicing, FEW + 1)
        (process,) = slicing._processes
        eventually(process.has_said_something)
        return process

    return start


def lost(before):
    return METRICS.snapshot().counter("slicing.process_lost") - before.counter("slicing.process_lost")


def test_a_few_dumps_are_sliced_here(slicing, sliced):
    assert isinstance(sliced(slicing, FEW), Slices)
    assert slicing._processes == []


def test_from_then_on_a_process_does_it(slicing, started, sliced, monkeypatch):
    started(slicing)
    monkeypatch.setattr(Slicer, "attempt", None)
    assert sliced(slicing).sliced == 3


def test_a_dump_that_finds_none_free_is_sliced_here_and_another_process_is_started(slicing, started, sliced):
    started(slicing)
    busy = [slicing._take_idle()]
    assert isinstance(sliced(slicing), Slices)
    eventually(next(iter(slicing._starting)).has_said_something)
    busy.append(slicing._take_idle())
    assert isinstance(sliced(slicing), Slices)
    assert slicing._processes == busy
    assert len(busy) == PROCESSES


def test_where_no_process_can_be_started_threads_go_on(slicing, sliced, monkeypatch, caplog):
    def no_process(*_):
        raise OSError("out of processes")

    monkeypatch.setattr("socorro_processor.symbols.slicing.SlicingProcess", no_process)
    assert isinstance(sliced(slicing, FEW + 3), Slices)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "out of processes" in caplog.text


def test_a_process_that_was_killed_costs_no_slices_and_is_started_again_after_a_pause(stores, indexes, started, sliced):
    now, before = [0.0], METRICS.snapshot()
    slicing = Slicing(stores, indexes, clock=lambda: now[0])
    try:
        process = started(slicing)
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert isinstance(sliced(slicing), Slices)
        assert (lost(before), slicing._processes) == (1, [])
        now[0] = 9.9
        sliced(slicing)
        assert slicing._processes == []
        now[0] = 10.0
        assert isinstance(sliced(slicing), Slices)
        assert len(slicing._processes) == 1
    finally:
        slicing.close()


def dies_at_the_next_dump(process, number):
    def die():
        os.kill(process.pid, number)
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)

    os.kill(process.pid, signal.SIGSTOP)
    threading.Timer(0.2, die).start()


def test_a_dump_whose_process_is_killed_from_outside_is_sliced_here(slicing, started, sliced):
    before = METRICS.snapshot()
    dies_at_the_next_dump(started(slicing), signal.SIGKILL)
    assert sliced(slicing).sliced == 3
    assert (lost(before), slicing._processes) == (1, [])


def test_what_a_killed_process_has_begun_is_not_in_the_way(slicing, started, new_directory, version):
    directory = new_directory()
    Path(directory, "stub").write_bytes(b"begun")
    dies_at_the_next_dump(started(slicing), signal.SIGKILL)
    assert slicing.slice(DUMP, directory, version)[0].sliced == 3


def test_a_dump_whose_process_is_killed_from_outside_is_searched_here(slicing, started, sliced):
    dies_at_the_next_dump(started(slicing), signal.SIGKILL)
    assert slicing.needed(DUMP) == needed_symbols(read(DUMP))
    assert isinstance(sliced(slicing), Slices)


def test_a_dump_at_which_a_process_dies_is_not_sliced_here(slicing, started, sliced, monkeypatch):
    before = METRICS.snapshot()
    process = started(slicing)
    monkeypatch.setattr(Slicer, "attempt", None)
    dies_at_the_next_dump(process, signal.SIGSEGV)
    result = sliced(slicing)
    assert isinstance(result, NotSliced)
    assert result.reason == "process"
    assert (lost(before), slicing._processes) == (1, [])


@pytest.mark.parametrize("is_to_blame", [True, False])
def test_one_that_does_not_answer_is_killed(stores, indexes, started, sliced, is_to_blame, monkeypatch):
    slicing = Slicing(stores, indexes, timeout=0.3)
    try:
        process = started(slicing)
        os.kill(process.pid, signal.SIGSTOP)
        if is_to_blame:
            monkeypatch.setattr(SlicingProcess, "_is_stopped", lambda _: False)
            assert sliced(slicing).reason == "process"
        else:
            assert sliced(slicing).sliced == 3
        assert not Path(f"/proc/{process.pid}").exists()
    finally:
        slicing.close()


def test_a_process_whose_answer_could_not_be_read_is_lost(slicing, started, sliced, monkeypatch):
    started(slicing)
    sliced(slicing)
    with monkeypatch.context() as patch:
        patch.setattr(SlicingProcess, "_receive", Mock(side_effect=MemoryError))
        with pytest.raises(MemoryError):
            sliced(slicing)
    assert slicing._processes == []
    assert isinstance(sliced(slicing), Slices)


def test_the_process_that_searched_a_dump_slices_it(slicing, started, sliced, monkeypatch):
    first = started(slicing)
    with slicing._process():
        sliced(slicing)
        second = next(iter(slicing._starting))
        eventually(second.has_said_something)
    asked = []
    monkeypatch.setattr(SlicingProcess, "slice", lambda process, *_: asked.append(process) or (NotSliced("", ""), 0.0))
    for searcher in (first, second):
        slicing._give_back(slicing._take_idle(searcher))
        slicing.needed(DUMP)
        slicing._give_back(slicing._take_idle(second if searcher is first else first))
        sliced(slicing)
    assert asked == [first, second]


def test_one_that_does_not_start_is_tried_less_and_less(stores, indexes, sliced, monkeypatch):
    now, starts = [0], []
    slicing = Slicing(stores, indexes, clock=lambda: now[0])
    monkeypatch.setattr(sys, "executable", "/bin/false")
    try:
        sliced(slicing, FEW)
        for now[0] in range(150):
            sliced(slicing)
            for process in slicing._starting:
                starts.append(now[0])
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    finally:
        slicing.close()
    assert starts == [0, 21, 62, 143]


def test_one_that_is_frozen_while_it_starts_is_given_up(stores, indexes, sliced):
    now = [0.0]
    slicing = Slicing(stores, indexes, timeout=30.0, clock=lambda: now[0])
    try:
        sliced(slicing, FEW + 1)
        (frozen,) = slicing._processes
        os.kill(frozen.pid, signal.SIGSTOP)
        assert not frozen.has_said_something()
        now[0] = 30.1
        sliced(slicing)
        assert slicing._processes == []
        now[0] = 41.0
        sliced(slicing)
        assert len(slicing._processes) == 1
    finally:
        slicing.close()


def test_a_dump_that_was_searched_is_not_searched_again(slicing, sliced, monkeypatch):
    searches, found = [], AddressSearch.found
    monkeypatch.setattr(AddressSearch, "found", lambda search: searches.append(search) or found(search))
    assert slicing.needed(DUMP) == needed_symbols(read(DUMP))
    before = len(searches)
    sliced(slicing)
    assert len(searches) == before
    sliced(slicing)
    assert len(searches) == before + 1


def test_of_the_dumps_that_were_searched_a_few_are_kept(tmp_path):
    dumps = SearchedDumps()
    for number in range(20):
        (tmp_path / str(number)).write_bytes(DUMP.read_bytes())
        dumps.needed(tmp_path / str(number))
    assert len(dumps._kept) == 2
    assert dumps.read(tmp_path / "19")
    assert len(dumps._kept) == 1


def test_a_process_says_what_is_needed_once_it_is_there(slicing, started, sliced, monkeypatch):
    started(slicing)
    monkeypatch.setattr("socorro_processor.symbols.slicing.SearchedDumps.needed", None)
    assert len(slicing.needed(DUMP)) > 2
    with pytest.raises(NotUnderstood):
        slicing.needed(Path("/nowhere"))
    assert isinstance(sliced(slicing), Slices)


def test_a_dump_at_whose_search_a_process_dies_is_not_sliced_at_all(slicing, started, sliced, monkeypatch):
    process = started(slicing)
    monkeypatch.setattr(Slicer, "attempt", None)
    dies_at_the_next_dump(process, signal.SIGSEGV)
    with pytest.raises(NotUnderstood, match="process"):
        slicing.needed(DUMP)
    assert sliced(slicing).reason == "process"
    monkeypatch.undo()
    assert isinstance(sliced(slicing), Slices)


@pytest.mark.parametrize("is_ready", [True, False])
def test_after_the_end_there_are_no_processes(stores, indexes, started, sliced, is_ready):
    slicing = Slicing(stores, indexes)
    if is_ready:
        started(slicing)
    else:
        sliced(slicing, FEW + 1)
    (pid,) = [process.pid for process in slicing._processes]
    slicing.close()
    assert not Path(f"/proc/{pid}").exists()
    sliced(slicing, 2)
    assert slicing._processes == []
