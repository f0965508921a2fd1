"""The process that builds an index: nothing of it outlives who wants the index."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from socorro_processor.symbols.index_process import IndexProcess, NotIndexed
from tests.chaos.leftovers import processes_of
from tests.shared import REPOSITORY, SAMPLES
from tests.system.daemon import eventually

FILE = next((SAMPLES / "symbols").rglob("lightbox.sym"))

PARENT = """
import sys
from pathlib import Path
from socorro_processor.symbols.index_process import IndexProcess

IndexProcess(*map(Path, sys.argv[1:3]), sys.argv[3], "0.25.0").finish()
"""


@pytest.fixture
def walker(tmp_path, monkeypatch):
    """A stackwalker that hangs by what it has started, and says that it was asked; its temporary files lie apart."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    walker = tmp_path / "walker"
    walker.write_text(f"#!/bin/sh\n: > {tmp_path}/asked\nsleep 3600\n")
    walker.chmod(0o755)
    return walker


def nothing_is_left(directory: Path) -> bool:
    eventually(lambda: not processes_of(directory))
    return not list((directory / "temporary").iterdir())


def is_asked(directory: Path) -> bool:
    return (directory / "asked").exists() and bool(list((directory / "temporary").iterdir()))


def test_one_that_is_ended_leaves_nothing(tmp_path, walker):
    process = IndexProcess(FILE, tmp_path / "index", str(walker), "0.25.0")
    eventually(lambda: is_asked(tmp_path))
    process.end()
    with pytest.raises(NotIndexed):
        process.finish()
    assert nothing_is_left(tmp_path)


def test_one_that_takes_too_long_leaves_nothing(tmp_path, walker):
    process = IndexProcess(FILE, tmp_path / "index", str(walker), "0.25.0")
    eventually(lambda: is_asked(tmp_path))
    with pytest.raises(NotIndexed, match=r"not done after 0\.1 s"):
        process.finish(0.1)
    assert nothing_is_left(tmp_path)


def test_one_whose_processor_is_killed_ends_too_and_leaves_nothing(tmp_path, walker):
    arguments = [str(FILE), str(tmp_path / "index"), str(walker)]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *arguments], cwd=REPOSITORY, env=dict(os.environ))
    eventually(lambda: is_asked(tmp_path))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert nothing_is_left(tmp_path)


def test_one_that_hangs_is_killed(tmp_path, walker):
    process = IndexProcess(FILE, tmp_path / "index", str(walker), "0.25.0")
    eventually(lambda: is_asked(tmp_path))
    (pid,) = (pid for pid, arguments in processes_of(tmp_path).items() if "index_process" in arguments)
    os.kill(pid, signal.SIGSTOP)
    process.end(patience=0.1)
    with pytest.raises(NotIndexed):
        process.finish()
    assert nothing_is_left(tmp_path)
