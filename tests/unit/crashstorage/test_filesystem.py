from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import crash_date, new_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.filesystem import LEFT_OVER_AGE, TEMPORARY_SUFFIX, FileSystemCrashStorage
from socorro_processor.errors import (
    CrashIDNotFound,
    NoStoreYetError,
    PermanentStorageError,
    TransientStorageError,
)

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
RAW = {"ProductName": "Lightbox"}
PROCESSED = {"uuid": CRASH, "signature": "main"}
NOBODY = 65534


def store_in(root: Path) -> FileSystemCrashStorage:
    return FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(root)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "crashes"


@pytest.fixture
def store(root: Path) -> FileSystemCrashStorage:
    return store_in(root)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "socorro-test", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here: that takes root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def files_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())


def directories_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_dir())


def in_a_child(work: Callable[[], object]) -> int:
    """Start ``work`` in a process of its own; return its id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_the_parts_of_a_crash_are_files_under_the_names_of_the_layout(store, root):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"main", "browser": b"browser"}, CRASH)
    store.save_processed(PROCESSED)
    assert files_below(root) == [
        f"v1/browser/{CRASH}",
        f"v1/dump/{CRASH}",
        f"v1/dump_names/{CRASH}",
        f"v1/processed_crash/{CRASH}",
        f"v2/raw_crash/0bb/20161123/{CRASH}",
    ]
    assert (root / f"v1/dump_names/{CRASH}").read_bytes() == b'["upload_file_minidump","browser"]'


def test_the_processors_result_is_saved_without_the_raw_crash_that_is_there_already(store, root):
    store.save_raw_and_processed(RAW, {MAIN_DUMP: b"main"}, PROCESSED, CRASH)
    assert files_below(root) == [f"v1/processed_crash/{CRASH}"]


def test_strangers_on_the_machine_can_read_nothing(store, root):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"main"}, CRASH)
    assert all(path.stat().st_mode & 0o007 == 0 for path in root.rglob("*"))


def test_removing_the_last_crash_leaves_an_empty_store(store, root):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"main", "browser": b"browser"}, CRASH)
    store.save_processed(PROCESSED)
    store.remove(CRASH)
    assert files_below(root) == []
    assert directories_below(root) == ["v1", "v2"]


def test_removing_a_crash_leaves_its_neighbours(store):
    neighbour = CRASH[:7] + "6" + CRASH[8:]
    for crash_id in (CRASH, neighbour):
        store.save_raw_crash(RAW, {MAIN_DUMP: b"main"}, crash_id)
    store.remove(CRASH)
    assert store.get_raw_crash(neighbour) == RAW
    assert store.get_raw_dumps(neighbour) == {MAIN_DUMP: b"main"}


def test_a_crash_is_new_until_it_is_processed(store, root):
    other = new_crash_id()
    for crash_id in (CRASH, other):
        store.save_raw_crash(RAW, {}, crash_id)
    store.save_processed(PROCESSED)
    (root / "v2/raw_crash/0bb/20161123/README").write_text("none of ours")
    (root / f"v2/raw_crash/0bb/20161123/.{other}.1{TEMPORARY_SUFFIX}").write_text("{")
    assert list(store.new_crashes()) == [other]


# Disks and permissions


def test_a_full_disk_is_the_stores_fault_and_leaves_what_was_there(small_disk):
    store = store_in(small_disk / "crashes")
    store.save_raw_crash(RAW, {MAIN_DUMP: b"old"}, CRASH)
    before = files_below(small_disk)
    with pytest.raises(TransientStorageError, match=rf"write {small_disk}/.*No space left.*free space"):
        store.save_raw_crash(RAW, {MAIN_DUMP: b"x" * 2_000_000}, CRASH)
    assert files_below(small_disk) == before
    assert store.get_raw_dumps(CRASH) == {MAIN_DUMP: b"old"}


def test_a_full_disk_is_noticed_for_dumps_that_are_files_too(small_disk, tmp_path):
    store = store_in(small_disk / "crashes")
    dump = tmp_path / "dump"
    dump.write_bytes(b"x" * 2_000_000)
    with pytest.raises(TransientStorageError, match="No space left"):
        store.save_raw_crash(RAW, {MAIN_DUMP: dump}, CRASH)
    assert not [name for name in files_below(small_disk) if name.endswith(TEMPORARY_SUFFIX)]


def test_if_dumps_cannot_be_copied_to_their_reader_the_crash_is_not_at_fault(small_disk, store):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"x" * 2_000_000}, CRASH)
    with pytest.raises(TransientStorageError, match=rf"write {small_disk}/.*No space left"):
        store.get_raw_dumps_as_files(CRASH, small_disk)


def test_a_disk_that_was_made_read_only_is_the_stores_fault(small_disk):
    store = store_in(small_disk / "crashes")
    store.save_processed(PROCESSED)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(TransientStorageError, match=r"Read-only.*read-write"):
        store.save_processed(PROCESSED)
    with pytest.raises(TransientStorageError, match="Read-only"):
        store.check()
    assert store.get_unredacted_processed(CRASH) == PROCESSED


def test_a_file_larger_than_the_file_system_takes_is_the_crashs_fault(store, root):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(PermanentStorageError, match="File too large"):
            store.save_raw_crash(RAW, {MAIN_DUMP: b"x" * 200_000}, CRASH)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_below(root) == [f"v1/dump_names/{CRASH}"]


def test_a_directory_that_may_not_be_written_is_the_stores_fault(store, root):
    store.save_processed(PROCESSED)
    for directory in (root, root / "v1", root / "v1/processed_crash"):
        directory.chmod(0o500)
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    try:
        for attempt in (store.check, lambda: store.save_processed(PROCESSED)):
            with pytest.raises(TransientStorageError, match="Permission denied: let the processor's user"):
                attempt()
    finally:
        os.seteuid(user)


def test_a_store_that_is_no_longer_mounted_does_not_call_a_crash_unknown(store, root, tmp_path):
    store.save_raw_crash(RAW, {}, CRASH)
    root.rename(tmp_path / "elsewhere")
    for attempt in (
        lambda: store.get_raw_crash(CRASH),
        lambda: store.get_raw_dumps_as_files(CRASH, tmp_path),
        lambda: store.get_unredacted_processed(CRASH),
        lambda: store.save_processed(PROCESSED),
        lambda: store.remove(CRASH),
        lambda: list(store.raw_crash_ids(crash_date(CRASH))),
        lambda: store.missing_processed([CRASH]),
        store.check,
    ):
        with pytest.raises(TransientStorageError, match="mounted"):
            attempt()
    assert not root.exists()


def test_a_directory_is_not_a_processed_crash(store, root, tmp_path):
    store.save_raw_crash(RAW, {}, CRASH)
    (tmp_path / "other").write_text("{}")
    (root / "v1/processed_crash").mkdir()
    (root / "v1/processed_crash" / CRASH).symlink_to(tmp_path / "other")
    assert store.missing_processed([CRASH]) == {CRASH}


def test_checking_a_store_leaves_nothing_behind(store, root):
    store.save_raw_crash(RAW, {}, CRASH)
    before = files_below(root)
    store.check()
    assert files_below(root) == before


def test_a_store_that_could_not_be_made_at_the_start_is_made_once_it_can_be(tmp_path):
    (tmp_path / "disk").write_text("in the way")
    store = store_in(tmp_path / "disk/crashes")
    for attempt in (store.check, lambda: store.save_processed(PROCESSED)):
        with pytest.raises(TransientStorageError):
            attempt()
    (tmp_path / "disk").unlink()
    store.save_processed(PROCESSED)
    store.check()
    assert store.get_unredacted_processed(CRASH) == PROCESSED


def test_a_root_on_a_disk_that_was_read_only_at_the_start_is_made_once_it_can_be(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = store_in(small_disk / "crashes")
    with pytest.raises(TransientStorageError, match=r"Read-only.*read-write"):
        store.check()
    with pytest.raises(TransientStorageError, match=r"Read-only.*read-write"):
        store.save_raw_crash(RAW, {}, CRASH)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    store.save_raw_crash(RAW, {}, CRASH)
    store.check()
    assert store.get_raw_crash(CRASH) == RAW


@pytest.mark.parametrize("root_is_there", [True, False])
def test_a_missing_store_is_reported_and_reading_does_not_make_it(root, tmp_path, root_is_there):
    if root_is_there:
        root.mkdir()
    store = store_in(root)
    for top, reads in {
        "v1": [
            lambda: store.get_unredacted_processed(CRASH),
            lambda: store.get_raw_dump(CRASH),
            lambda: store.get_raw_dumps_as_files(CRASH, tmp_path),
            lambda: store.remove(CRASH),
            lambda: store.missing_processed([CRASH]),
        ],
        "v2": [
            lambda: store.get_raw_crash(CRASH),
            lambda: list(store.new_crashes()),
            lambda: list(store.raw_crash_ids(crash_date(CRASH))),
        ],
    }.items():
        for read in reads:
            with pytest.raises(TransientStorageError, match=f"no directory {root}/{top}: .*mounted"):
                read()
    assert root.exists() == root_is_there
    assert directories_below(tmp_path) == (["crashes"] if root_is_there else [])


@pytest.mark.parametrize("tops", [(), ("",), ("v2",), ("v1",)])
def test_a_store_that_nobody_has_written_to_yet_is_healthy(root, tmp_path, tops):
    for top in tops:
        (root / top).mkdir(parents=True)
    store = store_in(root)
    before = directories_below(tmp_path)
    store.check()
    assert store.examine() == ("" if tops in (("v1",), ("v2",)) else f"{root} will be made")
    assert directories_below(tmp_path) == before


def test_an_examination_finds_what_prevents_writing_and_writes_nothing(store, root):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"MD"}, CRASH)
    left_over(root / f"v1/dump/.{CRASH}.0123{TEMPORARY_SUFFIX}", LEFT_OVER_AGE + 60)
    before = files_below(root)
    changed = {path: path.stat().st_mtime_ns for path in (root, *root.rglob("*"))}
    assert store.examine() == ""
    assert files_below(root) == before
    assert {path: path.stat().st_mtime_ns for path in (root, *root.rglob("*"))} == changed
    (root / "v1/dump").chmod(0o500)
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    try:
        with pytest.raises(TransientStorageError, match="Permission denied: let the processor's user"):
            store.examine()
    finally:
        os.seteuid(user)


def test_an_examination_finds_a_full_disk(small_disk):
    store = store_in(small_disk / "crashes")
    assert store.examine() == f"{small_disk}/crashes will be made"
    with contextlib.suppress(OSError), (small_disk / "ballast").open("wb") as ballast:
        while True:
            ballast.write(bytes(4096))
    with pytest.raises(TransientStorageError, match=r"No space left.*free space"):
        store.examine()


def test_if_only_processed_crashes_were_saved_no_raw_crash_is_called_unknown(store, root):
    store.save_processed(PROCESSED)
    store.check()
    with pytest.raises(TransientStorageError, match=f"no directory {root}/v2"):
        store.get_raw_crash(CRASH)


def test_a_store_that_another_thread_makes_during_a_look_is_not_one_that_has_lost_its_directory(root):
    class MadeAfterTheLook(type(root)):
        """The root of a store; a crash is saved right after the first look for one of its directories."""

        def __truediv__(self, name):
            path = super().__truediv__(name)
            return LookedAt(path) if name == "v2" else path

    class LookedAt(type(root)):
        def is_dir(self):
            found = super().is_dir()
            if not found:
                store._root = root
                store.save_raw_crash(RAW, {}, CRASH)
            return found

    store = store_in(root)
    store._root = MadeAfterTheLook(root)
    with pytest.raises(NoStoreYetError):
        store._check_tops("v2")
    assert store.get_raw_crash(CRASH) == RAW


@pytest.mark.parametrize("saw_it", [lambda store: store.check(), lambda store: store.get_raw_crash(CRASH)])
def test_no_store_is_made_in_the_place_of_one_that_was_seen_there(root, tmp_path, saw_it):
    store = store_in(root)
    store_in(root).save_raw_crash(RAW, {}, CRASH)
    saw_it(store)
    root.rename(tmp_path / "elsewhere")
    root.mkdir()
    for save in (lambda: store.save_processed(PROCESSED), lambda: store.save_raw_crash(RAW, {}, CRASH)):
        with pytest.raises(TransientStorageError, match=r"any more: .*mounted"):
            save()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    "obstacle", [lambda path: path.write_text("a file"), lambda path: path.symlink_to("/nowhere/at/all")]
)
def test_a_file_in_the_place_of_a_directory_is_the_stores_fault(store, root, obstacle):
    (root / "v1").mkdir(parents=True)
    obstacle(root / "v1/processed_crash")
    with pytest.raises(TransientStorageError):
        store.save_processed(PROCESSED)


def test_a_path_that_is_too_long_is_a_permanent_failure(tmp_path):
    store = store_in(tmp_path / ("x" * 300))
    with pytest.raises(PermanentStorageError, match=os.strerror(errno.ENAMETOOLONG)):
        store.save_processed(PROCESSED)


def test_a_dump_file_that_is_not_there_is_named(store, tmp_path):
    with pytest.raises(TransientStorageError, match=re.escape(f"read the dump {tmp_path / 'gone'}")):
        store.save_raw_crash(RAW, {MAIN_DUMP: tmp_path / "gone"}, CRASH)
    with pytest.raises(CrashIDNotFound):
        store.get_raw_crash(CRASH)


# Links and special files


def test_a_link_in_the_place_of_an_object_is_not_followed(store, root, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text('{"password": "x"}')
    store.save_processed(PROCESSED)
    stored = root / f"v1/processed_crash/{CRASH}"
    stored.unlink()
    stored.symlink_to(secret)
    with pytest.raises(PermanentStorageError, match="symbolic link"):
        store.get_unredacted_processed(CRASH)


def test_saving_replaces_a_link_and_not_what_it_leads_to(store, root, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (root / "v1/processed_crash").mkdir(parents=True)
    (root / f"v1/processed_crash/{CRASH}").symlink_to(precious)
    store.save_processed(PROCESSED)
    assert precious.read_text() == "precious"
    assert store.get_unredacted_processed(CRASH) == PROCESSED


def test_a_pipe_in_the_place_of_an_object_is_not_waited_for(store, root):
    (root / "v1/processed_crash").mkdir(parents=True)
    os.mkfifo(root / f"v1/processed_crash/{CRASH}")
    with pytest.raises(PermanentStorageError, match="not a regular file"):
        store.get_unredacted_processed(CRASH)


def test_a_link_in_the_place_of_a_readers_file_is_not_followed(store, tmp_path):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"main"}, CRASH)
    (tmp_path / f"{CRASH}.{MAIN_DUMP}.dump").symlink_to(tmp_path / "precious")
    with pytest.raises(PermanentStorageError):
        store.get_raw_dumps_as_files(CRASH, tmp_path)
    assert not (tmp_path / "precious").exists()


# Killed writers


def test_a_writer_killed_in_the_middle_of_a_dump_leaves_the_former_one(store, root, tmp_path):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"old"}, CRASH)
    before = files_below(root)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    child = in_a_child(lambda: store.save_raw_crash({"new": 1}, {MAIN_DUMP: pipe}, CRASH))
    with pipe.open("wb", buffering=0) as source:
        # More than a pipe holds: once all is written, the child has most of it in its file.
        source.write(b"x" * 1_000_000)
        kill(child)

    (left_over,) = set(files_below(root)) - set(before)
    assert re.fullmatch(rf"v1/dump/\.{CRASH}\.[0-9a-f]+{re.escape(TEMPORARY_SUFFIX)}", left_over)
    assert store.get_raw_crash(CRASH) == RAW
    assert store.get_raw_dumps(CRASH) == {MAIN_DUMP: b"old"}
    store.save_raw_crash({"new": 1}, {MAIN_DUMP: b"new"}, CRASH)
    assert store.get_raw_dumps(CRASH) == {MAIN_DUMP: b"new"}


def left_over(path: Path, age: float) -> Path:
    """Make the file of a writer that was killed this many seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"MD")
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize(("age", "stays"), [(LEFT_OVER_AGE + 60, False), (LEFT_OVER_AGE - 60, True)])
@pytest.mark.parametrize("directory", ["v1", "v1/dump", "v1/processed_crash", "v1/upload_file_minidump_browser"])
def test_what_killed_writers_left_is_swept_by_the_first_check_once_it_is_old(root, directory, age, stays):
    path = left_over(root / directory / f".{CRASH}.0123{TEMPORARY_SUFFIX}", age)
    store = store_in(root)
    store.check()
    assert path.exists() == stays


