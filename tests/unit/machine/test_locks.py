"""The lock on a file: one holder at a time, and no dead one."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from socorro_processor.machine.locks import FileLock, lock_open_file
from tests.before_the_lock import do_before_the_lock
from tests.system.daemon import eventually

DEADLINE = 20.0

HOLDER = """
import sys
from pathlib import Path
from socorro_processor.machine.locks import FileLock

lock = FileLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.lock"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock."""
    program = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def is_held(path: Path) -> bool:
    try:
        FileLock(path).close()
    except BlockingIOError:
        return True
    return False


def open_files() -> list[Path]:
    files = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            files.append(link.readlink())
    return files


class Waiting:
    """A thread that waits for the lock, and has opened its file."""

    def __init__(self, path: Path) -> None:
        before = open_files().count(path)
        self._lock: FileLock | None = None
        self._thread = threading.Thread(target=self._run, args=(path,), daemon=True)
        self._thread.start()
        eventually(lambda: open_files().count(path) > before)

    def _run(self, path: Path) -> None:
        self._lock = FileLock(path, wait=True)

    def has_it(self) -> bool:
        return self._lock is not None

    def lock(self) -> FileLock:
        self._thread.join(DEADLINE)
        assert self._lock is not None
        return self._lock


def test_a_lock_has_one_holder_at_a_time(path):
    with FileLock(path):
        assert is_held(path)
    assert not is_held(path)


def test_another_process_is_refused_until_the_holder_is_killed(path, holder):
    with pytest.raises(BlockingIOError, match=str(path)):
        FileLock(path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert path.exists()
    FileLock(path).close()


def test_a_waiting_process_gets_the_lock_once_the_holder_is_killed(path, holder):
    waiting = Waiting(path)
    assert not waiting.has_it()
    holder.send_signal(signal.SIGKILL)
    with waiting.lock():
        assert is_held(path)


def test_a_waiting_process_holds_a_new_file_if_the_holder_removes_its_own(path):
    holder = FileLock(path)
    waiting = Waiting(path)
    holder.remove()
    holder.close()
    with waiting.lock():
        assert path.exists()
        assert is_held(path)


def test_a_waiting_process_holds_the_file_that_replaces_another(path):
    holder = FileLock(path)
    waiting = Waiting(path)
    replacement = path.with_name("replacement")
    replacement.touch()
    replacement.replace(path)
    holder.close()
    with waiting.lock() as lock:
        assert os.path.samestat(os.fstat(lock.descriptor), path.stat())
        assert is_held(path)


def test_a_file_that_its_holder_makes_again_before_it_is_locked_is_the_holders(path, monkeypatch):
    holder = []

    def replaced() -> None:
        path.unlink()
        holder.append(FileLock(path))

    do_before_the_lock(monkeypatch, replaced)
    with pytest.raises(BlockingIOError):
        FileLock(path)
    holder[0].close()


def test_a_file_that_is_removed_before_it_is_locked_is_not_found_if_it_must_exist(path, monkeypatch):
    path.touch()
    do_before_the_lock(monkeypatch, path.unlink)
    with pytest.raises(FileNotFoundError):
        FileLock(path, os.O_RDWR)
    assert not path.exists()


def test_a_link_to_the_lock_file_in_its_place_is_not_taken_for_it(path, monkeypatch):
    def moved() -> None:
        path.rename(path.with_name("moved"))
        path.symlink_to("moved")

    do_before_the_lock(monkeypatch, moved)
    with pytest.raises(OSError, match="symbolic links") as raised:
        FileLock(path)
    assert raised.value.errno == errno.ELOOP


def test_a_link_is_followed_on_request(path):
    path.symlink_to("target")
    with FileLock(path, os.O_RDWR | os.O_CREAT):
        assert path.with_name("target").exists()
        with pytest.raises(BlockingIOError):
            FileLock(path.with_name("target"))


def test_a_shared_lock_has_several_holders(path):
    path.touch()
    with FileLock(path, shared=True):
        FileLock(path, shared=True).close()
        assert is_held(path)


def test_a_directory_can_be_locked(tmp_path):
    with FileLock(tmp_path, os.O_RDONLY | os.O_DIRECTORY), pytest.raises(BlockingIOError):
        FileLock(tmp_path, os.O_RDONLY | os.O_DIRECTORY)


def test_a_started_program_does_not_inherit_the_lock(path):
    lock = FileLock(path)
    program = [sys.executable, "-c", "print('started', flush=True); input()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as child:
        assert child.stdout.readline() == b"started\n"
        lock.close()
        assert not is_held(path)
        child.communicate(b"\n")


def test_a_new_file_is_for_its_user_only(path):
    with FileLock(path):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOLCK, "No locks available"), BlockingIOError])
def test_a_lock_that_is_refused_leaves_no_file_open(path, monkeypatch, error):
    def fails(*_) -> None:
        raise error

    monkeypatch.setattr(fcntl, "flock", fails)
    with pytest.raises(type(error) if isinstance(error, OSError) else error):
        FileLock(path)
    assert path not in open_files()


def test_a_file_that_cannot_be_locked_is_named(path, monkeypatch):
    def fails(*_) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fails)
    with pytest.raises(OSError, match=f"No locks available: '{path}'"):
        FileLock(path)


def test_an_open_file_can_be_locked_until_it_is_closed(path):
    with closing(path.open("xb")) as file:
        lock_open_file(file.fileno())
        assert is_held(path)
    assert not is_held(path)
