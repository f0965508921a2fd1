from __future__ import annotations

import pytest

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.fallback import FallbackCrashStorage, PrimaryDeferredStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import ConfigurationError, CrashIDNotFound, PolyStorageError, TransientStorageError
from tests.unit.crashstorage.faulty_store import FaultyStore

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
RAW = {"ProductName": "Lightbox"}
DUMPS = {MAIN_DUMP: b"main"}
PROCESSED = {"uuid": CRASH, "signature": "main"}
AWAY = TransientStorageError("away")


class DefersLightbox:
    """A predicate as an operator may write it."""

    def __init__(self, config) -> None:
        pass

    def __call__(self, crash) -> bool:
        return crash.get("ProductName") == "Lightbox"


def stores_of(store) -> tuple[FaultyStore, FaultyStore]:
    return tuple(store.stores.values())


def fallback() -> FallbackCrashStorage:
    name = class_name(FaultyStore)
    options = {"primary.storage_class": name, "secondary.storage_class": name}
    return FallbackCrashStorage(defaults(FallbackCrashStorage, **options))


def primary_deferred(**options: object) -> PrimaryDeferredStorage:
    name = class_name(FaultyStore)
    options |= {"primary.storage_class": name, "deferred.storage_class": name}
    return PrimaryDeferredStorage(defaults(PrimaryDeferredStorage, **options))


def test_everything_is_saved_to_the_primary_store_only():
    store = fallback()
    primary, secondary = stores_of(store)
    store.save_raw_crash(RAW, DUMPS, CRASH)
    store.save_processed(PROCESSED)
    store.save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
    store.limited_to([]).save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
    assert primary.get_raw_crash(CRASH) == RAW
    assert secondary.written == []


def test_a_crash_that_the_primary_store_lacks_is_read_from_the_secondary(tmp_path):
    store = fallback()
    _, secondary = stores_of(store)
    secondary.save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
    assert store.get_raw_crash(CRASH) == RAW
    assert store.get_raw_dump(CRASH) == b"main"
    assert store.get_raw_dumps(CRASH) == DUMPS
    assert store.get_raw_dumps_as_files(CRASH, tmp_path).keys() == DUMPS.keys()
    assert store.get_processed(CRASH) == store.get_unredacted_processed(CRASH) == PROCESSED


def test_a_crash_that_both_stores_have_is_read_from_the_primary():
    store = fallback()
    for each, version in zip(stores_of(store), ("new", "old"), strict=True):
        each.save_raw_crash({"version": version}, {}, CRASH)
    assert store.get_raw_crash(CRASH) == {"version": "new"}


def test_a_primary_store_that_is_away_is_not_taken_for_one_without_the_crash():
    store = fallback()
    primary, secondary = stores_of(store)
    secondary.save_raw_crash(RAW, {}, CRASH)
    primary.error = AWAY
    with pytest.raises(TransientStorageError):
        store.get_raw_crash(CRASH)


@pytest.mark.parametrize("holders", [(0,), (1,), (0, 1)])
def test_a_crash_is_removed_wherever_it_is(holders):
    store = fallback()
    for holder in holders:
        stores_of(store)[holder].save_raw_crash(RAW, DUMPS, CRASH)
    store.remove(CRASH)
    for each in (*stores_of(store), store):
        with pytest.raises(CrashIDNotFound):
            each.remove(CRASH)


@pytest.mark.parametrize("failing", [0, 1])
def test_a_crash_is_removed_from_one_store_if_the_other_one_is_away(failing):
    store = fallback()
    stores = stores_of(store)
    for each in stores:
        each.save_raw_crash(RAW, DUMPS, CRASH)
    stores[failing].error = AWAY
    with pytest.raises(PolyStorageError) as raised:
        store.remove(CRASH)
    assert raised.value.failures == {("primary", "secondary")[failing]: AWAY}
    assert raised.value.transient
    assert stores[1 - failing].held(CRASH) == []