def test_what_killed_writers_left_of_a_raw_crash_is_swept_by_the_next_one_beside_it(store, root):
    path = left_over(root / f"v2/raw_crash/0bb/20161123/.{CRASH}.0123{TEMPORARY_SUFFIX}", LEFT_OVER_AGE + 60)
    store.save_raw_crash(RAW, {}, CRASH)
    assert not path.exists()


@pytest.mark.parametrize("name", [f"{CRASH}.0123{TEMPORARY_SUFFIX}", f".{CRASH}", CRASH, f".x{TEMPORARY_SUFFIX}.txt"])
def test_nothing_but_what_writers_left_is_swept(root, name):
    path = left_over(root / "v1/dump" / name, 10 * LEFT_OVER_AGE)
    store_in(root).check()
    assert path.exists()


def test_a_file_that_is_still_being_written_is_not_swept_however_old_it_is(store, root, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    child = in_a_child(lambda: store.save_raw_crash(RAW, {MAIN_DUMP: pipe}, CRASH))
    with pipe.open("wb", buffering=0) as source:
        source.write(b"x" * 1_000_000)
        (path,) = (root / "v1/dump").iterdir()
        os.utime(path, (0, 0))
        store_in(root).check()
        assert path.exists()
    assert os.waitpid(child, 0)[1] == 0
    assert len(store.get_raw_dump(CRASH)) == 1_000_000


@pytest.mark.parametrize("saves", range(1, 16))
def test_a_writer_killed_at_any_time_leaves_whole_objects_that_can_be_removed(store, root, saves):
    versions = [{"uuid": CRASH, "text": letter * size} for letter, size in (("a", 1), ("b", 200_000), ("c", 9_000))]

    def save_forever() -> NoReturn:
        while True:
            for version in versions:
                dumps = {MAIN_DUMP: version["text"].encode(), f"dump_{version['text'][0]}": b"x"}
                store.save_raw_crash(version, dumps, CRASH)
                store.save_processed(version)
                os.write(progress, b".")

    done, progress = os.pipe()
    child = in_a_child(save_forever)
    for _ in range(saves):
        os.read(done, 1)
    kill(child)
    os.close(done)
    os.close(progress)

    assert store.get_raw_crash(CRASH) in versions
    assert store.get_unredacted_processed(CRASH) in versions
    assert store.get_raw_dump(CRASH).decode() in [version["text"] for version in versions]
    store.remove(CRASH)
    assert all(name.endswith(TEMPORARY_SUFFIX) for name in files_below(root))
