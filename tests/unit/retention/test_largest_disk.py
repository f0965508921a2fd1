"""A bound that is made from the size of a disk does not go down with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from socorro_processor.machine.disk_space import disk_of
from socorro_processor.retention.largest_disk import FILE, largest_disk


@pytest.fixture
def noted(tmp_path):
    """The file in which the size is noted."""
    file = tmp_path / FILE
    file.parent.mkdir()
    return file


def test_the_size_of_a_disk_is_that_which_the_file_system_says(tmp_path):
    assert largest_disk(tmp_path) == disk_of(tmp_path).size > 0


def test_a_disk_that_shrank_has_the_size_that_it_had(tmp_path, noted):
    before = disk_of(tmp_path).size + 1
    noted.write_text(str(before))
    assert largest_disk(tmp_path) == before
    assert noted.read_text() == str(before)


def test_a_disk_that_grew_has_the_new_size(tmp_path, noted):
    noted.write_text("1000")
    assert largest_disk(tmp_path) == disk_of(tmp_path).size == int(noted.read_text())
    assert [each.name for each in noted.parent.iterdir()] == [noted.name]


@pytest.mark.parametrize("text", ["", "much", "-5", "1e30", "٣٤", "\x00"])
def test_a_damaged_note_is_written_anew(tmp_path, noted, text):
    noted.write_text(text)
    assert largest_disk(tmp_path) == disk_of(tmp_path).size == int(noted.read_text())


def test_a_note_that_cannot_be_written_leaves_the_size_of_today(tmp_path):
    (tmp_path / Path(FILE).parent).write_text("in the way")
    assert largest_disk(tmp_path) == disk_of(tmp_path).size


def test_no_store_is_made_for_the_note(tmp_path):
    root = tmp_path / "not-made-yet"
    assert largest_disk(root) == disk_of(tmp_path).size
    assert not root.exists()
