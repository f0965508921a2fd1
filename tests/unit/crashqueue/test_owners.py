from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from socorro_processor.crashqueue.sqlite.owners import Heartbeat, OwnerFile, boot_id, boot_time
from tests.before_the_lock import do_before_the_lock
from tests.unit.crashqueue.machine import MortalOwnerFile

DEADLINE = 20.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "owners"


def nothing() -> None:
    pass


def test_an_owner_that_lives_is_not_buried(directory):
    living = OwnerFile(directory)
    living.claim()
    assert not OwnerFile(directory).remove_if_dead(living.name, nothing)
    assert OwnerFile(directory).all_names() == {living.name}


def test_a_dead_owner_is_buried_and_its_file_is_removed_afterwards(directory):
    dead = MortalOwnerFile(directory)
    dead.claim()
    dead.die()
    seen: list[bool] = []
    assert OwnerFile(directory).remove_if_dead(dead.name, lambda: seen.append(dead.path.exists()))
    assert seen == [True]
    assert not dead.path.exists()


def test_the_file_of_a_dead_owner_stays_if_its_burial_fails(directory):
    dead = MortalOwnerFile(directory)
    dead.claim()
    dead.die()
    with pytest.raises(ZeroDivisionError):
        OwnerFile(directory).remove_if_dead(dead.name, lambda: print(1 / 0))
    assert OwnerFile(directory).remove_if_dead(dead.name, nothing)


def test_two_may_remove_the_same_dead_owner_at_the_same_time(directory):
    dead = MortalOwnerFile(directory)
    dead.claim()
    dead.die()
    answers: list[bool] = []
    OwnerFile(directory).remove_if_dead(
        dead.name, lambda: answers.append(OwnerFile(directory).remove_if_dead(dead.name, nothing))
    )
    assert answers == [True]


def test_an_owner_that_gives_up_and_claims_again_meanwhile_is_not_buried(directory, monkeypatch):
    owner = OwnerFile(directory)
    owner.claim()

    def claimed_again() -> None:
        owner.give_up()
        owner.claim()

    do_before_the_lock(monkeypatch, claimed_again)
    assert not OwnerFile(directory).remove_if_dead(owner.name, nothing)
    assert owner.path.exists()


def test_an_owner_without_a_file_is_not_judged(directory):
    assert not OwnerFile(directory).remove_if_dead("nobody", nothing)


def make_socket(path: Path) -> None:
    directory = os.open(path.parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as server:
        # The name of a socket may have 107 bytes.
        server.bind(f"/proc/self/fd/{directory}/{path.name}")
    os.close(directory)


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, make_socket, lambda path: path.symlink_to(path)],
    ids=["a directory", "a socket", "a link to itself"],
)
def test_an_owner_file_that_is_not_a_regular_file_is_not_judged(directory, make):
    path = directory / uuid.uuid4().hex
    directory.mkdir()
    make(path)
    assert not OwnerFile(directory).remove_if_dead(path.name, nothing)


def test_the_file_of_another_user_is_not_judged(directory, monkeypatch):
    """The user that runs the tests may have all rights."""
    dead = MortalOwnerFile(directory)
    dead.claim()
    dead.die()

    def refused(path: Path, flags: int, mode: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", refused)
    assert not OwnerFile(directory).remove_if_dead(dead.name, nothing)


def test_other_files_in_the_directory_are_not_owners(directory):
    (directory / "lost+found").mkdir(parents=True)
    assert OwnerFile(directory).all_names() == set()


def test_giving_up_removes_the_file_and_may_be_done_twice(directory):
    owner = OwnerFile(directory)
    owner.claim()
    owner.give_up()
    owner.give_up()
    assert owner.all_names() == set()


def test_an_owner_taken_for_dead_before_it_had_its_lock_makes_another_file(directory):
    directory.mkdir()
    owner = OwnerFile(directory)
    # Another process has found the file unlocked, and locks it to remove it.
    descriptor = os.open(owner.path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    claiming = threading.Thread(target=owner.claim)
    claiming.start()
    owner.path.unlink()
    os.close(descriptor)
    claiming.join(DEADLINE)
    assert owner.path.exists()
    assert not OwnerFile(directory).remove_if_dead(owner.name, nothing)


def test_a_program_started_by_an_owner_does_not_keep_it_alive(directory):
    owner = MortalOwnerFile(directory)
    owner.claim()
    program = [sys.executable, "-c", "print('started', flush=True); input()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as child:
        assert child.stdout.readline() == b"started\n"
        owner.die()
        assert OwnerFile(directory).remove_if_dead(owner.name, nothing)
        child.communicate(b"\n")


def test_the_heartbeat_goes_on_until_it_is_stopped():
    heartbeat = Heartbeat(seconds=0.001)
    twice = threading.Semaphore(0)
    heartbeat.start(lambda: twice.release())
    assert all(twice.acquire(timeout=DEADLINE) for _ in range(2))
    heartbeat.stop()
    while twice.acquire(blocking=False):
        pass
    assert not twice.acquire(timeout=0.02)


def test_the_heartbeat_goes_on_after_an_error_and_logs_it_once_without_its_message(caplog):
    heartbeat = Heartbeat(seconds=0.001)
    beats = threading.Semaphore(0)
    troubles = [MemoryError("secret"), ValueError("secret")]

    def beat() -> None:
        beats.release()
        if troubles:
            raise troubles.pop()

    heartbeat.start(beat)
    assert all(beats.acquire(timeout=DEADLINE) for _ in range(4))
    heartbeat.stop()
    (record,) = caplog.records
    assert "a heartbeat of the queue failed, the next one follows: ValueError at" in record.getMessage()
    assert "secret" not in caplog.text


def test_the_boot_time_grows_and_the_boot_id_stays():
    assert 0 < boot_time() <= boot_time()
    assert boot_id() == boot_id()
