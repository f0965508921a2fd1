"""Somebody removes or replaces files of the embedded queue while processes have it open."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import CrashQueueError
from socorro_processor.machine import sqlite_guard
from tests.system.serving import eventually
from tests.unit.crashqueue import processor_process

pytestmark = pytest.mark.long

DEADLINE = 60.0
WAL_AND_SHM = ("-wal", "-shm")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


def opened(path: Path, **options: float) -> SQLiteCrashQueue:
    return SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(path), idle_delay=0.1, **options))


@pytest.fixture
def queue(path: Path) -> Iterator[SQLiteCrashQueue]:
    """A queue with three confirmed crashes: the first is in the database, the others only in the ``-wal``."""
    queue = opened(path)
    queue.submit("one")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    queue.submit("two")
    queue.submit("three")
    yield queue
    queue.close()


@pytest.fixture
def other(queue, path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the queue open, and looks at its files only when it is told to end."""
    with subprocess.Popen(
        [sys.executable, processor_process.__file__, str(path), "hold"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "one\n"
        yield other
        other.kill()


def remove(path: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        Path(f"{path}{suffix}").unlink()


def another(path: Path, *arguments: str) -> list[str]:
    """Return the answer of another process at this queue."""
    done = subprocess.run(
        [sys.executable, processor_process.__file__, str(path), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    return done.stdout.splitlines()


def stranger(path: Path, statement: str) -> str:
    """Return SQLite's answer to another program."""
    program = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "print(connection.execute(sys.argv[2]).fetchall())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), statement],
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    return done.stdout.strip()


def copies(path: Path) -> list[Path]:
    return list(path.parent.glob("*.rescued-*"))


@pytest.mark.parametrize("suffixes", [WAL_AND_SHM, ("-wal",), ("-shm",)])
def test_what_was_confirmed_is_still_there_after_its_wal_was_removed_and_nothing_more_is_confirmed(
    queue, path, suffixes
):
    remove(path, *suffixes)
    with pytest.raises(CrashQueueError, match=rf"submit 'late': the queue {path} is lost: {path}{suffixes[0]} was"):
        queue.submit("late")
    assert f"everything confirmed is in {path}: start again" in queue.lost()
    assert another(path, "take") == ["one", "two", "three"]
    assert copies(path) == []


@pytest.mark.parametrize("suffixes", [("",), ("", *WAL_AND_SHM)])
def test_what_was_confirmed_is_in_a_copy_after_the_database_was_removed(queue, path, suffixes):
    remove(path, *suffixes)
    with pytest.raises(CrashQueueError, match=rf"{path} was removed while it was in use"):
        queue.submit("late")
    (copy,) = copies(path)
    assert f"is in {copy}" in queue.lost()
    assert another(copy, "take") == ["one", "two", "three"]
    assert another(path, "submit", "new") == ["new"]
    assert another(path, "take") == ["new"]


def test_a_crash_whose_commit_went_into_a_removed_wal_is_not_confirmed(queue, path):
    def submit_while_the_files_are_removed() -> None:
        with queue._file.transaction("submit a crash", durable=True) as connection:
            connection.execute("INSERT INTO crash (body, queue) VALUES (?, 'normal')", (b"late",))
            remove(path, *WAL_AND_SHM)

    with pytest.raises(CrashQueueError, match="is lost"):
        submit_while_the_files_are_removed()


@pytest.mark.parametrize(
    "say",
    [
        lambda queue, delivery: queue.begin(delivery),
        lambda queue, delivery: queue.ack(delivery),
        lambda queue, delivery: queue.park(delivery, "the reason"),
        lambda queue, delivery: queue.depths(),
        lambda queue, delivery: queue.purge("normal"),
        lambda queue, delivery: list(queue.set_aside("parked")),
    ],
)
def test_nothing_is_done_with_a_lost_queue(queue, path, say: Callable[[SQLiteCrashQueue, object], object]):
    delivery = next(queue.new_crashes())
    remove(path, *WAL_AND_SHM)
    for _ in range(2):
        with pytest.raises(CrashQueueError, match="is lost"):
            say(queue, delivery)
    assert queue.lost()


def test_a_processor_that_waits_for_crashes_sees_that_its_queue_is_lost_and_takes_no_more(path):
    queue = opened(path)
    crashes = queue.new_crashes()
    assert next(crashes) is None
    remove(path, *WAL_AND_SHM)
    assert next(crashes) is None
    assert queue.lost()
    assert next(crashes) is None
    queue.close()


def test_a_processor_that_is_asked_sees_that_its_queue_is_lost_and_saves_it_also_if_it_takes_no_crashes(queue, path):
    assert not queue.lost()
    remove(path, *WAL_AND_SHM)
    assert f"everything confirmed is in {path}: start again" in queue.lost()
    assert another(path, "take") == ["one", "two", "three"]


def test_nothing_is_confirmed_to_a_second_wal_while_a_process_has_the_removed_one(queue, path):
    remove(path, *WAL_AND_SHM)
    (refused,) = another(path, "submit", "late")
    assert f"{path}-wal or {path}-shm was removed while another process uses the file" in refused
    assert not Path(f"{path}-wal").exists()
    # It checks, notices, and closes the file.
    with pytest.raises(CrashQueueError, match="is lost"):
        queue.depths()
    assert another(path, "submit", "later") == ["later"]
    assert another(path, "take") == ["one", "two", "three", "later"]


def test_a_processor_whose_wal_was_removed_and_made_anew_by_a_stranger_damages_neither(queue, path):
    remove(path, *WAL_AND_SHM)
    stranger(path, "INSERT INTO crash (body, queue) VALUES (CAST('stranger' AS BLOB), 'normal')")
    with pytest.raises(CrashQueueError, match=r"-wal was replaced by another file while it was in use"):
        queue.submit("late")
    queue.close()
    # This process keeps the lost file open until its end, so that closing it removes nothing of the stranger's.
    (copy,) = copies(path)
    assert another(copy, "take") == ["one", "two", "three"]
    assert stranger(path, "PRAGMA integrity_check") == "[('ok',)]"
    assert another(path, "take") == ["one", "stranger"]


def test_a_database_that_was_copied_over_the_open_one_is_whole_and_used_after_a_restart(queue, path, tmp_path):
    backup = tmp_path / "backup"
    another(backup, "submit", *(f"backup {number}" for number in range(200)))
    backup.rename(path)
    with pytest.raises(CrashQueueError, match=f"{path} was replaced by another file"):
        queue.submit("late")
    queue.close()
    assert another(path, "take") == [f"backup {number}" for number in range(200)]
    (copy,) = copies(path)
    assert another(copy, "take") == ["one", "two", "three"]


def test_a_queue_that_is_lost_before_it_is_closed_is_saved_at_the_close(queue, path):
    remove(path, *WAL_AND_SHM)
    queue.close()
    assert queue.lost()
    assert another(path, "take") == ["one", "two", "three"]


def test_confirmed_crashes_need_no_copy_while_another_process_has_the_queue_open(queue, path):
    processor = opened(path, busy_timeout=0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as frozen:
        frozen.execute("BEGIN IMMEDIATE")
        remove(path, *WAL_AND_SHM)
        with pytest.raises(CrashQueueError, match=f"everything confirmed is in {path}: start again"):
            processor.submit("late")
    assert copies(path) == []
    processor.close()
    queue.close()
    assert another(path, "take") == ["one", "two", "three"]


def test_several_processors_that_lose_the_same_wal_save_all_that_any_of_them_confirmed(queue, path, other):
    remove(path, *WAL_AND_SHM)
    with pytest.raises(CrashQueueError, match="is lost"):
        queue.submit("late")
    other.kill()
    other.wait(DEADLINE)
    assert sorted(another(path, "take")) == ["one", "three", "two"]


def test_crashes_that_could_not_be_saved_are_reported(queue, path):
    path.rename(path.parent / "elsewhere")
    path.parent.rename(path.parent.with_name("moved"))
    with pytest.raises(CrashQueueError, match="cannot save what only the lost file had"):
        queue.submit("late")
    path.parent.with_name("moved").rename(path.parent)


def test_processes_that_come_and_go_at_the_same_file_raise_no_false_alarm_and_lose_nothing(path, tmp_path):
    in_flight = tmp_path / "in flight"
    in_flight.mkdir()
    crash_ids = [new_crash_id() for _ in range(600)]
    submitters = [
        subprocess.Popen(
            [sys.executable, processor_process.__file__, str(path), "submit-patiently", *crash_ids[first::6]],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in range(6)
    ]
    finished: list[str] = []
    while any(submitter.poll() is None for submitter in submitters):
        finished += another(path, "finish", str(in_flight))
    confirmed = [line for submitter in submitters for line in submitter.communicate(timeout=DEADLINE)[0].splitlines()]
    finished += another(path, "finish", str(in_flight))
    assert sorted(confirmed) == sorted(crash_ids)
    assert sorted(filter(None, finished)) == sorted(crash_ids)
    assert copies(path) == []


@pytest.mark.parametrize("suffixes", [WAL_AND_SHM, ("-wal",), ("-shm",)])
def test_a_queue_whose_files_are_removed_while_it_is_opened_is_opened_when_others_have_left_it(
    queue, path, other, monkeypatch, suffixes
):
    queue.close()

    def is_whole_and_then_not(real: Path, is_whole=sqlite_guard._is_whole) -> bool:
        was_whole = is_whole(real)
        if was_whole:
            monkeypatch.undo()
            remove(path, *suffixes)
        return was_whole

    monkeypatch.setattr(sqlite_guard, "_is_whole", is_whole_and_then_not)
    with pytest.raises(CrashQueueError, match=f"cannot open the queue {path}: .* while another process uses the file"):
        opened(path, busy_timeout=0.3)
    for suffix in suffixes:
        assert not Path(f"{path}{suffix}").exists()
    other.communicate(timeout=DEADLINE)
    assert copies(path) == []
    assert stranger(path, "SELECT count(*) FROM crash") == "[(3,)]"


_CHECKPOINTS = """
import fcntl, sys
with open(sys.argv[1] + "-shm", "r+b") as index:
    fcntl.lockf(index, fcntl.LOCK_EX, 1, 121)
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def checkpoint(queue, path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock of who copies the ``-wal`` into the database, until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", _CHECKPOINTS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as checkpoint:
        assert checkpoint.stdout.readline() == "locked\n"
        yield checkpoint
        checkpoint.kill()


def test_a_queue_is_not_left_to_a_process_that_is_just_saving_it_and_may_be_killed(queue, path, checkpoint):
    remove(path, *WAL_AND_SHM)
    with ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(queue.submit, "late")
        eventually(Path(f"{path}-wal").exists)
        assert not submitted.done()
        checkpoint.communicate(timeout=DEADLINE)
        with pytest.raises(CrashQueueError, match=f"everything confirmed is in {path}: start again"):
            submitted.result(DEADLINE)
    assert another(path, "take") == ["one", "two", "three"]


def test_what_was_confirmed_is_still_there_if_the_process_is_killed_that_saves_it(queue, path, other, checkpoint):
    remove(path, *WAL_AND_SHM)
    other.stdin.close()
    eventually(Path(f"{path}-wal").exists)
    other.kill()
    other.wait(DEADLINE)
    checkpoint.communicate(timeout=DEADLINE)
    with pytest.raises(CrashQueueError, match=f"everything confirmed is in {path}: start again"):
        queue.submit("late")
    assert copies(path) == []
    assert sorted(another(path, "take")) == ["one", "three", "two"]


def test_a_queue_whose_files_are_removed_while_processes_come_and_go_and_are_killed_is_not_damaged(path, tmp_path):
    chance = random.Random(8)
    opened(path).close()
    with ExitStack() as stack:
        outputs = []

        def start() -> subprocess.Popen[bytes]:
            outputs.append(tmp_path / f"output {len(outputs)}")
            with outputs[-1].open("wb") as output:
                command = [sys.executable, processor_process.__file__, str(path), "submit-for-ever"]
                process = subprocess.Popen(command, stdout=output)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        processes = [start() for _ in range(3)]
        eventually(lambda: all(output.stat().st_size for output in outputs))
        for _ in range(60):
            time.sleep(chance.random() * 0.1)
            for suffix in chance.choice([WAL_AND_SHM, ("-shm",)]):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
            # The last one that has a removed file would take it with it.
            time.sleep(chance.random() * 0.1)
            if chance.random() < 0.2:
                victim = chance.randrange(3)
                processes[victim].kill()
                processes[victim].wait(DEADLINE)
                processes[victim] = start()
    assert stranger(path, "PRAGMA integrity_check") == "[('ok',)]"


# A file that was emptied or cut in place is still the one that is open.


@pytest.mark.parametrize(("suffix", "size"), [("-wal", 0), ("-wal", 8_000), ("", 0)])
def test_nothing_is_confirmed_behind_the_hole_in_a_file_that_was_emptied_or_cut(queue, path, suffix, size):
    os.truncate(f"{path}{suffix}", size)
    with pytest.raises(CrashQueueError, match=rf"is lost: {path}{suffix} was emptied or cut while it was in use"):
        queue.submit("late")
    assert "nothing more is confirmed" in queue.lost()


_EMPTIES_ITS_WAL = """
import os, sys
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import CrashQueueError

queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=sys.argv[1]))
queue.submit("four")
os.truncate(sys.argv[1] + sys.argv[2], 0)
try:
    queue.submit("late")
except CrashQueueError as error:
    print(error)
queue.close()
"""


@pytest.mark.parametrize(("suffix", "left"), [("-wal", ["one", "two", "three"]), ("", [])])
def test_the_next_start_works_with_what_a_file_that_was_emptied_has_left(queue, path, suffix, left):
    queue.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    command = [sys.executable, "-c", _EMPTIES_ITS_WAL, str(path), suffix]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=DEADLINE, check=True).stdout
    assert f"submit 'late': the queue {path} is lost: {path}{suffix} was emptied or cut" in said
    assert another(path, "submit", "new") == ["new"]
    assert another(path, "take") == [*left, "new"]


def test_a_wal_that_other_programs_begin_anew_and_cut_raises_no_false_alarm(queue, path):
    program = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)\n"
        "for _ in range(500): connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()"
    )
    crash_ids = []
    with subprocess.Popen([sys.executable, "-c", program, str(path)]) as other:
        while other.poll() is None:
            crash_ids.append(new_crash_id())
            queue.submit(crash_ids[-1])
    assert other.returncode == 0
    queue.close()
    assert another(path, "take") == ["one", "two", "three", *crash_ids]


def test_a_queue_whose_files_cannot_be_looked_at_leaves_no_connection_open(path, monkeypatch):
    """Every test checks afterwards that none is left open."""

    def lacking() -> set[tuple[int, int]]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("socorro_processor.machine.sqlite_guard._open_files", lacking)
    with pytest.raises(CrashQueueError, match="Too many open files"):
        opened(path)
