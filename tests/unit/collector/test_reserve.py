"""The reserve: space that is kept, given up piece by piece, and regained."""

from __future__ import annotations

import errno
import os
from contextlib import closing

from socorro_processor.collector.reserve import PIECE, Reserve


def test_the_space_is_really_taken_and_given_back_piece_by_piece(tmp_path):
    with closing(Reserve(tmp_path / "reserve", 2 * PIECE + 5)) as reserve:
        assert reserve.fill()
        assert (tmp_path / "reserve").stat().st_blocks * 512 >= 2 * PIECE + 5
        assert reserve.give_up_piece()
        assert reserve.size == PIECE + 5
        assert reserve.give_up_piece()
        assert reserve.give_up_piece()
        assert reserve.size == (tmp_path / "reserve").stat().st_size == 0
        assert not reserve.give_up_piece()


def test_a_file_that_only_has_the_size_takes_its_space_at_the_start(tmp_path):
    with (tmp_path / "reserve").open("wb") as file:
        file.truncate(PIECE)
    with closing(Reserve(tmp_path / "reserve", PIECE)) as reserve:
        assert reserve.fill()
        assert (tmp_path / "reserve").stat().st_blocks * 512 >= PIECE


def test_a_reserve_that_was_made_smaller_gives_the_rest_back(tmp_path):
    with closing(Reserve(tmp_path / "reserve", PIECE)) as reserve:
        reserve.fill()
    with closing(Reserve(tmp_path / "reserve", 1000)) as reserve:
        reserve.fill()
        assert (reserve.size, (tmp_path / "reserve").stat().st_size) == (1000, 1000)


def test_on_a_nearly_full_disk_it_is_as_large_as_there_is_room(tmp_path):
    def allocate(descriptor: int, start: int, length: int) -> None:
        if length > 2 * PIECE:
            os.posix_fallocate(descriptor, start, length - PIECE // 2)
            raise OSError(errno.ENOSPC, "No space left on device")
        os.posix_fallocate(descriptor, start, length)

    with closing(Reserve(tmp_path / "reserve", 4 * PIECE, allocate)) as reserve:
        assert not reserve.fill()
        assert reserve.size == (tmp_path / "reserve").stat().st_size == 2 * PIECE


def test_a_file_system_that_cannot_preallocate_is_said_once(tmp_path, caplog):
    def allocate(descriptor: int, start: int, length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    with closing(Reserve(tmp_path / "reserve", PIECE, allocate)) as reserve:
        assert not reserve.fill()
        assert not reserve.fill()
    assert [record.getMessage() for record in caplog.records] == [
        f"no space can be kept in {tmp_path / 'reserve'}: Operation not supported"
    ]
