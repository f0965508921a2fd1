"""A child process: it ends with its parent, however that ends, and knows none of its secrets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from socorro_processor.machine.child import Child
from socorro_processor.machine.pipes import readable

DEADLINE = 20.0

UNTIL_STDIN_ENDS = [sys.executable, "-c", "import sys; print('started', flush=True); sys.stdin.read()"]

HANGING = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]).pid, flush=True)
time.sleep(3600)
"""

PARENT = f"""
from socorro_processor.machine.child import Child
child = Child({UNTIL_STDIN_ENDS!r})
print(child.process.pid, flush=True)
child.process.wait()
"""


def started() -> Child:
    child = Child(UNTIL_STDIN_ENDS, stdout=subprocess.PIPE)
    assert child.process.stdout.readline() == b"started\n"
    return child


def has_ended(pidfd: int) -> bool:
    try:
        return readable(pidfd, DEADLINE)
    finally:
        os.close(pidfd)


def test_a_child_ends_when_it_is_told_to():
    child = started()
    assert child.process.poll() is None
    assert child.end(DEADLINE)
    child.process.communicate()
    assert child.process.returncode == 0


def test_a_child_ends_with_a_parent_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        lines = {parent.stdout.readline(), parent.stdout.readline()} - {b"started\n"}
        pidfd = os.pidfd_open(int(lines.pop()))
        parent.send_signal(signal.SIGKILL)
        assert has_ended(pidfd)


def test_a_child_that_does_not_end_is_killed_with_the_processes_that_it_started():
    child = Child([sys.executable, "-c", HANGING], stdout=subprocess.PIPE)
    pidfd = os.pidfd_open(int(child.process.stdout.readline()))
    assert not child.end(patience=0.1)
    assert has_ended(pidfd)
    child.process.communicate()
    assert child.process.returncode == -signal.SIGKILL


def test_no_other_program_keeps_a_child_alive():
    child = started()
    with subprocess.Popen([*UNTIL_STDIN_ENDS], stdin=subprocess.PIPE, close_fds=False) as other:
        assert child.end(DEADLINE)
        child.process.communicate()
        other.communicate()


def test_a_child_has_a_session_of_its_own_and_no_secrets(monkeypatch):
    monkeypatch.setenv("PASSWORD", "secret")
    child = started()
    assert os.getsid(child.process.pid) == child.process.pid
    assert b"PASSWORD" not in Path(f"/proc/{child.process.pid}/environ").read_bytes()
    child.end(DEADLINE)
    child.process.communicate()


def test_a_child_that_cannot_be_started_leaves_no_file_open():
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        Child(["/no/such/program"])
    assert len(list(Path("/proc/self/fd").iterdir())) == before
