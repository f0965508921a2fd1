"""Stackwalkers that outlive their processor are found, and nothing else is."""

import os
import select
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from socorro_processor.machine.orphans import MARK, kill_orphans

SOON = 5.0
WALKER = """
import os, sys
from pathlib import Path
from socorro_processor.machine.orphans import mark_children
from socorro_processor.stackwalk.command_line import CommandLine
from socorro_processor.stackwalk.stackwalker import Stackwalker
command, sandbox, directory = sys.argv[1:]
mark_children(Path(directory))
walker = Stackwalker(
    CommandLine(command + " {dump_file_pathname}", ["dump_file_pathname"]),
    sandbox=CommandLine(sandbox, []),
    environment={"PATH": os.environ["PATH"]},
)
walker.walk({"dump_file_pathname": [directory + "/crash/dump"]}, "an id")
"""

FOR_NO_CRASH = {
    "the version of a stackwalker": """
from socorro_processor.stackwalk.stackwalker import Stackwalker
Stackwalker(program=command, environment={"PATH": os.environ["PATH"]}).version()
""",
    "a child that should end with its parent": """
from socorro_processor.machine.child import Child
Child([command]).process.wait()
""",
}


@pytest.fixture
def name() -> str:
    return f"1-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts processes that are ended after the test."""
    started = []

    def start(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(arguments, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def is_gone(pid: int) -> bool:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    gone = bool(poll.poll(SOON * 1000))
    os.close(pidfd)
    return gone


@pytest.mark.parametrize("sandbox", ["", "setpriv --no-new-privs", "env -i"])
def test_programs_that_a_killed_processor_left_behind_are_killed(
    start: Callable[..., subprocess.Popen[bytes]],
    program: Callable[..., str],
    tmp_path: Path,
    name: str,
    sandbox: str,
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # With an empty environment, only the session tells.
    apart = "/usr/bin/setsid" if sandbox != "env -i" else ""
    hanging = program(f"{apart} /bin/sh -c '/bin/sleep 60 & echo $$ > {fifo}; wait; exit' & wait")
    processor = start(sys.executable, "-c", WALKER, hanging, sandbox, f"{tmp_path}/{name}")
    within = int(fifo.read_text())
    walker = int(Path(f"/proc/{within}/stat").read_text().rsplit(")", 1)[1].split()[1])
    processor.kill()
    processor.wait()
    assert kill_orphans("1-of-another") == 0
    assert kill_orphans(name) == 3
    assert is_gone(walker)
    assert is_gone(within)
    assert kill_orphans(name) == 0


@pytest.mark.parametrize("code", FOR_NO_CRASH.values(), ids=FOR_NO_CRASH)
def test_programs_that_a_killed_processor_started_for_no_crash_are_killed(
    start: Callable[..., subprocess.Popen[bytes]], program: Callable[..., str], tmp_path: Path, name: str, code: str
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hanging = program(f"echo $$ > {fifo}; exec /bin/sleep 60")
    beginning = """
import os, sys
from pathlib import Path
from socorro_processor.machine.orphans import mark_children
command, directory = sys.argv[1:]
mark_children(Path(directory))
"""
    processor = start(sys.executable, "-c", beginning + code, hanging, f"{tmp_path}/{name}")
    left = int(fifo.read_text())
    processor.kill()
    processor.wait()
    assert kill_orphans("1-of-another") == 0
    assert kill_orphans(name) == 1
    assert is_gone(left)


def test_programs_that_merely_use_its_files_are_left_alone(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, name: str
) -> None:
    file = tmp_path / name / "file"
    file.parent.mkdir()
    file.write_text("")
    pager = start("tail", "-f", str(file))
    other = start("sleep", "60", env={"PATH": os.environ["PATH"], "PWD": f"/{name}/x", MARK: "/2-other/x"})
    assert kill_orphans(name) == 0
    assert pager.poll() is None
    assert other.poll() is None
