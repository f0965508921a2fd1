"""The cache directory: no link leads out of it, and no name is too strange for it."""

from __future__ import annotations

import os

import pytest

from socorro_processor.symbol_cache.directory import MAXIMUM_DEPTH, CacheDirectory
from tests.before_the_lock import do_before_the_lock


@pytest.fixture
def outside(tmp_path):
    """A directory that must never be touched."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "precious").write_text("data")
    return directory


@pytest.fixture
def directory(tmp_path):
    directory = CacheDirectory(tmp_path / "cache")
    yield directory
    directory.close()


def found(directory: CacheDirectory) -> dict[str, int | None]:
    walked = directory.walk("", lambda descriptor, path: None)
    return {path: None if status is None else status.st_size for path, status in walked}


def test_a_missing_directory_is_made_for_the_cache(tmp_path):
    CacheDirectory(tmp_path / "a" / "b").close()

    assert (tmp_path / "a" / "b").is_dir()


def test_a_cache_lists_its_files_with_their_sizes_and_its_empty_directories(directory):
    (directory.path / "x.pdb" / "1").mkdir(parents=True)
    (directory.path / "x.pdb" / "1" / "x.sym").write_text("12345")
    (directory.path / "x.pdb" / "2").mkdir()
    (directory.path / "loose").write_text("")

    assert found(directory) == {"x.pdb/1/x.sym": 5, "x.pdb/2": None, "loose": 0}


def test_every_directory_is_watched_before_it_is_read(directory):
    (directory.path / "x.pdb" / "1").mkdir(parents=True)
    watched = []

    def watch(descriptor: int, path: str) -> None:
        watched.append(path)
        os.close(os.open(f"new-in-{len(watched)}", os.O_CREAT, dir_fd=descriptor))

    files = [path for path, status in directory.walk("", watch) if status]
    assert watched == ["", "x.pdb", "x.pdb/1"]
    assert files == ["new-in-1", "x.pdb/new-in-2", "x.pdb/1/new-in-3"]


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb", b" ", b"-rf", b"\x1b[31m", b"x" * 255, "é".encode()])
def test_a_file_of_any_name_can_be_listed_and_removed(directory, name):
    (directory.path / os.fsdecode(name)).mkdir()
    (directory.path / os.fsdecode(name) / os.fsdecode(name)).touch()

    (told,) = found(directory)
    assert os.fsencode(told) == name + b"/" + name
    directory.remove(told)
    assert directory.remove_empty(os.fsdecode(name))
    assert list(directory.path.iterdir()) == []


def test_links_and_special_files_are_not_files_of_the_cache(directory, outside):
    (directory.path / "link").symlink_to(outside / "precious")
    (directory.path / "linked").symlink_to(outside)
    (directory.path / "dangling").symlink_to("nothing")
    os.mkfifo(directory.path / "fifo")

    assert found(directory) == {}
    assert [directory.file(name) for name in ("link", "linked", "dangling", "fifo")] == [None] * 4


def test_a_directory_that_becomes_a_link_leads_nobody_out(directory, outside):
    (directory.path / "x.pdb").symlink_to(outside)

    assert directory.file("x.pdb/precious") is None
    directory.remove("x.pdb/precious")
    assert not directory.remove_empty("x.pdb")
    assert list(directory.walk("x.pdb", lambda descriptor, path: None)) == []
    assert directory.changed("x.pdb") is None
    assert (outside / "precious").read_text() == "data"


def test_a_directory_that_becomes_a_link_while_it_is_read_is_left_alone(directory, outside):
    (directory.path / "x.pdb").mkdir()

    def replace(descriptor: int, path: str) -> None:
        if path == "":
            (directory.path / "x.pdb").rmdir()
            (directory.path / "x.pdb").symlink_to(outside)

    assert list(directory.walk("", replace)) == []


def test_removing_a_missing_file_is_not_an_error(directory):
    directory.remove("x.pdb/1/x.sym")
    assert directory.file("x.pdb/1/x.sym") is None
    assert directory.changed("x.pdb") is None
    assert not directory.remove_empty("x.pdb")


def test_a_directory_with_anything_in_it_stays(directory):
    (directory.path / "x.pdb").mkdir()
    (directory.path / "x.pdb" / "link").symlink_to("nothing")

    assert not directory.remove_empty("x.pdb")


def test_files_deeper_than_any_symbols_are_left_alone(directory, caplog):
    descriptor = os.open(directory.path, os.O_RDONLY)
    for level in range(500):  # far more than a path may hold
        os.mkdir("deep-directory", dir_fd=descriptor)
        if level == 3:
            os.close(os.open("file", os.O_CREAT, dir_fd=descriptor))
        deeper = os.open("deep-directory", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(os.open("file", os.O_CREAT, dir_fd=descriptor))
    os.close(descriptor)

    assert list(found(directory)) == ["deep-directory/" * 3 + "file"]
    assert len(caplog.messages) == 1
    assert MAXIMUM_DEPTH < 100


def test_only_one_manager_may_lock_a_cache(tmp_path):
    one, other = CacheDirectory(tmp_path), CacheDirectory(tmp_path)
    assert one.lock()
    assert not other.lock()
    one.close()
    assert other.lock()
    other.close()


def test_a_replaced_directory_is_not_current(directory):
    assert directory.is_current()
    directory.path.rmdir()
    assert not directory.is_current()
    directory.path.mkdir()
    assert not directory.is_current()


def test_a_directory_that_is_replaced_before_it_is_locked_is_not_locked(directory, monkeypatch):
    def replaced() -> None:
        directory.path.rmdir()
        directory.path.mkdir()

    do_before_the_lock(monkeypatch, replaced)
    assert not directory.lock()
