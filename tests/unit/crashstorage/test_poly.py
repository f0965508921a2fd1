from __future__ import annotations

import pytest

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase
from socorro_processor.crashstorage.null import NullCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import (
    ConfigurationError,
    CrashIDNotFound,
    CrashStorageError,
    InvalidCrashID,
    MalformedCrash,
    PermanentStorageError,
    PolyStorageError,
    ProcessingEnvironmentError,
    TransientStorageError,
    failed_stores,
)
from tests.unit.crashstorage.faulty_store import FaultyStore

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
RAW = {"ProductName": "Lightbox"}
DUMPS = {MAIN_DUMP: b"main"}
PROCESSED = {"uuid": CRASH, "signature": "main"}
AWAY = TransientStorageError("away")
TOO_LARGE = PermanentStorageError("too large")


def poly_of(*classes: type[CrashStorageBase]) -> PolyCrashStorage:
    return PolyCrashStorage(defaults(PolyCrashStorage, storage_classes=", ".join(map(class_name, classes))))


@pytest.fixture
def poly() -> PolyCrashStorage:
    return poly_of(FaultyStore, FaultyStore, FaultyStore)


@pytest.fixture
def stores(poly: PolyCrashStorage) -> list[FaultyStore]:
    return [store for store in poly.stores.values() if isinstance(store, FaultyStore)]


def save(poly: PolyCrashStorage) -> PolyStorageError | None:
    try:
        poly.save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
    except PolyStorageError as error:
        return error
    return None


def save_again(poly: PolyCrashStorage, failed: CrashStorageError) -> None:
    poly.limited_to(list(failed_stores(failed))).save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)


def test_a_crash_is_saved_to_every_store(poly, stores):
    assert save(poly) is None
    for store in stores:
        assert store.get_raw_crash(CRASH) == RAW
        assert store.get_unredacted_processed(CRASH) == PROCESSED


def test_each_store_has_options_of_its_own(tmp_path):
    name = "socorro_processor.crashstorage.filesystem.FileSystemCrashStorage"
    options = {f"storage{number}.root": str(tmp_path / f"s{number}") for number in range(2)}
    poly = PolyCrashStorage(defaults(PolyCrashStorage, storage_classes=f"{name}, {name}", **options))
    poly.save_processed(PROCESSED)
    for number in range(2):
        assert (tmp_path / f"s{number}/v1/processed_crash/{CRASH}").is_file()


def test_without_a_store_it_cannot_be_built():
    with pytest.raises(ConfigurationError, match="storage_classes"):
        poly_of()


@pytest.mark.parametrize(
    ("errors", "transient"),
    [([AWAY, None, None], True), ([TOO_LARGE, None, None], False), ([TOO_LARGE, None, AWAY], True)],
)
def test_a_failing_store_does_not_keep_the_others_from_being_tried(poly, stores, errors, transient):
    for store, error in zip(stores, errors, strict=True):
        store.error = error
    failed = save(poly)
    assert failed is not None
    assert failed.failures == {f"storage{number}": error for number, error in enumerate(errors) if error}
    assert failed.transient is transient
    for store, error in zip(stores, errors, strict=True):
        assert bool(store.written) is not bool(error)


def test_a_retry_writes_only_to_the_stores_that_failed(poly, stores):
    stores[1].error = AWAY
    failed = save(poly)
    stores[1].error = None
    for store in stores:
        store.written.clear()
    save_again(poly, failed)
    assert [bool(store.written) for store in stores] == [False, True, False]
    assert stores[1].get_unredacted_processed(CRASH) == PROCESSED


def test_a_retry_that_fails_again_reports_only_the_stores_that_it_tried(poly, stores):
    stores[0].error, stores[1].error = AWAY, AWAY
    failed = save(poly)
    stores[0].error, stores[1].error = None, TOO_LARGE
    with pytest.raises(PolyStorageError) as raised:
        save_again(poly, failed)
    assert raised.value.failures == {"storage1": TOO_LARGE}


@pytest.mark.parametrize("failed", [AWAY, PolyStorageError({"storage7": AWAY}), PolyStorageError({})])
def test_a_retry_after_some_other_failure_writes_to_all(poly, stores, failed):
    save_again(poly, failed)
    assert all(store.written for store in stores)


def test_only_some_stores_can_be_checked(poly, stores):
    stores[0].error = AWAY
    with pytest.raises(PolyStorageError):
        poly.check()
    poly.limited_to(["storage1", "storage2"]).check_before_retry()
    with pytest.raises(PolyStorageError) as raised:
        poly.limited_to(["storage0", "storage1"]).check_before_retry()
    assert raised.value.failures == {"storage0": AWAY}
    with pytest.raises(PolyStorageError):
        poly.limited_to(["storage7"]).check_before_retry()


