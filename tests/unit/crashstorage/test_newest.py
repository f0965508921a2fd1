"""The newest crashes of stores, whatever other files there are, and however many crashes."""

import os
import tracemalloc
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage import filesystem
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.fallback import FallbackCrashStorage
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.newest import Age, CrashSummary, Newest
from socorro_processor.crashstorage.null import NullCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.statsd import StatsdBenchmarkingWrapper
from socorro_processor.errors import NoStoreYetError

DAY = date(2016, 11, 23)
NOON = datetime(2016, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Crashes:
    """Saves crashes in a directory, each at a later time than the one before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(root)))
        self.store.setup()
        self._moment = NOON

    def processed(self, day: date = DAY, crash_id: str = "", **fields: object) -> str:
        """Save a crash later than all before it."""
        crash_id = crash_id or new_crash_id(day)
        self.store.save_processed({"uuid": crash_id, "signature": "f", "product": "Lightbox"} | fields)
        self.touch(f"v1/processed_crash/{crash_id}")
        return crash_id

    def raw(self, day: date = DAY, **annotations: object) -> str:
        crash_id = new_crash_id(day)
        self.store.save_raw_crash(annotations, {}, crash_id)
        self.touch(f"v2/raw_crash/{crash_id[:3]}/{day:%Y%m%d}/{crash_id}")
        return crash_id

    def touch(self, path: str) -> None:
        self._moment += SECOND
        os.utime(self.root / path, (self._moment.timestamp(),) * 2)

    def newest(self, limit: int = 100, **chosen: str) -> list[str]:
        return [crash.crash_id for crash in self.store.newest(limit, **chosen)]


@pytest.fixture
def crashes(tmp_path: Path) -> Crashes:
    return Crashes(tmp_path / "crashes")


def test_the_newest_day_comes_first_and_within_a_day_the_latest_crash(crashes):
    first, second = crashes.processed(), crashes.processed()
    earlier = crashes.processed(DAY - timedelta(days=1))
    later = crashes.processed(DAY + timedelta(days=9))
    third = crashes.processed()
    assert crashes.newest() == [later, third, second, first, earlier]
    assert crashes.newest(2) == [later, third]


def test_crashes_that_are_not_processed_yet_are_among_them_once(crashes):
    done = crashes.raw()
    waiting = crashes.raw(ProductName="Lightbox", Version="2.3.1", submitted_timestamp="2016-11-23T12:00:00+00:00")
    earlier = crashes.raw(DAY - timedelta(days=1))
    crashes.processed(crash_id=done, submitted_timestamp="2016-11-23T11:00:00+00:00", version="2")
    assert crashes.newest() == [done, waiting, earlier]
    assert crashes.newest(2) == [done, waiting]
    assert [*crashes.store.newest(2)] == [
        CrashSummary(done, "2016-11-23T11:00:00+00:00", "Lightbox", "2", "f"),
        CrashSummary(waiting, "2016-11-23T12:00:00+00:00", "Lightbox", "2.3.1", is_processed=False),
    ]


def test_crashes_of_a_signature_or_a_product_are_found_however_old_they_are(crashes, monkeypatch):
    monkeypatch.setattr(filesystem, "_BATCH", 3)
    wanted = [crashes.processed(DAY - timedelta(days=number), signature="g", product="Other") for number in range(4)]
    for number in range(20):
        crashes.processed(DAY - timedelta(days=number % 5))
    crashes.raw(ProductName="Other")
    assert crashes.newest(signature="g") == wanted
    assert crashes.newest(2, product="Other") == wanted[:2]
    assert crashes.newest(signature="g", product="Lightbox") == []
    assert len(crashes.newest(1000)) == 25


def test_all_are_listed_once_in_batches_of_any_size(crashes, monkeypatch):
    expected = [crashes.processed(DAY - timedelta(days=number // 4)) for number in range(11)]
    raw = [crashes.raw(DAY - timedelta(days=number)) for number in range(5)]
    for size in (1, 2, 3, 7, 16, 100):
        monkeypatch.setattr(filesystem, "_BATCH", size)
        found = crashes.newest()
        assert sorted(found) == sorted(expected + raw)
        assert len({crash_id[-6:] for crash_id in found[:5]}) == 1
        assert [crash_id[-6:] for crash_id in found] == sorted((id[-6:] for id in found), reverse=True)


def test_an_unreadable_crash_keeps_no_other_from_the_list(crashes):
    good, odd = crashes.processed(), crashes.processed(signature=["no text"], product=5)
    folder = crashes.root / "v1" / "processed_crash"
    for name in (".writing", "no-id", good[:-6] + "991399"):
        (folder / name).write_bytes(b"{}")
    (folder / new_crash_id(DAY)).mkdir()
    (folder / new_crash_id(DAY)).symlink_to("/etc/passwd")
    broken = new_crash_id(DAY)
    (folder / broken).write_bytes(b"no JSON")
    crashes.touch(f"v1/processed_crash/{broken}")
    listed = [*crashes.store.newest(100)]
    assert listed[:2] == [CrashSummary(broken), CrashSummary(odd)]
    assert [crash.crash_id for crash in listed] == [broken, odd, good]


def test_a_strangers_id_of_a_day_to_come_is_as_new_as_its_file(crashes):
    ahead = crashes.processed(date(2098, 1, 1))
    good = crashes.processed(DAY + timedelta(days=1))
    assert crashes.newest() == [good, ahead]
    assert crashes.newest(1) == [good]


def test_a_store_that_is_not_there_says_where_it_was_looked_for(tmp_path):
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "nowhere")))
    with pytest.raises(NoStoreYetError, match=f"{tmp_path}/nowhere/v1"):
        store.newest(1)


def test_no_more_crashes_than_asked_for_are_in_memory(crashes):
    folder = crashes.root / "v1" / "processed_crash"
    folder.mkdir()
    crash_ids = [new_crash_id(DAY) for _ in range(20_000)]
    for crash_id in crash_ids:
        (folder / crash_id).touch()
    in_memory = len(crash_ids) * 80
    del crash_ids
    crashes.newest(1)
    tracemalloc.start()
    try:
        assert len(crashes.newest(20)) == 20
        assert tracemalloc.get_traced_memory()[1] < in_memory / 4
    finally:
        tracemalloc.stop()


def test_no_more_than_the_size_are_kept():
    newest = Newest(2, before=Age("161124", 5.0, "e"))
    assert newest.may_take("161101")
    assert not newest.may_take("161125")
    for age in (Age("161124", 6.0, "f"), Age("161124", 5.0, "e"), Age("161120", 1.0, "a"), Age("161122", 1.0, "b")):
        newest.add(age)
    assert not newest.may_take("161119")
    newest.add(Age("161124", 4.0, "d"))
    assert [age.crash_id for age in newest.in_order()] == ["d", "b"]


# Stores that contain others


def behind(store_class: type[CrashStorageBase], crashes: Crashes) -> CrashStorageBase:
    filesystem, memory = class_name(FileSystemCrashStorage), class_name(InMemoryCrashStorage)
    root = str(crashes.root)
    options: dict[type[CrashStorageBase], dict[str, object]] = {
        PolyCrashStorage: {"storage_classes": f"{memory}, {filesystem}", "storage1.root": root},
        FallbackCrashStorage: {
            "primary.storage_class": memory,
            "secondary.storage_class": filesystem,
            "secondary.root": root,
        },
        StatsdBenchmarkingWrapper: {"wrapped_crashstore": filesystem, "root": root},
    }
    return store_class(defaults(store_class, **options[store_class]))


@pytest.mark.parametrize("store_class", [PolyCrashStorage, FallbackCrashStorage, StatsdBenchmarkingWrapper])
def test_a_store_that_is_made_of_others_lists_those_of_the_one_that_can(crashes, store_class):
    expected = [crashes.processed(), crashes.processed()][::-1]
    with closing(behind(store_class, crashes)) as store:
        assert [crash.crash_id for crash in store.newest(5)] == expected


@pytest.mark.parametrize("store_class", [InMemoryCrashStorage, NullCrashStorage])
def test_a_store_that_cannot_list_its_crashes_says_so(store_class):
    assert not store_class(defaults(store_class)).can("newest")


def test_the_message_says_where_each_store_was_searched(crashes):
    place = f"FileSystemCrashStorage in {crashes.root}"
    for store_class in (PolyCrashStorage, FallbackCrashStorage):
        with closing(behind(store_class, crashes)) as store:
            assert str(store) == f"InMemoryCrashStorage, {place}"
