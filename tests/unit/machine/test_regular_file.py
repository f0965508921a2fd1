"""Files that are replaced as a whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socorro_processor.machine.regular_file import NotAFile, read_regular_file, replacing


def test_a_file_takes_the_place_of_another_with_its_mode(tmp_path: Path):
    path = tmp_path / "data.json"
    path.write_text("old")
    path.chmod(0o640)
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path):
    path = tmp_path / "data.json"
    path.write_text("old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.write("no bytes")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_named_temporary_file_of_a_killed_writer_is_overwritten(tmp_path: Path):
    path, temporary = tmp_path / "data.json", tmp_path / "unfinished"
    temporary.write_text("left by a killed writer")
    with replacing(path, temporary=temporary, durable=False) as file:
        file.write(b"new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path: Path):
    path, temporary, precious = tmp_path / "data.json", tmp_path / "unfinished", tmp_path / "precious"
    precious.write_text("data")
    temporary.symlink_to(precious)
    with pytest.raises(OSError, match="symbolic links"), replacing(path, temporary=temporary) as file:
        file.write(b"new")
    assert precious.read_text() == "data"
    assert not path.exists()


@pytest.mark.parametrize("durable", [True, False])
def test_a_durable_file_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch, durable):
    path = tmp_path / "data.json"
    synchronized = []
    monkeypatch.setattr(os, "fsync", lambda _: synchronized.append(path.exists()))
    with replacing(path, durable=durable) as file:
        file.write(b"new")
    assert synchronized == [False] * durable


def test_a_file_above_the_maximum_size_is_not_read(tmp_path: Path):
    path = tmp_path / "data.json"
    path.write_bytes(b"x" * 11)
    with pytest.raises(NotAFile, match="larger than 10 bytes"):
        read_regular_file(path, 10)
    assert read_regular_file(path, 11) == b"x" * 11
