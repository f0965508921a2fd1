"""The embedded queue with real processes, and on a real full disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import Delivery
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import CrashQueueError
from tests.unit.crashqueue import processor_process
from tests.unit.crashqueue.machine import Machine

pytestmark = pytest.mark.long

DEADLINE = 60.0
SOON = 10.0
"""Far less than the lease time, and far more than the second after which a death is noticed."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


@pytest.fixture
def queue(path: Path) -> Iterator[SQLiteCrashQueue]:
    queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(path)))
    yield queue
    queue.close()


def process(path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, processor_process.__file__, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_of(queue: SQLiteCrashQueue, deadline: float) -> Delivery:
    for delivery in queue.new_crashes():
        if delivery:
            return delivery
        assert time.monotonic() < deadline, "nothing was delivered in time"
    raise AssertionError("the queue was closed")


def test_a_crash_whose_processor_is_killed_is_soon_delivered_to_another_as_its_next_attempt(queue, path):
    queue.submit("one")
    with process(path, "hold") as child:
        assert child.stdout.readline() == "one\n"
        assert next(queue.new_crashes()) is None
        child.kill()
        again = first_of(queue, time.monotonic() + SOON)
        assert (again.crash_id, again.attempt) == ("one", 2)


def test_a_crash_that_kills_every_processor_comes_alone_and_its_attempts_grow_by_one_each_time(queue, path):
    queue.submit("poison")
    for _ in range(3):
        with process(path, "hold") as child:
            child.stdout.readline()
            child.kill()
    again = first_of(queue, time.monotonic() + SOON)
    assert (again.crash_id, again.attempt, again.suspect) == ("poison", 4, True)


def test_eight_processes_ack_each_of_eight_thousand_crashes_once_and_have_no_id_in_flight_twice(path, tmp_path):
    crash_ids = [new_crash_id() for _ in range(8_000)]
    # Some ids are there twice. A directory entry for each id in flight reveals one that is in flight twice.
    submissions = crash_ids + crash_ids[:100]
    directory = tmp_path / "in flight"
    directory.mkdir()
    queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(path)))
    for crash_id in submissions:
        queue.submit(crash_id)
    children = [process(path, "finish", str(directory)) for _ in range(8)]
    acked: list[str] = []
    for child in children:
        output, _ = child.communicate(timeout=DEADLINE)
        assert child.returncode == 0
        acked += output.split()
    assert sorted(acked) == sorted(submissions)
    assert sum(depth.waiting + depth.delayed + depth.in_flight for depth in queue.depths().queues.values()) == 0
    queue.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose queue is on a disk of 512 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only a user who may mount can make a small disk")
    machine = Machine(disk / "queue.sqlite")
    yield machine
    machine.close()
    subprocess.run(["umount", str(disk)], check=True)


def fill_the_disk(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_full_disk_refuses_new_crashes_and_loses_none_of_those_it_has(machine):
    processor = machine.start()
    accepted = []
    with pytest.raises(CrashQueueError, match="its disk is full: make room there"):  # noqa: PT012
        while True:
            crash_id = new_crash_id()
            processor.queue.submit(crash_id)
            accepted.append(crash_id)
    assert processor.queue.depths().queues["normal"].waiting == len(accepted)
    assert processor.take_all() == []
    subprocess.run(["mount", "-o", "remount,size=16m", str(machine.path.parent)], check=True)
    machine.wait(5.0)
    assert [delivery.crash_id for delivery in processor.take_all()] == accepted


def test_a_crash_that_a_full_disk_kept_from_being_acked_comes_again_once_there_is_room(machine):
    processor = machine.start()
    processor.queue.submit("one")
    delivery = processor.take()
    ballast = machine.path.with_name("ballast")
    fill_the_disk(ballast)
    with pytest.raises(CrashQueueError, match="its disk is full"):
        processor.queue.ack(delivery)
    ballast.unlink()
    processor.beat()
    assert processor.take().crash_id == "one"
