"""``socorro cron filesystem-cleanup``: the crashes and files that it removes, and all that stay."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import CrashQueueBase, Depth, Depths
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.filesystem import LEFT_OVER_AGE, TEMPORARY_SUFFIX, FileSystemCrashStorage
from socorro_processor.fields import FieldTable
from socorro_processor.jobs.filesystem_cleanup import JOB
from socorro_processor.jobs.retention import ClockNotTrusted, NotRemoved
from socorro_processor.search.indexed_filesystem import IndexedFileSystemCrashStorage
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex
from tests.before_the_lock import do_before_the_lock
from tests.job_run import JobRun, noon

NOW = noon(2016, 11, 23)
TODAY = NOW.date()
RETENTION = {"cron__filesystem_cleanup__retention_days": 30}


class Installation:
    """Crashes, whose files are as old as their ids unless a test says otherwise."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "crashes"
        self.store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(self.root)))
        self.store.setup()
        self.queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(directory / "queue.sqlite"), idle_delay=0.01))
        self.job = JobRun(
            {"resource.filesystem.root": self.root, "new_crash_source.path": directory / "queue.sqlite"}, NOW
        )
        self.crash(0)

    def crash(self, age: int, *, files_of: int | None = None, processed: bool = True) -> str:
        crash_id = new_crash_id(TODAY - timedelta(days=age))
        self.store.save_raw_crash({}, {"upload_file_minidump": b"MDMP", "flash1": b"MDMP"}, crash_id)
        if processed:
            self.store.save_processed({"uuid": crash_id})
        self.touch(crash_id, age if files_of is None else files_of)
        return crash_id

    def touch(self, crash_id: str, age: int) -> None:
        moment = (NOW - timedelta(days=age)).timestamp()
        for file in self.files(crash_id):
            os.utime(file, (moment, moment))

    def files(self, crash_id: str) -> list[Path]:
        return sorted(path for path in self.root.rglob(crash_id) if path.is_file())

    def clean_up(self, *arguments: str, **options: object) -> str:
        outcome = self.job(JOB, *arguments, **RETENTION | options)
        assert outcome.succeeded
        return outcome.summary


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    with closing(installation.store), closing(installation.queue):
        yield installation


def test_nothing_is_left_of_a_crash_that_is_older_than_the_retention(installation):
    old, young = installation.crash(31), installation.crash(30)
    assert len(installation.files(old)) == 5

    assert installation.clean_up().startswith("1 crashes removed, 0 left-overs")
    assert installation.files(old) == []
    assert len(installation.files(young)) == 5
    assert not (installation.root / "v2" / "raw_crash" / old[:3] / f"{TODAY - timedelta(days=31):%Y%m%d}").exists()


def test_without_a_retention_every_crash_stays(installation):
    old = installation.crash(5000)

    summary = installation.job(JOB).summary
    assert "retention_days is 0, so crashes stay for ever" in summary
    assert len(installation.files(old)) == 5


def test_a_dry_run_says_the_same_and_removes_nothing(installation):
    old = [installation.crash(31), installation.crash(31), installation.crash(33)]
    days = [TODAY - timedelta(days=33), TODAY - timedelta(days=31)]

    installation.job(JOB, dry_run=True, **RETENTION)
    lines = installation.job.lines
    assert [line.split()[:2] for line in lines] == [[str(days[0]), "1"], [str(days[1]), "2"], ["3", "crashes"]]
    assert all(len(installation.files(crash_id)) == 5 for crash_id in old)
    assert installation.clean_up().startswith("3 crashes removed")


@pytest.mark.parametrize("state", ["waits", "is in work", "is parked"])
def test_a_crash_that_a_processor_or_an_operator_may_still_need_stays(installation, state):
    crash_id = installation.crash(40, processed=False)
    installation.queue.submit(crash_id)
    if state != "waits":
        delivery = next(delivery for delivery in installation.queue.new_crashes() if delivery)
        installation.queue.begin(delivery)
        if state == "is parked":
            installation.queue.park(delivery, "5 attempts")

    summary = installation.clean_up()
    assert summary.startswith("0 crashes removed")
    assert summary.endswith(f"; looked in {installation.root}")
    assert len(installation.files(crash_id)) == 4


def test_a_crash_of_an_old_id_that_is_being_written_or_was_processed_again_stays(installation):
    written = installation.crash(40, files_of=0, processed=False)
    again = installation.crash(40)
    installation.store.save_processed({"uuid": again})  # now, after 2016

    assert installation.clean_up().startswith("0 crashes removed")
    assert len(installation.files(written)) == 4
    assert len(installation.files(again)) == 5


def test_a_crash_that_is_dated_in_the_future_is_as_old_as_its_files(installation):
    stays, goes = installation.crash(-400, files_of=3), installation.crash(-400, files_of=40)

    assert installation.clean_up().startswith("1 crashes removed")
    assert installation.files(goes) == []
    assert len(installation.files(stays)) == 5


