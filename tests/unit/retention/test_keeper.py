"""The thread that keeps the bounds: it works, rests, tells, and ends when it is told to."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from socorro_processor.cli.all_options import all_options
from socorro_processor.configuration import Configuration, Source, class_name
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.retention.bounds import Bounds
from socorro_processor.retention.keeper import Keeper, bounded_root
from socorro_processor.retention.retention import Round
from tests.retention_site import RetentionSite

DEADLINE = 30.0

Told = tuple[Round | None, str]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RetentionSite]:
    with RetentionSite(tmp_path) as site:
        site.trust_clock()
        yield site


@contextmanager
def keeping(
    site: RetentionSite, bounds: Bounds, is_spooled: Callable[[str], bool] = lambda crash_id: False
) -> Iterator[queue.SimpleQueue[Told]]:
    told: queue.SimpleQueue[Told] = queue.SimpleQueue()
    keeper = Keeper(
        site.values,
        bounds,
        site.queue,
        is_spooled,
        lambda done, problem: told.put((done, problem)),
        wall_clock=lambda: site.now.timestamp(),
    )
    keeper.start()
    try:
        yield told
    finally:
        keeper.stop()


def test_it_keeps_the_bounds_at_once_and_tells_what_it_did(site):
    site.crash(100)
    young = site.crash(1)
    with keeping(site, Bounds(days=90)) as told:
        done, problem = told.get(timeout=DEADLINE)
    assert done is not None
    assert (done.crashes, done.removed, problem) == (1, {"age": 1}, "")
    assert site.kept() == site.indexed() == {young}


def test_a_crash_that_is_in_the_spool_or_waits_stays(site):
    spooled, waiting, other = (site.crash(100) for _ in range(3))
    site.queue.submit(waiting)
    with keeping(site, Bounds(days=90), spooled.__eq__) as told:
        told.get(timeout=DEADLINE)
    assert site.kept() == {spooled, waiting}
    assert site.files(other) == []


def test_what_is_wrong_is_told(site):
    site.crash(100)
    (site.root / "retention" / "ledger.sqlite").unlink()
    (site.root / "retention" / "ledger.sqlite").mkdir()
    with keeping(site, Bounds(days=90)) as told:
        done, problem = told.get(timeout=DEADLINE)
    assert done is None
    assert "ledger.sqlite" in problem


def test_only_one_server_keeps_the_bounds_of_a_store(site):
    site.crash(1)
    with keeping(site, Bounds(days=90)) as first:
        first.get(timeout=DEADLINE)
        site.crash(100)
        with keeping(site, Bounds(days=90)) as second:
            pass
        assert second.empty()
    with keeping(site, Bounds(days=90)) as third:
        done, _ = third.get(timeout=DEADLINE)
    assert done is not None
    assert done.removed == {"age": 1}


def test_it_ends_in_the_midst_of_its_work_and_the_next_one_goes_on(site):
    crashes = [site.crash(100, dumps={}) for _ in range(120)]
    began: queue.SimpleQueue[str] = queue.SimpleQueue()

    def note(crash_id: str) -> bool:
        began.put(crash_id)
        return False

    with keeping(site, Bounds(days=90), note) as told:
        began.get(timeout=DEADLINE)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < DEADLINE / 2
    if told.empty():
        assert site.kept()
    assert site.indexed() <= set(crashes)
    with keeping(site, Bounds(days=90)) as told:
        told.get(timeout=2 * DEADLINE)
    assert site.kept() == site.indexed() == set()


def root_of(**options: str) -> Path | None:
    source = Source({name.replace("__", "."): value for name, value in options.items()})
    return bounded_root(Configuration(all_options(), [source]).values)


def test_the_default_stores_are_one_directory(tmp_path):
    assert root_of(resource__filesystem__root=str(tmp_path)) == tmp_path


def test_a_poly_store_with_others_beside_the_directory_is_bounded_in_the_directory(tmp_path):
    assert (
        root_of(
            resource__filesystem__root=str(tmp_path),
            destination__crashstorage_class=class_name(PolyCrashStorage),
            destination__storage_classes=f"{class_name(FileSystemCrashStorage)}, {class_name(BotoS3CrashStorage)}",
        )
        == tmp_path
    )


def test_crashes_elsewhere_or_in_several_directories_are_not_bounded(tmp_path):
    assert root_of(source__crashstorage_class=class_name(BotoS3CrashStorage)) is None
    assert root_of(source__root=str(tmp_path / "one"), destination__root=str(tmp_path / "two")) is None
