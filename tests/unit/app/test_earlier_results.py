"""Which stores are asked for an earlier result, and in which order."""

import shutil

import pytest

from socorro_processor.app.earlier_results import EarlierResults
from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.fallback import FallbackCrashStorage, PrimaryDeferredStorage
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.crashstorage.statsd import StatsdBenchmarkingWrapper
from socorro_processor.crashstorage.telemetry import TelemetryBotoS3CrashStorage
from socorro_processor.errors import PermanentStorageError, TransientStorageError
from socorro_processor.serialization import ignore

CRASH_ID = new_crash_id()
DIRECTORY = class_name(FileSystemCrashStorage)


def directory(root):
    return FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(root)))


def bucket(store_class=BotoS3CrashStorage, **options):
    return store_class(defaults(store_class, **{f"resource.boto.{name}": value for name, value in options.items()}))


def poly(*roots):
    options = {f"storage{number}.root": str(root) for number, root in enumerate(roots)}
    return PolyCrashStorage(defaults(PolyCrashStorage, storage_classes=", ".join([DIRECTORY] * len(roots)), **options))


def two(store_class, first, second):
    names = store_class.names
    options = {f"{name}.storage_class": DIRECTORY for name in names}
    roots = {f"{name}.root": str(root) for name, root in zip(names, (first, second), strict=True)}
    return store_class(defaults(store_class, **options, **roots))


def timed(root):
    options = {"wrapped_crashstore": DIRECTORY, "root": str(root)}
    return StatsdBenchmarkingWrapper(defaults(StatsdBenchmarkingWrapper, **options))


def save(store, signature):
    store.save_processed({"uuid": CRASH_ID, "signature": signature})


def found(source, destination, *, everywhere=True):
    earlier, away = EarlierResults(source, destination).find(CRASH_ID, ignore, everywhere=everywhere)
    assert away == {}
    return earlier and earlier["signature"]


def test_two_stores_in_one_place_are_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert directory(tmp_path / "a").places() == directory(tmp_path / "link").places()
    assert directory(tmp_path / "a").places() == timed(tmp_path / "a").places()
    assert bucket(bucket_name="a", prefix="x").places() == bucket(bucket_name="a", prefix="/x/").places()


@pytest.mark.parametrize(
    "options",
    [
        {"bucket_name": "a", "prefix": "y"},
        {"bucket_name": "a"},
        {"bucket_name": "b", "prefix": "x"},
        {"bucket_name": "a", "prefix": "x", "endpoint_url": "http://localhost:1"},
    ],
)
def test_another_prefix_bucket_or_server_is_another_place(options):
    assert bucket(bucket_name="a", prefix="x").places().isdisjoint(bucket(**options).places())


def test_crash_reports_in_the_same_bucket_are_not_results():
    assert bucket(bucket_name="a").places().isdisjoint(bucket(TelemetryBotoS3CrashStorage, bucket_name="a").places())


def test_a_store_that_does_not_say_where_it_keeps_crashes_is_its_own_place():
    one, other = (InMemoryCrashStorage(defaults(InMemoryCrashStorage)) for _ in range(2))
    assert one.places() == one.places()
    assert one.places().isdisjoint(other.places())


def test_a_poly_store_is_in_the_places_of_all_its_stores(tmp_path):
    assert poly(tmp_path / "a", tmp_path / "b").places() == (
        directory(tmp_path / "a").places() | directory(tmp_path / "b").places()
    )


@pytest.mark.parametrize(("store_class", "saved_to"), [(FallbackCrashStorage, "a"), (PrimaryDeferredStorage, "ab")])
def test_a_store_that_is_only_read_is_not_a_place_of_results(tmp_path, store_class, saved_to):
    store = two(store_class, tmp_path / "a", tmp_path / "b")
    assert store.places() == set().union(*(directory(tmp_path / name).places() for name in saved_to))


@pytest.mark.parametrize("wrapped", [False, True])
def test_only_the_source_is_asked_if_everything_is_saved_to_it_too(tmp_path, wrapped):
    source = timed(tmp_path / "a") if wrapped else directory(tmp_path / "a")
    destination = poly(tmp_path / "a", tmp_path / "b")
    destination.setup()
    save(directory(tmp_path / "b"), "b")
    assert found(source, destination, everywhere=False) is None
    assert found(source, destination) == "b"
    save(source, "a")
    assert found(source, destination) == "a"


def test_a_result_in_a_read_only_source_counts_if_no_other_store_has_one(tmp_path):
    source, destination = directory(tmp_path / "old"), poly(tmp_path / "a", tmp_path / "b")
    destination.setup()
    save(source, "old")
    assert found(source, destination, everywhere=False) == "old"
    save(directory(tmp_path / "b"), "b")
    assert found(source, destination, everywhere=False) == "b"


def test_the_old_store_of_a_move_does_not_hide_what_the_new_one_has(tmp_path):
    source = directory(tmp_path / "old")
    destination = two(FallbackCrashStorage, tmp_path / "new", tmp_path / "old")
    destination.setup()
    save(source, "old")
    assert found(source, destination) == "old"
    save(directory(tmp_path / "new"), "new")
    assert found(source, destination) == "new"


def test_a_store_of_the_destination_that_is_away_is_named_unless_another_has_a_result(tmp_path):
    source, destination = directory(tmp_path / "a"), poly(tmp_path / "a", tmp_path / "away", tmp_path / "b")
    destination.setup()
    destination.check()
    shutil.rmtree(tmp_path / "away")
    results = EarlierResults(source, destination)
    earlier, away = results.find(CRASH_ID, ignore)
    assert (earlier, list(away)) == (None, ["storage1"])
    save(directory(tmp_path / "b"), "b")
    earlier, away = results.find(CRASH_ID, ignore)
    assert (earlier and earlier["signature"], away) == ("b", {})


def test_a_store_of_the_destination_that_the_first_save_will_make_has_no_result(tmp_path):
    source = directory(tmp_path / "a")
    source.setup()
    assert found(source, poly(tmp_path / "a", tmp_path / "b")) is None
    assert found(source, directory(tmp_path / "b")) is None


def test_a_source_that_is_away_raises(tmp_path):
    with pytest.raises(TransientStorageError):
        EarlierResults(directory(tmp_path / "a"), directory(tmp_path / "a")).find(CRASH_ID, ignore)


def test_a_result_that_cannot_be_read_is_a_note(tmp_path):
    source = directory(tmp_path / "a")
    source.setup()
    source.put(f"v1/processed_crash/{CRASH_ID}", b"no JSON")
    with pytest.raises(PermanentStorageError):
        source.get_unredacted_processed(CRASH_ID)
    notes = []
    assert EarlierResults(source, directory(tmp_path / "a")).find(CRASH_ID, notes.append) == (None, {})
    assert notes == ["the earlier result cannot be read"]
