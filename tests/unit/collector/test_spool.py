"""The spool: what was answered is on the disk, whole, in order; what was not is gone."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from socorro_processor.collector import reserve as reserve_module
from socorro_processor.collector.spool import NotInSpool, Spool, SpoolFailing, SpoolFull
from socorro_processor.collector.spooled_crash import Contents, DamagedCrash, Span
from socorro_processor.crash_id import new_crash_id
from socorro_processor.errors import ConfigurationError
from tests.collector_site import FailingDisk

DUMP = b"MDMP" + bytes(range(256)) * 64


@contextmanager
def spool_in(directory: Path, reserve: int = 0, **options):
    spool = Spool(directory / "spool", reserve, **options)
    try:
        yield spool
    finally:
        spool.close()


def contents_of(dump: bytes, crash_id: str = "") -> Contents:
    crash_id = crash_id or new_crash_id()
    span = Span("upload_file_minidump", 0, len(dump), hashlib.sha256(dump).hexdigest())
    return Contents(crash_id, {"uuid": crash_id, "ProductName": "Browser"}, (span,), "normal", span.sha256)


def commit(spool: Spool, dump: bytes = DUMP, crash_id: str = ""):
    file = spool.begin()
    file.write(dump)
    return spool.commit(file, contents_of(dump, crash_id))


def names(directory: Path, name: str) -> list[str]:
    return sorted(path.name for path in (directory / "spool" / name).iterdir())


def test_a_committed_upload_is_read_back_as_it_was_written(tmp_path):
    with spool_in(tmp_path) as spool:
        file = spool.begin()
        file.write(DUMP[:1000])
        file.write(DUMP[1000:])
        contents = contents_of(DUMP)
        entry = spool.commit(file, contents)
        with spool.open(entry) as crash:
            assert crash.contents == contents
            assert crash.read(contents.files[0]) == DUMP
        assert (spool.depth, spool.size) == (1, entry.size)
        assert names(tmp_path, "writing") == []


def test_the_next_process_finds_committed_uploads_in_the_order_of_their_arrival_and_nothing_else(tmp_path):
    with spool_in(tmp_path) as spool:
        entries = [commit(spool) for _ in range(12)]
        half = spool.begin()
        half.write(DUMP)
    with spool_in(tmp_path) as spool:
        assert [entry.name for entry in spool.oldest(100)] == [entry.name for entry in entries]
        assert names(tmp_path, "writing") == []
        assert commit(spool).name > entries[-1].name
    half.close()


def test_the_numbers_go_on_behind_crashes_that_were_set_aside(tmp_path):
    with spool_in(tmp_path) as spool:
        spool.set_aside(commit(spool), "a reason")
    with spool_in(tmp_path) as spool:
        assert commit(spool).name.startswith("000000000002-")


def test_two_processes_cannot_use_one_spool(tmp_path):
    with spool_in(tmp_path):
        program = (
            "import sys; from pathlib import Path\n"
            "from socorro_processor.collector.spool import Spool\n"
            "from socorro_processor.errors import ConfigurationError\n"
            "try: Spool(Path(sys.argv[1]), 0)\n"
            "except ConfigurationError as error: print(error)\n"
        )
        arguments = [sys.executable, "-c", program, str(tmp_path / "spool")]
        output = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
        assert output == f"another collector uses the spool {tmp_path / 'spool'}: stop it, or set collector.spool\n"


def test_a_spool_in_the_place_of_a_file_says_what_to_set(tmp_path):
    (tmp_path / "spool").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot use the spool .*: Not a directory; .* collector\.spool"):
        Spool(tmp_path / "spool", 0)


def test_only_the_user_of_the_collector_can_read_uploads(tmp_path):
    with spool_in(tmp_path) as spool:
        entry = commit(spool)
        ready = tmp_path / "spool" / "ready"
        assert (ready.stat().st_mode & 0o777, (ready / entry.name).stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_data_are_on_the_disk_before_the_name_and_the_name_before_the_answer(tmp_path):
    disk = FailingDisk()
    with spool_in(tmp_path, disk=disk) as spool:
        disk.done.clear()
        commit(spool)
        done = [name for name in disk.done if name != "write"]
        assert done == ["create", "synchronize", "rename", "synchronize directory"]
        assert disk.done.index("synchronize") > max(i for i, name in enumerate(disk.done) if name == "write")


@pytest.mark.parametrize("operation", ["create", "write", "synchronize", "rename", "synchronize directory"])
@pytest.mark.parametrize(
    ("number", "error"), [(errno.EIO, SpoolFailing), (errno.EROFS, SpoolFailing), (errno.ENOSPC, SpoolFull)]
)
def test_an_upload_that_the_disk_does_not_take_is_refused_and_leaves_nothing(tmp_path, operation, number, error):
    disk = FailingDisk()
    with spool_in(tmp_path, disk=disk) as spool:
        disk.fails[operation] = number
        with pytest.raises(error, match=os.strerror(number)):
            commit(spool)
        assert os.strerror(number) in spool.failure
        disk.fails.clear()
        assert names(tmp_path, "ready") == []
        assert spool.depth == 0
        spool.look_after_disk()
        assert spool.failure == ""
        commit(spool)
    with spool_in(tmp_path) as spool:
        assert (spool.depth, names(tmp_path, "writing")) == (1, [])


def test_a_disk_that_fails_is_looked_at_until_it_works_again(tmp_path):
    disk = FailingDisk()
    with spool_in(tmp_path, disk=disk) as spool:
        disk.fails["synchronize"] = errno.EIO
        for _ in range(2):
            with pytest.raises(SpoolFailing):
                commit(spool)
            spool.look_after_disk()
            assert "Input/output error" in spool.failure
            assert names(tmp_path, "writing") == []
        disk.fails.clear()
        spool.look_after_disk()
        assert spool.failure == ""


def test_data_that_were_lost_in_a_synchronization_are_not_believed_at_a_second_one(tmp_path):
    # A full disk would be tried again; but the kernel reports a failed write once only.
    class Once(FailingDisk):
        def synchronize(self, descriptor):
            self._do("synchronize")
            self.fails.clear()
            raise OSError(errno.ENOSPC, "No space left on device")

    disk = Once()
    with spool_in(tmp_path, 1 << 20, disk=disk) as spool:
        with pytest.raises(SpoolFull):
            commit(spool)
        assert disk.done.count("synchronize") == 1


def test_while_the_disk_is_full_uploads_take_the_reserve_and_then_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reserve_module, "PIECE", 100_000)

    class Full(FailingDisk):
        """A disk on which only what the reserve gives up can be written."""

        def write(self, descriptor, data):
            used = sum(path.stat().st_size for path in (tmp_path / "spool" / "ready").iterdir())
            used += sum(path.stat().st_size for path in (tmp_path / "spool" / "writing").iterdir())
            self.room = max(0, 300_000 - (tmp_path / "spool" / "reserve").stat().st_size - used)
            return super().write(descriptor, data)

    dump = b"x" * 80_000
    with spool_in(tmp_path, 300_000, disk=Full()) as spool:
        assert spool.reserve == 300_000
        entries = [commit(spool, dump) for _ in range(3)]
        assert spool.reserve == 0
        with pytest.raises(SpoolFull, match=r"cannot write in the spool .*: No space left on device"):
            commit(spool, dump)
        for entry in entries:
            with spool.open(entry) as crash:
                crash.check()
            spool.remove(entry)
        spool.look_after_disk()
        assert spool.reserve == 300_000
        commit(spool, dump)


def break_off(data: bytes) -> bytes:
    return data[:-1]


def lose_the_middle(data: bytes) -> bytes:
    return data[:1000] + data[2000:]


def flip_a_bit_of_the_dump(data: bytes) -> bytes:
    return data[:500] + bytes([data[500] ^ 1]) + data[501:]


def flip_a_bit_of_the_raw_crash(data: bytes) -> bytes:
    at = data.index(b"Browser")
    return data[:at] + b"b" + data[at + 1 :]


def zero_it(data: bytes) -> bytes:
    return bytes(len(data))


def empty_it(data: bytes) -> bytes:
    return b""


def say_that_the_raw_crash_is_huge(data: bytes) -> bytes:
    return data[:-40] + b"\xff" * 8 + data[-32:]


@pytest.mark.parametrize(
    "damage",
    [
        break_off,
        lose_the_middle,
        flip_a_bit_of_the_dump,
        flip_a_bit_of_the_raw_crash,
        zero_it,
        empty_it,
        say_that_the_raw_crash_is_huge,
    ],
)
def test_a_file_that_the_disk_has_damaged_is_noticed(tmp_path, damage):
    with spool_in(tmp_path) as spool:
        entry = commit(spool)
    path = tmp_path / "spool" / "ready" / entry.name
    path.write_bytes(damage(path.read_bytes()))
    with spool_in(tmp_path) as spool:
        (entry,) = spool.oldest(10)
        with pytest.raises(DamagedCrash), spool.open(entry) as crash:
            crash.check()


def test_a_crash_that_was_set_aside_has_words_beside_it_and_can_be_put_back(tmp_path):
    with spool_in(tmp_path) as spool:
        first, second = commit(spool), commit(spool)
        spool.set_aside(first, "the store does not want it")
        assert names(tmp_path, "aside") == [first.name, f"{first.name}.why"]
        assert (tmp_path / "spool" / "aside" / f"{first.name}.why").read_text() == "the store does not want it\n"
        assert spool.oldest(10) == [second]
        assert spool.count_set_aside() == 1
        contents = spool.find_set_aside(first.crash_id)
        assert contents is not None
        assert contents.crash_id == first.crash_id

        (tmp_path / "spool" / "aside" / first.name).rename(tmp_path / "spool" / "ready" / first.name)
        spool.look_again()
        assert [entry.name for entry in spool.oldest(10)] == [first.name, second.name]
        assert spool.find_set_aside(first.crash_id) is None


def test_the_spool_holds_a_crash_until_it_is_handed_over_also_if_it_was_set_aside(tmp_path):
    with spool_in(tmp_path) as spool:
        first, second = commit(spool), commit(spool)
        spool.set_aside(first, "the store does not want it")
        assert [spool.holds(entry.crash_id) for entry in (first, second)] == [True, True]
        spool.remove(second)
        assert [spool.holds(entry.crash_id) for entry in (first, second)] == [True, False]
        assert not spool.holds(new_crash_id())


def test_files_that_are_not_of_the_spool_are_left_alone(tmp_path):
    with spool_in(tmp_path) as spool:
        entry = commit(spool)
    for name in ("README", "000000000009-not-a-crash-id", f"{entry.name}.bak"):
        (tmp_path / "spool" / "ready" / name).write_text("")
    with spool_in(tmp_path) as spool:
        assert [each.name for each in spool.oldest(10)] == [entry.name]
        assert len(names(tmp_path, "ready")) == 4


def test_a_file_that_somebody_removed_is_forgotten(tmp_path):
    with spool_in(tmp_path) as spool:
        entry = commit(spool)
        (tmp_path / "spool" / "ready" / entry.name).unlink()
        with pytest.raises(NotInSpool):
            spool.open(entry)
        assert (spool.depth, spool.size, spool.find(entry.crash_id)) == (0, 0, None)


def test_a_link_in_the_place_of_a_crash_is_not_followed(tmp_path):
    with spool_in(tmp_path) as spool:
        entry = commit(spool)
        path = tmp_path / "spool" / "ready" / entry.name
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(SpoolFailing, match="Too many levels of symbolic links"):
            spool.open(entry)


def test_the_age_is_that_of_the_oldest_crash_also_if_the_clock_was_set_back(tmp_path):
    now = 1_800_000_000.0
    with spool_in(tmp_path, wall_clock=lambda: now) as spool:
        assert spool.oldest_age == 0
        commit(spool)
        now += 60
        commit(spool)
        assert spool.oldest_age == 60
        now -= 600
        assert spool.oldest_age == 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(directory)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted only by root, with the right to")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def test_on_a_real_full_disk_uploads_take_the_reserve_and_none_is_half(small_disk, monkeypatch):
    monkeypatch.setattr(reserve_module, "PIECE", 1 << 20)
    with spool_in(small_disk, 2 << 20) as spool:
        assert spool.reserve == 2 << 20
        with (small_disk / "other").open("wb", 0) as other, suppress(OSError):
            while other.write(b"x" * 65536):
                pass
        assert os.statvfs(small_disk).f_bavail == 0
        entries = []
        with suppress(SpoolFull):
            while len(entries) < 100:
                entries.append(commit(spool, os.urandom(400_000)))
        assert 4 <= len(entries) < 100
        assert spool.reserve == 0
        for entry in entries:
            with spool.open(entry) as crash:
                crash.check()
    with spool_in(small_disk, 2 << 20) as spool:
        assert [each.name for each in spool.oldest(100)] == [entry.name for entry in entries]
        assert names(small_disk, "writing") == []
        (small_disk / "other").unlink()
        for entry in spool.oldest(100):
            spool.remove(entry)
        spool.look_after_disk()
        assert spool.reserve == 2 << 20
        commit(spool)
