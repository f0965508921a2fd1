"""Temporary files are removed with their process, however that ended."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.machine.orphans import MARK

HOLDER = """
import sys, time
from socorro_processor.app.temporary_directory import ProcessDirectory
directory = ProcessDirectory(sys.argv[1])
(directory.path / "dump").write_text("x")
print(directory.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process with a directory of its own in ``tmp_path``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.directory = Path(process.stdout.readline().strip())
    yield process
    process.kill()
    process.communicate()


def test_a_processor_has_a_directory_of_its_own_and_removes_it_at_the_end(tmp_path):
    first, second = ProcessDirectory(str(tmp_path)), ProcessDirectory(str(tmp_path))
    assert first.path != second.path
    for directory in (first, second):
        (directory.path / "dump").write_text("x")
        directory.close()
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_can_read_the_directory(tmp_path):
    directory = ProcessDirectory(str(tmp_path))
    assert directory.path.stat().st_mode & 0o077 == 0
    directory.close()


def test_the_directory_of_a_killed_processor_is_removed_at_the_next_start(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert holder.directory.exists()
    ProcessDirectory(str(tmp_path)).close()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def walker(holder):
    """Start a stackwalker that hangs over a crash of ``holder``."""
    process = subprocess.Popen(["sleep", "60"], env=os.environ | {MARK: str(holder.directory / "crash")})
    yield process
    process.kill()
    process.wait()


def test_programs_of_a_killed_processor_are_killed_at_the_next_start(tmp_path, holder, walker):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    ProcessDirectory(str(tmp_path)).close()
    assert walker.wait(5) == -signal.SIGKILL


def test_a_processor_that_ends_kills_the_programs_that_it_started(tmp_path):
    directory = ProcessDirectory(str(tmp_path))
    left = subprocess.Popen(["sleep", "60"], env=dict(os.environ))
    directory.close()
    assert left.wait(5) == -signal.SIGKILL


def test_directory_and_stackwalkers_of_a_living_processor_are_left_alone(tmp_path, holder, walker):
    ProcessDirectory(str(tmp_path)).close()
    assert (holder.directory / "dump").read_text() == "x"
    assert walker.poll() is None


def test_a_crash_has_a_directory_that_goes_with_its_context(tmp_path):
    directory = ProcessDirectory(str(tmp_path))
    with directory.crash_directory() as own:
        Path(own, "dump").write_text("x")
    assert list(directory.path.iterdir()) == []
    directory.close()


def test_a_directory_that_somebody_tidied_away_is_made_again(tmp_path):
    directory = ProcessDirectory(str(tmp_path / "base"))
    shutil.rmtree(tmp_path / "base")
    with directory.crash_directory() as own:
        assert Path(own).is_dir()
    directory.close()
    assert not directory.path.exists()


def test_a_directory_that_could_not_be_removed_is_removed_at_a_later_start(tmp_path, monkeypatch):
    directory = ProcessDirectory(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *arguments, **options: None)
        directory.close()
    assert directory.path.exists()
    ProcessDirectory(str(tmp_path)).close()
    assert list(tmp_path.iterdir()) == []


def test_other_files_in_the_base_directory_keep_no_processor_from_starting(tmp_path, caplog):
    (tmp_path / "directory.lock").mkdir()
    (tmp_path / "link.lock").symlink_to(tmp_path / "link.lock")
    with closing(ProcessDirectory(str(tmp_path))) as mine:
        assert mine.path.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {"directory.lock", "link.lock"}
    assert f"cannot open {tmp_path}/directory.lock, left as it is: Is a directory" in caplog.text


def test_an_unusable_base_directory_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProcessingEnvironmentError, match=r"file.*app\.temporary_directory"):
        ProcessDirectory(str(tmp_path / "file"))
