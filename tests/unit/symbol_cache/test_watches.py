"""Events of inotify for real directories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socorro_processor.symbol_cache.watches import Happened, Watches

MAXIMUM_EVENTS = Path("/proc/sys/fs/inotify/max_queued_events")


@pytest.fixture
def watches():
    watches = Watches()
    yield watches
    watches.close()


@pytest.fixture
def watch(watches, tmp_path):
    """Watch a directory below the root."""

    def add(path: str = "") -> None:
        descriptor = os.open(tmp_path / path, os.O_RDONLY)
        watches.add(descriptor, path)
        os.close(descriptor)

    return add


def read(watches) -> list[tuple[Happened, str]]:
    return list(watches.read(0))


def overflow(directory: Path) -> None:
    """Cause more events than the kernel keeps for a process that does not read them."""
    files = [directory / "a", directory / "b"]
    for file in files:
        file.touch()
    for number in range(int(MAXIMUM_EVENTS.read_text()) + 1):
        os.close(os.open(files[number % 2], os.O_RDONLY))


def test_writing_opening_and_deleting_a_file_are_events(watches, watch, tmp_path):
    watch()
    (tmp_path / "f").write_text("x")
    assert read(watches) == [
        (Happened.CHANGED, "f"),
        (Happened.OPENED, "f"),
        (Happened.CHANGED, "f"),
        (Happened.ARRIVED, "f"),
    ]
    (tmp_path / "f").read_text()
    assert read(watches) == [(Happened.OPENED, "f")]
    (tmp_path / "f").unlink()
    assert read(watches) == [(Happened.CHANGED, "f")]


def test_moving_a_file_in_and_out_are_events(watches, watch, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "f").touch()
    watch("d")
    (tmp_path / "f").rename(tmp_path / "d" / "f")
    (tmp_path / "d" / "f").rename(tmp_path / "f")
    assert read(watches) == [(Happened.ARRIVED, "d/f"), (Happened.CHANGED, "d/f")]


def test_the_arrival_and_removal_of_a_directory_are_events(watches, watch, tmp_path):
    (tmp_path / "d").mkdir()
    watch("d")
    (tmp_path / "d" / "e").mkdir()
    (tmp_path / "d" / "e").rename(tmp_path / "e")
    (tmp_path / "e").rename(tmp_path / "d" / "f")
    assert read(watches) == [
        (Happened.DIRECTORY_CAME, "d/e"),
        (Happened.DIRECTORY_LEFT, "d/e"),
        (Happened.DIRECTORY_CAME, "d/f"),
    ]


def test_reading_a_directory_is_not_an_event(watches, watch, tmp_path):
    (tmp_path / "d").mkdir()
    watch()
    watch("d")
    list((tmp_path / "d").iterdir())
    list(tmp_path.iterdir())
    assert read(watches) == []


def test_a_removed_directory_is_no_longer_watched(watches, watch, tmp_path):
    (tmp_path / "d").mkdir()
    watch("d")
    (tmp_path / "d").rmdir()
    assert read(watches) == []
    assert len(watches) == 0


def test_a_directory_that_was_moved_away_can_be_forgotten_with_all_below(watches, watch, tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "dd").mkdir()
    for path in ("", "d", "d/e", "dd"):
        watch(path)
    watches.remove_below("d")
    (tmp_path / "d" / "f").touch()
    (tmp_path / "d" / "e" / "f").touch()
    (tmp_path / "dd" / "f").touch()
    assert {path for _, path in read(watches)} == {"dd/f"}


def test_a_name_of_strange_bytes_comes_through(watches, watch, tmp_path):
    watch()
    (tmp_path / os.fsdecode(b"\xff\n")).touch()
    assert {os.fsencode(path) for _, path in read(watches)} == {b"\xff\n"}


def test_collected_events_come_first_and_once(watches, watch, tmp_path):
    watch()
    (tmp_path / "a").mkdir()
    watches.collect()
    (tmp_path / "b").mkdir()
    assert [path for _, path in read(watches)] == ["a", "b"]
    assert read(watches) == []


def test_events_after_an_overflow_are_known_to_be_lost(watches, watch, tmp_path):
    watch()
    overflow(tmp_path)
    events = read(watches)
    assert events[-1] == (Happened.OVERFLOWED, "")
    (tmp_path / "a").unlink()
    assert read(watches) == [(Happened.CHANGED, "a")]
