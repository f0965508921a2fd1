"""Disks with little room: when they count as low, and how that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from socorro_processor.cli.all_options import all_options
from socorro_processor.configuration import Configuration, Source, class_name
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.machine.disk_space import DiskSpace, disk_of, in_words
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.retention.disks import DiskWatch, disk_places, wanted_room

GB = 1 << 30
CRASHES, SPOOL = Path("/crashes"), Path("/spool")


class Disks:
    """Disks of 100 GB, by directory."""

    def __init__(self, **free: float) -> None:
        self.free = free

    def __call__(self, path: Path) -> DiskSpace:
        if path.name not in self.free:
            raise OSError(f"{path} is away")
        return DiskSpace(hash(path.name), 100 * GB, int(self.free[path.name] * GB))


def watch(disks: Disks, low: int | None = None) -> DiskWatch:
    return DiskWatch({"crashes": CRASHES, "spool": SPOOL}, low, disks)


@pytest.mark.parametrize(("size", "wanted"), [(10, 2), (40, 2), (100, 5), (400, 20), (10_000, 20)])
def test_five_percent_should_be_free_but_at_least_2_gb_and_at_most_20(size, wanted):
    assert wanted_room(size * GB) == wanted * GB


def test_a_disk_is_low_below_that_and_others_are_not():
    (disk,) = watch(Disks(crashes=50, spool=4.9)).look()
    assert disk.places == ("spool",)
    assert str(disk) == ("the disk of spool is low: 4.9 GB of 100 GB are free, less than 5 GB (retention.disk_low)")


def test_an_option_says_how_much_should_be_free_and_0_never_warns():
    disks = Disks(crashes=4, spool=1)
    assert [disk.places for disk in watch(disks, 3 * GB).look()] == [("spool",)]
    assert watch(disks, 0).look() == []


def test_what_shares_a_disk_is_said_together():
    shared = lambda path: DiskSpace(1, 100 * GB, GB)  # noqa: E731
    (disk,) = DiskWatch({"crashes": CRASHES, "queue": SPOOL, "spool": SPOOL}, None, shared).look()
    assert "the disk of crashes, queue and spool is low" in str(disk)


def test_a_disk_that_was_low_is_so_until_clearly_more_is_free():
    disks = Disks(crashes=50, spool=4)
    watching = watch(disks)
    seen = []
    for free in (4, 5.2, 5.6, 5.2):
        disks.free["spool"] = free
        seen.append(len(watching.look()))
    assert seen == [1, 1, 0, 0]


def test_a_disk_that_cannot_be_asked_is_left_to_its_store():
    assert watch(Disks(spool=50)).look() == []


def test_the_room_is_measured():
    watch(Disks(crashes=50, spool=1)).look()
    gauges = METRICS.snapshot().gauges
    assert gauges["disk.free", (("place", "crashes"),)] == 50 * GB
    assert gauges["disk.low", ()] == 1


def test_the_disks_of_an_installation_are_those_of_all_that_grows(tmp_path):
    options = {"resource.filesystem.root": str(tmp_path / "crashes"), "collector.spool": str(tmp_path / "spool")}
    values = Configuration(all_options(), [Source(options)]).values
    assert disk_places(values) == {
        "crashes": tmp_path / "crashes",
        "index": tmp_path / "crashes" / "search",
        "queue": Path("socorro-data"),
        "spool": tmp_path / "spool",
    }


def test_stores_and_queues_elsewhere_have_no_disk_here():
    options = {
        "source.crashstorage_class": class_name(BotoS3CrashStorage),
        "destination.crashstorage_class": class_name(BotoS3CrashStorage),
        "new_crash_source.new_crash_source_class": class_name(RabbitMQCrashQueue),
    }
    assert list(disk_places(Configuration(all_options(), [Source(options)]).values)) == ["spool"]


def test_a_directory_that_is_yet_to_be_made_is_on_the_disk_of_its_parent(tmp_path):
    assert disk_of(tmp_path / "a" / "b").device == disk_of(tmp_path).device == tmp_path.stat().st_dev


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1 << 10, "1 kB"),
        (1536, "1.5 kB"),
        (50 * GB, "50 GB"),
        (int(1.26 * GB), "1.3 GB"),
        (int(252.4 * GB), "252 GB"),
    ],
)
def test_numbers_of_bytes_are_said_in_the_units_of_options(number, words):
    assert in_words(number) == words