def test_the_remains_of_an_interrupted_removal_go_too(installation):
    dump_alone, processed_alone = installation.crash(31), installation.crash(31)
    for file in installation.files(dump_alone):
        if file.parent.name != "flash1":
            file.unlink()
    for file in installation.files(processed_alone):
        if file.parent.name != "processed_crash":
            file.unlink()

    assert installation.clean_up().startswith("2 crashes removed")
    assert installation.files(dump_alone) == installation.files(processed_alone) == []


def test_a_file_that_is_not_a_crash_is_left_alone(installation):
    strange = [installation.root / "v1" / "processed_crash" / "notes.txt", installation.root / "v2" / "x"]
    for path in strange:
        path.write_text("")
        os.utime(path, (0, 0))
    installation.clean_up()
    assert all(path.exists() for path in strange)


def test_temporary_files_of_killed_writers_go_and_those_being_written_stay(installation):
    folder = installation.files(installation.crash(0))[0].parent
    left, young, locked = (folder / f".{name}{TEMPORARY_SUFFIX}" for name in ("left", "young", "locked"))
    for path in (left, young, locked):
        path.write_bytes(b"")
    for path in (left, locked):
        long_ago = path.stat().st_mtime - LEFT_OVER_AGE - 60
        os.utime(path, (long_ago, long_ago))
    with locked.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "1 left-overs" in installation.job(JOB).summary
    assert (left.exists(), young.exists(), locked.exists()) == (False, True, True)


def test_a_file_that_has_replaced_a_leftover_stays(installation, monkeypatch):
    left = installation.files(installation.crash(0))[0].parent / f".left{TEMPORARY_SUFFIX}"
    left.write_bytes(b"")
    long_ago = left.stat().st_mtime - LEFT_OVER_AGE - 60
    os.utime(left, (long_ago, long_ago))
    with contextlib.ExitStack() as writer:

        def replaced() -> None:
            left.unlink()
            fcntl.flock(writer.enter_context(left.open("xb")), fcntl.LOCK_EX)

        do_before_the_lock(monkeypatch, replaced)
        assert "0 left-overs" in installation.job(JOB).summary
        assert left.exists()


def test_the_crashes_of_many_days_go_only_on_request(installation):
    old = [installation.crash(age) for age in (31, 32, 33)]
    with pytest.raises(NotRemoved, match=r"3 days .* run the job once with --maximum=3"):
        installation.clean_up("--maximum=2")
    assert all(len(installation.files(crash_id)) == 5 for crash_id in old)
    assert installation.clean_up("--maximum=3").startswith("3 crashes removed")


def test_a_clock_that_is_ahead_removes_nothing(installation):
    crash_id = installation.crash(1)
    installation.job.now = noon(2017, 3, 1)
    with pytest.raises(ClockNotTrusted):
        installation.clean_up()
    assert len(installation.files(crash_id)) == 5
    assert installation.clean_up("--trust-clock").startswith("2 crashes removed")


class Broker(CrashQueueBase):
    """A queue that cannot tell what waits in it."""

    waiting = 1

    def set_aside(self, state):
        return iter(())

    def depths(self):
        return Depths({"normal": Depth(Broker.waiting, 0, 0)}, parked=0, rejected=0)

    def close(self):
        pass


def test_nothing_is_removed_while_crashes_wait_in_a_queue_that_cannot_list_them(installation, monkeypatch):
    old = installation.crash(31)
    queue = {"new_crash_source__new_crash_source_class": class_name(Broker)}
    del installation.job.options["new_crash_source.path"]
    with pytest.raises(NotRemoved, match="1 crashes wait, and the queue cannot tell which"):
        installation.clean_up(**queue)
    assert len(installation.files(old)) == 5
    monkeypatch.setattr(Broker, "waiting", 0)
    assert installation.clean_up(**queue).startswith("1 crashes removed")


def test_without_crashes_in_directories_there_is_nothing_to_do(installation):
    null = "socorro_processor.crashstorage.null.NullCrashStorage"
    options = {"source__crashstorage_class": null, "destination__crashstorage_class": null}
    assert installation.clean_up(**options).startswith("nothing to do: neither source nor destination")


def test_removed_crashes_go_from_the_search_index_too(installation):
    config = defaults(IndexedFileSystemCrashStorage, root=str(installation.root))
    old, young = installation.crash(31), installation.crash(1)
    raw_only = installation.crash(31, processed=False)
    with closing(IndexedFileSystemCrashStorage(config)) as store:
        for crash_id in (old, young, raw_only):
            store.index.save_processed({"uuid": crash_id, "signature": "main"})
    installation.touch(old, 31)
    installation.clean_up()
    with SQLiteCrashIndex(installation.root / "search", FieldTable()) as index:
        # The processed crash of the third is elsewhere, as far as this directory can tell.
        assert set(index.crash_ids()) == {young, raw_only}
        assert index.records("main") != ()
