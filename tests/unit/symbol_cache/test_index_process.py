"""The process that makes an index runs under limits, and leaves nothing behind when whoever started it ends."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from socorro_processor.symbol_cache.index_directory import index_directory
from socorro_processor.symbol_cache.index_process import Indexed, IndexProcess, NotIndexed
from tests.chaos.leftovers import processes_of
from tests.shared import REPOSITORY, SAMPLES, own_stackwalker
from tests.system.daemon import eventually
from tests.unit.limited_program import has_limits_a_session_and_no_secrets, program

PARENT = """
import sys
from pathlib import Path
from socorro_processor.symbol_cache.index_process import IndexProcess

IndexProcess(Path(sys.argv[1]), sys.argv[2]).finish()
"""


@pytest.fixture
def file(tmp_path):
    shutil.copytree(SAMPLES / "symbols", tmp_path / "symbols")
    (path,) = (tmp_path / "symbols").rglob("lightbox.sym")
    return path


@pytest.fixture
def hanging(tmp_path):
    """A stackwalker that hangs in a child process, after it has made the file ``runs``."""
    return program(tmp_path, f": > {tmp_path}/runs\nsleep 3600")


def runs(directory: Path) -> bool:
    return (directory / "runs").exists()


def nothing_is_left(directory: Path) -> None:
    eventually(lambda: not processes_of(directory))


def make_index(file: Path, stackwalker: str, **options) -> Indexed:
    return IndexProcess(file, stackwalker, **options).finish()


def test_an_index_is_made_once_for_a_state_of_the_file(file):
    stackwalker = str(own_stackwalker())
    assert make_index(file, stackwalker) == Indexed("usable", made=True)
    assert make_index(file, stackwalker) == Indexed("usable", made=False)
    assert make_index(file, stackwalker, anew=True) == Indexed("usable", made=True)
    file.write_bytes(file.read_bytes() + b"nonsense\n")
    assert make_index(file, stackwalker) == Indexed("corrupt", made=True)


def test_an_index_is_where_walks_and_the_manager_look_for_it(tmp_path, file):
    root = file.parents[2]
    for index_path in ("", str(tmp_path / "indexes")):
        make_index(file, str(own_stackwalker()), index_path=index_path)
        index = index_directory(root, index_path) / f"{file.relative_to(root)}.index"
        assert index.read_bytes().startswith(b"symindex")


def test_a_missing_symbol_file_is_reported(file):
    file.unlink()
    with pytest.raises(NotIndexed, match="No such file"):
        make_index(file, str(own_stackwalker()))


def test_a_process_that_is_ended_leaves_nothing(tmp_path, file, hanging):
    process = IndexProcess(file, hanging)
    eventually(lambda: runs(tmp_path))
    process.end(patience=0.1)
    with pytest.raises(NotIndexed):
        process.finish()
    nothing_is_left(tmp_path)


def test_a_process_that_takes_too_long_leaves_nothing(tmp_path, file, hanging, monkeypatch):
    monkeypatch.setattr("socorro_processor.symbol_cache.index_process._END_TIMEOUT", 0.1)
    process = IndexProcess(file, hanging)
    eventually(lambda: runs(tmp_path))
    with pytest.raises(NotIndexed, match=r"not done after 0\.1 s"):
        process.finish(0.1)
    nothing_is_left(tmp_path)


def test_a_process_ends_with_its_killed_processor_and_leaves_nothing_unfinished(tmp_path, file):
    with file.open("ab") as large:
        large.write(b"FUNC 1000 10 0 f\n" * 5_000_000)
    arguments = [str(file), str(own_stackwalker())]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *arguments], cwd=REPOSITORY, env=dict(os.environ))
    eventually(lambda: any("index" in arguments for arguments in processes_of(file.parents[2]).values()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    nothing_is_left(file.parents[2])
    assert not list((tmp_path / "symbols.index").rglob("*.index*"))


def test_a_process_has_limits_a_session_of_its_own_and_no_secrets(tmp_path, file, monkeypatch):
    def run(stackwalker: str) -> None:
        with pytest.raises(NotIndexed):
            make_index(file, stackwalker)

    has_limits_a_session_and_no_secrets(tmp_path, monkeypatch, run)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'memory allocation of 7 bytes failed' >&2; kill -ABRT $$", "memory allocation of 7 bytes failed"),
        ("echo no such option >&2; exit 2", "no such option"),
        ("exit 3", "exit code 3"),
        ("echo '{}'", "exit code 0"),
        ("echo '[]'", "exit code 0"),
    ],
)
def test_a_process_that_fails_makes_no_index_and_says_why(tmp_path, file, script, said):
    with pytest.raises(NotIndexed, match=said):
        make_index(file, program(tmp_path, script))