@pytest.mark.parametrize("failing", [0, 1])
def test_both_stores_must_be_usable(failing):
    store = fallback()
    store.check()
    stores_of(store)[failing].error = AWAY
    with pytest.raises(PolyStorageError) as raised:
        store.check()
    assert raised.value.failures == {("primary", "secondary")[failing]: AWAY}
    assert raised.value.transient


def test_both_stores_are_set_up_even_if_the_first_fails():
    store = fallback()
    primary, secondary = stores_of(store)
    primary.error = AWAY
    with pytest.raises(PolyStorageError) as raised:
        store.setup()
    assert raised.value.failures == {"primary": AWAY}
    assert secondary.written == ["set up"]


def test_failures_of_both_stores_are_reported():
    store = fallback()
    for each in stores_of(store):
        each.error = AWAY
    for action in (store.check, store.setup):
        with pytest.raises(PolyStorageError) as raised:
            action()
        assert set(raised.value.failures) == {"primary", "secondary"}


def test_both_stores_are_closed_even_if_the_first_fails():
    store = fallback()
    primary, secondary = stores_of(store)
    primary.error = AWAY
    store.close()
    assert secondary.written == ["closed"]


@pytest.mark.parametrize("missing", ["primary", "secondary"])
def test_a_store_that_is_not_named_is_a_configuration_error(missing):
    named = ({"primary", "secondary"} - {missing}).pop()
    options = {f"{named}.storage_class": class_name(FaultyStore)}
    with pytest.raises(ConfigurationError, match=rf"{missing}\.storage_class"):
        FallbackCrashStorage(defaults(FallbackCrashStorage, **options))


@pytest.mark.parametrize(
    ("annotations", "deferred"),
    [
        ({}, False),
        ({"legacy_processing": 0}, False),
        ({"legacy_processing": "0"}, False),
        ({"legacy_processing": 1}, True),
        ({"legacy_processing": "1"}, True),
        ({"legacy_processing": True}, True),
    ],
)
def test_a_crash_that_the_collector_throttled_is_deferred(annotations, deferred):
    store = primary_deferred()
    store.save_raw_crash(RAW | annotations, DUMPS, CRASH)
    assert [bool(each.written) for each in stores_of(store)] == [not deferred, deferred]
    assert store.get_raw_crash(CRASH) == RAW | annotations


@pytest.mark.parametrize(
    ("store_class", "names"),
    [(FallbackCrashStorage, ("primary", "secondary")), (PrimaryDeferredStorage, ("primary", "deferred"))],
)
def test_a_poly_store_behind_it_writes_again_only_to_the_store_that_failed(store_class, names):
    name = class_name(FaultyStore)
    options = {f"{each}.storage_class": class_name(PolyCrashStorage) for each in names}
    options |= {f"{each}.storage_classes": f"{name}, {name}" for each in names}
    store = store_class(defaults(store_class, **options))
    first, second = store.stores["primary"].stores.values()
    second.error = AWAY
    with pytest.raises(PolyStorageError) as raised:
        store.save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
    second.error = None
    first.written.clear()
    store.limited_to(list(raised.value.failures)).save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
    assert not first.written
    assert second.written


def test_the_predicate_can_be_replaced():
    store = primary_deferred(predicate_class=class_name(DefersLightbox))
    primary, deferred = stores_of(store)
    store.save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
    store.limited_to([]).save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)
    assert store.limited_to([]) is store, "nothing is made for a crash that is saved for the first time"
    assert not primary.written
    assert deferred.get_unredacted_processed(CRASH) == PROCESSED


def test_a_processed_crash_that_comes_alone_is_judged_on_its_own():
    store = primary_deferred()
    primary, deferred = stores_of(store)
    store.save_processed(PROCESSED)
    store.save_processed(PROCESSED | {"legacy_processing": 1, "signature": "deferred"})
    assert primary.get_unredacted_processed(CRASH)["signature"] == "main"
    assert deferred.get_unredacted_processed(CRASH)["signature"] == "deferred"


@pytest.mark.parametrize("make", [fallback, primary_deferred])
def test_both_stores_are_set_up(make):
    store = make()
    store.setup()
    assert [each.written for each in stores_of(store)] == [["set up"], ["set up"]]
