"""The processes that use removed files save what these had, and the operator does only if all were killed."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.queue_keeper import remove_files
from tests.system.serving import eventually
from tests.unit.crashqueue import processor_process

pytestmark = pytest.mark.long

WAL_AND_SHM = ("-wal", "-shm")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A queue with a crash that only its ``-wal`` has: its process was killed."""
    path = tmp_path / "queue.sqlite"
    run(path, "submit", "one")
    with started(path, "hold") as killed:
        assert killed.stdout.readline() == "one\n"
        killed.kill()
    return path


def started(path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, processor_process.__file__, str(path), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(path: Path, *arguments: str) -> list[str]:
    with started(path, *arguments) as process:
        return process.communicate(timeout=60)[0].splitlines()


@pytest.fixture
def idle(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the queue open and looks at it only when its input ends."""
    run(path, "submit", "two")
    with started(path, "hold") as idle:
        assert idle.stdout.readline() in ("one\n", "two\n")
        yield idle
        idle.kill()


@pytest.mark.parametrize("suffixes", [WAL_AND_SHM, ("-shm",)])
def test_the_operator_saves_what_files_had_that_nobody_has_open(path, suffixes):
    assert remove_files(path, suffixes)
    assert run(path, "take") == ["one"]


@pytest.mark.parametrize("suffixes", [WAL_AND_SHM, ("-shm",)])
def test_the_operator_saves_nothing_if_a_process_that_has_them_open_does(path, suffixes):
    with started(path, "submit-for-ever") as process:
        assert process.stdout.readline()
        assert not remove_files(path, suffixes)
        process.kill()


def test_a_process_that_lives_and_saves_nothing_is_an_error(path, idle):
    with pytest.raises(AssertionError, match=rf"processes \{{{idle.pid}\}} have saved nothing"):
        remove_files(path, WAL_AND_SHM, patience=0.3)


def test_files_whose_last_process_is_killed_after_the_removal_are_saved_by_the_operator(path, idle):
    def kill_it() -> bool:
        if Path(f"{path}-wal").exists():
            return False
        idle.kill()
        return True

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(eventually, kill_it)
        assert remove_files(path, WAL_AND_SHM)
        killing.result()
    assert sorted(run(path, "take")) == ["one", "two"]