def test_a_poly_store_within_another_writes_again_only_to_the_store_that_failed(stores):
    inner = class_name(FaultyStore)
    outer = PolyCrashStorage(
        defaults(
            PolyCrashStorage,
            storage_classes=class_name(PolyCrashStorage),
            **{"storage0.storage_classes": f"{inner}, {inner}"},
        )
    )
    first, second = outer.stores["storage0"].stores.values()
    second.error = AWAY
    failed = save(outer)
    second.error = None
    first.written.clear()
    assert outer.store_names() == ["storage0.storage0", "storage0.storage1"]
    save_again(outer, failed)
    assert not first.written
    assert second.written


def test_a_bug_in_a_store_is_the_crashs_fault_and_the_other_stores_save(poly, stores, caplog):
    stores[0].error = KeyError("a@example.com")
    failed = save(poly)
    assert failed is not None
    assert type(failed.failures["storage0"]) is PermanentStorageError
    assert "KeyError" in str(failed)
    assert stores[1].written
    assert stores[2].written


def test_the_log_shows_where_a_bug_is_and_not_what_its_message_quotes(poly, stores, caplog):
    stores[0].error = KeyError("a@example.com")
    failed = save(poly)
    assert "faulty_store.py" in caplog.text
    assert "KeyError" in caplog.text
    assert "a@example.com" not in caplog.text + str(failed)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ProcessingEnvironmentError("no descriptors left"),
        RuntimeError("can't start new thread"),
        ImportError("libssl.so.3: failed to map segment from shared object"),
    ],
)
def test_a_lack_of_the_machine_is_not_the_crashs_fault(poly, stores, error):
    stores[0].error = error
    failed = save(poly)
    assert failed is not None
    assert failed.transient
    assert stores[2].written


@pytest.mark.parametrize(
    "save",
    [
        lambda poly: poly.save_raw_crash(RAW, DUMPS, "../x"),
        lambda poly: poly.save_processed({"uuid": "../x"}),
        lambda poly: poly.save_raw_and_processed(RAW, DUMPS, {}, CRASH),
        lambda poly: poly.limited_to(["storage0"]).save_raw_and_processed(RAW, DUMPS, PROCESSED, "../x"),
    ],
)
def test_an_invalid_crash_id_reaches_no_store(poly, stores, save):
    with pytest.raises(InvalidCrashID):
        save(poly)
    assert not any(store.written for store in stores)


@pytest.mark.parametrize("first", [AWAY, TOO_LARGE, CrashIDNotFound("not here")])
def test_a_crash_is_read_from_the_first_store_that_can_give_it(poly, stores, first):
    stores[1].save_processed(PROCESSED)
    stores[0].error = first
    assert poly.get_unredacted_processed(CRASH) == PROCESSED


def test_stores_that_only_save_are_passed_over_by_reads():
    poly = poly_of(CrashStorageBase, FaultyStore)
    save(poly)
    assert poly.get_unredacted_processed(CRASH) == PROCESSED


def test_if_no_store_can_be_read_neither_can_the_poly_store():
    poly = poly_of(CrashStorageBase)
    assert not poly.can("get_raw_crash")
    with pytest.raises(NotImplementedError):
        poly.get_raw_crash(CRASH)


@pytest.mark.parametrize(
    ("first", "raised"),
    [(AWAY, TransientStorageError), (MalformedCrash("[]"), MalformedCrash), (None, CrashIDNotFound)],
)
def test_a_crash_counts_as_not_found_only_if_every_store_said_so(poly, stores, first, raised):
    stores[0].error = first
    with pytest.raises(raised):
        poly.get_raw_crash(CRASH)


def test_a_crash_is_removed_from_every_store_that_has_it(poly, stores):
    stores[1].save_processed(PROCESSED)
    poly.remove(CRASH)
    with pytest.raises(CrashIDNotFound):
        poly.remove(CRASH)


def test_a_removal_that_one_store_refuses_is_reported_and_done_in_the_others(poly, stores):
    save(poly)
    stores[0].error = AWAY
    with pytest.raises(PolyStorageError):
        poly.remove(CRASH)
    with pytest.raises(CrashIDNotFound):
        stores[2].get_unredacted_processed(CRASH)


def test_the_poly_store_is_usable_if_all_of_its_stores_are(poly, stores):
    poly.check()
    stores[1].error = AWAY
    with pytest.raises(PolyStorageError, match="storage1: away"):
        poly.check()


def test_all_stores_are_closed_whatever_happens_in_one(poly, stores):
    stores[0].error = RuntimeError()
    poly.close()
    assert all(store.written == ["closed"] for store in stores)


def test_a_null_store_among_others_changes_nothing():
    poly = poly_of(NullCrashStorage, FaultyStore)
    save(poly)
    assert poly.get_unredacted_processed(CRASH) == PROCESSED


def test_each_store_is_set_up_even_if_one_cannot_be(poly, stores):
    stores[0].error = AWAY
    with pytest.raises(PolyStorageError) as raised:
        poly.setup()
    assert raised.value.failures == {"storage0": AWAY}
    assert [store.written for store in stores] == [[], ["set up"], ["set up"]]
