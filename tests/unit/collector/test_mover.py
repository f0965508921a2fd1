"""Handing over: in order, for as long as it takes, and without waiting for a crash that alone cannot be saved."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from socorro_processor.collector import handover as handover_module
from socorro_processor.collector.acceptance import Acceptance
from socorro_processor.collector.handover import Handover
from socorro_processor.collector.known_crashes import KnownCrashes
from socorro_processor.collector.mover import DELAYS, LOOK_INTERVAL, PAUSES, Mover
from socorro_processor.collector.spool import Spool
from socorro_processor.collector.throttling import ThrottleRules
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import PermanentStorageError, TransientStorageError
from socorro_processor.monitoring.metrics import METRICS
from tests.collector_site import MOMENT, FailingDisk, Site, report_id, write_submission

TRIES = 3


class Moving:
    """A spool and its mover, without a thread and with a clock of the test; the store and queue of a Site."""

    threads = 1

    def __init__(self, site: Site, clock) -> None:
        site.stop()
        self.site, self.store, self.queue, self.clock = site, site.store, site.queue, clock
        self.disk = FailingDisk()
        self.open()

    def open(self) -> None:
        self.spool = Spool(self.site.directory / "spool", 0, disk=self.disk)
        self.acceptance = Acceptance(self.spool, KnownCrashes(self.store), ThrottleRules())
        self.handover = Handover(self.spool, self.store, self.queue, threads=self.threads)
        self.mover = Mover(self.spool, self.handover, TRIES, clock=self.clock)

    def restart(self) -> None:
        self.spool.close()
        self.open()

    def send(self, dumps=None, **values) -> str:
        file = self.spool.begin()
        return self.acceptance.accept(write_submission(file, dumps, **values), file, MOMENT, "").crash_id

    def run(self, seconds: float = 0) -> None:
        """Let the mover work for some seconds of the clock."""
        end = self.clock.now + seconds
        wait = self.mover.run_once()
        while self.clock.now + wait < end:
            self.clock.now += wait
            wait = self.mover.run_once()
        self.clock.now = end

    @property
    def waiting(self) -> list[str]:
        return [entry.crash_id for entry in self.spool.oldest(1000)]


@contextmanager
def moving_in(site: Site, clock):
    moving = Moving(site, clock)
    try:
        yield moving
    finally:
        moving.spool.close()


@pytest.fixture
def moving(site, clock):
    with moving_in(site, clock) as moving:
        yield moving


def test_crashes_are_handed_over_in_the_order_of_their_arrival(moving):
    sent = [moving.send() for _ in range(20)]
    moving.restart()
    sent += [moving.send() for _ in range(5)]
    moving.run()
    assert moving.store.saved == moving.queue.submitted == sent
    assert moving.spool.depth == 0


@pytest.mark.parametrize("part", ["store", "queue"])
@pytest.mark.parametrize("restarts", [False, True])
def test_while_a_part_is_away_for_long_crashes_stay_and_then_go_in_order(moving, part, restarts):
    getattr(moving, part).is_away = True
    sent = []
    for _ in range(12):
        sent.append(moving.send())
        moving.run(60)
    assert moving.spool.depth == 12
    assert moving.site.files("aside") == []
    assert f"the {part} is away" in moving.mover.waits_for
    if restarts:
        moving.restart()
        moving.run(60)
        assert moving.spool.depth == 12
    getattr(moving, part).is_away = False
    moving.run(PAUSES[-1])
    assert moving.queue.submitted == sent
    assert sorted(moving.store.saved) == sorted(sent)
    assert (moving.spool.depth, moving.mover.waits_for) == (0, "")


def test_while_the_store_is_away_it_is_asked_seldom(moving):
    for _ in range(100):
        moving.send()
    moving.store.is_away = True
    before = METRICS.snapshot().counter("collector.retried")
    moving.run(600)
    tries = METRICS.snapshot().counter("collector.retried") - before
    assert tries <= 2 * (600 / PAUSES[-1] + len(PAUSES))


def test_the_outage_is_logged_once_and_so_is_its_end(moving, caplog):
    caplog.set_level(logging.INFO)
    moving.send()
    moving.store.is_away = True
    moving.run(600)
    moving.store.is_away = False
    moving.run(60)
    messages = [record.getMessage() for record in caplog.records if record.name.endswith("mover")]
    assert messages == [
        "crashes stay in the spool, and are tried again: TransientStorageError: the store is away",
        "crashes are handed over again; 0 are in the spool",
    ]


def test_a_crash_is_saved_once_while_the_queue_is_away(moving):
    crash_id = moving.send()
    moving.queue.is_away = True
    moving.run(600)
    assert moving.store.saved == [crash_id]
    moving.restart()
    moving.queue.is_away = False
    moving.run(60)
    assert moving.store.saved == [crash_id]
    assert moving.queue.submitted == [crash_id]


@pytest.mark.parametrize(
    "error", [TransientStorageError("timed out"), PermanentStorageError("too large"), ValueError()]
)
def test_crashes_that_alone_cannot_be_saved_hold_up_nobody_and_are_set_aside(moving, error):
    bad = [moving.send() for _ in range(4)]
    save = FileSystemCrashStorage.save_raw_crash

    def refuse(raw_crash, dumps, crash_id):
        if crash_id in bad:
            raise error
        save(moving.store, raw_crash, dumps, crash_id)

    moving.store.save_raw_crash = refuse
    good = [moving.send() for _ in range(12)]
    moving.run(sum(PAUSES))
    assert sorted(moving.queue.submitted) == sorted(good)
    assert moving.waiting == bad
    for _ in range(8):
        good.append(moving.send())
        moving.run(DELAYS[-1])
    assert sorted(moving.queue.submitted) == sorted(good)
    assert moving.waiting == []
    words = sorted((moving.site.directory / "spool" / "aside").glob("*.why"))
    assert [path.name.removesuffix(".why")[13:] for path in words] == bad
    assert words[0].read_text() == f"it failed {TRIES} times while others went well: {type(error).__name__}: {error}\n"


def test_a_crash_that_fails_while_there_are_no_others_is_never_set_aside(moving):
    crash_id = moving.send()
    moving.store.refuses = lambda each: True
    moving.run(3600)
    assert moving.waiting == [crash_id]
    moving.store.refuses = lambda each: False
    moving.run(PAUSES[-1])
    assert moving.queue.submitted == [crash_id]


def test_a_crash_that_was_put_back_is_handed_over(moving):
    crash_id = moving.send()
    moving.store.refuses = lambda each: each == crash_id
    for _ in range(8):
        moving.send()
        moving.run(DELAYS[-1])
    (name, _) = moving.site.files("aside")
    moving.store.refuses = lambda each: False
    (moving.site.directory / "spool" / "aside" / name).rename(moving.site.directory / "spool" / "ready" / name)
    moving.run(LOOK_INTERVAL + 1)
    assert moving.queue.submitted[-1] == crash_id


def test_a_damaged_file_is_set_aside_with_words_and_the_others_go_on(moving, caplog):
    first, second, third = [moving.send() for _ in range(3)]
    name = moving.site.files("ready")[1]
    path = moving.site.directory / "spool" / "ready" / name
    path.write_bytes(b"X" + path.read_bytes()[1:])
    before = METRICS.snapshot().counter("collector.set_aside", reason="damaged")
    moving.restart()
    moving.run()
    assert moving.queue.submitted == [first, third]
    assert METRICS.snapshot().counter("collector.set_aside", reason="damaged") == before + 1
    assert moving.site.files("aside") == [f"{name}.damaged", f"{name}.why"]
    reason = "the file is damaged: upload_file_minidump has another checksum than when it was written"
    assert (moving.site.directory / "spool" / "aside" / f"{name}.why").read_text() == f"{reason}\n"
    assert f"crash {second} is set aside in {moving.spool.directory}: {reason}" in caplog.text
    assert second not in moving.site.stored()


def test_a_crash_whose_file_was_removed_is_left_out(moving):
    first, second = moving.send(), moving.send()
    (moving.site.directory / "spool" / "ready" / moving.site.files("ready")[0]).unlink()
    moving.run()
    assert moving.queue.submitted == [second]
    assert first not in moving.site.stored()


def test_large_dumps_are_handed_over_as_files_that_are_removed_afterwards(moving, monkeypatch):
    monkeypatch.setattr(handover_module, "IN_MEMORY", 1000)
    dumps = {"upload_file_minidump": b"MDMP" * 1000, "upload_file_minidump_browser": b"MDMP", "log": b"x" * 2000}
    kinds = {}
    save = moving.store.save_raw_crash

    def note_kinds(raw_crash, dumps, crash_id):
        kinds.update({name: type(dump).__name__ for name, dump in dumps.items()})
        save(raw_crash, dumps, crash_id)

    moving.store.save_raw_crash = note_kinds
    crash_id = moving.send(dumps)
    moving.run()
    assert kinds == {
        "upload_file_minidump": "PosixPath",
        "upload_file_minidump_browser": "bytes",
        "log": "PosixPath",
    }
    assert moving.store.get_raw_dumps(crash_id) == dumps
    assert moving.site.files("moving") == []


def test_a_large_dump_for_whose_copy_there_is_no_room_waits_while_small_ones_make_room(moving, monkeypatch):
    monkeypatch.setattr(handover_module, "IN_MEMORY", 1000)
    large = moving.send({"upload_file_minidump": b"MDMP" * 1000})
    small = [moving.send() for _ in range(3)]
    moving.disk.room = 0
    moving.run(sum(PAUSES))
    assert moving.queue.submitted == small
    assert moving.site.files("moving") == []
    moving.disk.room = None
    moving.run(DELAYS[-1])
    assert moving.queue.submitted == [*small, large]


def test_several_crashes_are_saved_at_once_and_queued_in_order(moving):
    moving.threads = 4
    moving.restart()
    sent = [moving.send() for _ in range(8)]
    at_once = threading.Barrier(4)
    save = moving.store.save_raw_crash

    def wait_for_others(raw_crash, dumps, crash_id):
        at_once.wait(30)
        save(raw_crash, dumps, crash_id)

    moving.store.save_raw_crash = wait_for_others
    moving.run()
    assert moving.queue.submitted == sent
    assert sorted(moving.store.saved) == sorted(sent)


def test_of_several_that_are_saved_at_once_one_that_fails_holds_up_nobody(moving):
    moving.threads = 4
    moving.restart()
    sent = [moving.send() for _ in range(8)]
    moving.store.refuses = lambda crash_id: crash_id == sent[2]
    moving.run()
    assert sorted(moving.queue.submitted) == sorted(each for each in sent if each != sent[2])
    moving.store.refuses = lambda crash_id: False
    moving.run(DELAYS[-1])
    assert moving.queue.submitted[-1] == sent[2]


def test_a_crash_that_was_not_saved_by_each_of_several_stores_is_completed(site, clock):
    directory = site.directory
    name = class_name(FileSystemCrashStorage)
    roots = {"storage0.root": str(directory / "a"), "storage1.root": str(directory / "b")}
    store = PolyCrashStorage(defaults(PolyCrashStorage, storage_classes=f"{name}, {name}", **roots))
    with moving_in(site, clock) as moving:
        moving.store = store
        moving.restart()
        crash_id = moving.send()
        (directory / "b").write_text("in the way")
        moving.run(60)
        assert moving.waiting == [crash_id]
        (directory / "b").unlink()
        moving.restart()
        moving.run(60)
        assert moving.queue.submitted == [crash_id]
        for each in store.stores.values():
            assert each.get_raw_dumps(crash_id) == {"upload_file_minidump": b"MDMP dump"}


def test_a_spool_of_another_version_is_kept(moving):
    entry_id = moving.send()
    (entry,) = moving.spool.oldest(1)
    with moving.spool.open(entry) as crash:
        contents = replace(crash.contents, checksum=3)
    moving.spool.remove(entry)
    file = moving.spool.begin()
    file.write(b"MDMP dump")
    moving.spool.commit(file, contents)
    moving.run()
    assert moving.store.saved == [entry_id]


def test_a_thread_hands_over_what_arrives_without_delay(site):
    site.collector.start()
    for number in range(5):
        crash_id = site.send(report_id=report_id(number)).crash_id
        site.wait_until(lambda wanted=number + 1: len(site.queue.submitted) == wanted, seconds=LOOK_INTERVAL / 2)
        assert site.queue.submitted[-1] == crash_id


def test_the_status_says_what_waits_and_why(site):
    site.store.is_away = True
    site.send()
    site.collector.start()
    site.wait_until(lambda: site.collector.status().waits_for)
    status = site.collector.status()
    assert status.waits_for == "TransientStorageError: the store is away"
    assert (status.crashes, status.set_aside, status.failing) == (1, 0, "")
    assert status.size > 0
    assert 0 <= status.oldest_age < 60
