"""A store says which methods it implements."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crashstorage.base import Ability, CrashStorageBase
from socorro_processor.crashstorage.fallback import FallbackCrashStorage, PrimaryDeferredStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.statsd import StatsdBenchmarkingWrapper, StatsdCounter

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
ABILITIES: tuple[Ability, ...] = get_args(Ability)
CALLS: dict[str, tuple[Any, ...]] = {
    "get_raw_dumps_as_files": (CRASH, Path()),
    "new_crashes": (),
    "raw_crash_ids": (date(2016, 11, 23),),
    "newest": (5,),
    "missing_processed": ([CRASH],),
}


class NewestOnly(CrashStorageBase):
    def newest(self, limit, signature=None, product=None):
        return iter(())


def store_of(store_class: type[CrashStorageBase], **options: object) -> CrashStorageBase:
    return store_class(defaults(store_class, **options))


def of_two(store_class: type[CrashStorageBase], first: type, second: type) -> CrashStorageBase:
    names = store_class.names
    return store_of(
        store_class,
        **{f"{name}.storage_class": class_name(each) for name, each in zip(names, (first, second), strict=True)},
    )


@pytest.mark.parametrize("ability", [each for each in ABILITIES if each not in ("check", "examine")])
def test_what_a_store_does_not_implement_it_cannot_do(ability):
    store = store_of(CrashStorageBase)
    assert not store.can(ability)
    with pytest.raises(NotImplementedError):
        getattr(store, ability)(*CALLS.get(ability, (CRASH,)))


def test_what_a_store_implements_it_can_do():
    store = store_of(NewestOnly)
    assert [ability for ability in ABILITIES if store.can(ability)] == ["newest"]


@pytest.mark.parametrize("ability", ["newest", "get_raw_crash", "missing_processed", "remove", "check", "new_crashes"])
def test_a_poly_store_can_do_what_one_of_its_stores_can(ability):
    none, some = (
        store_of(PolyCrashStorage, storage_classes=", ".join(map(class_name, classes)))
        for classes in ((CrashStorageBase, CrashStorageBase), (NewestOnly, InMemoryCrashStorage))
    )
    assert not none.can(ability)
    # It does not list the new crashes of a store behind it, and a store in memory needs no check.
    assert some.can(ability) is (ability not in ("new_crashes", "check"))


@pytest.mark.parametrize("store_class", [FallbackCrashStorage, PrimaryDeferredStorage])
def test_an_answer_that_needs_two_stores_is_possible_only_if_both_can_give_it(store_class):
    both = of_two(store_class, InMemoryCrashStorage, InMemoryCrashStorage)
    for stores in ((InMemoryCrashStorage, NewestOnly), (NewestOnly, InMemoryCrashStorage)):
        one = of_two(store_class, *stores)
        for ability in ("held", "missing_processed", "raw_crash_ids"):
            assert both.can(ability)
            assert not one.can(ability)
        assert one.can("get_raw_crash")
        assert one.can("newest")


def test_reads_go_to_the_one_of_two_stores_that_can():
    store = of_two(FallbackCrashStorage, NewestOnly, InMemoryCrashStorage)
    store.stores["secondary"].save_raw_crash({"a": 1}, {}, CRASH)
    assert store.get_raw_crash(CRASH) == {"a": 1}
    assert list(store.newest(5)) == []
    store.remove(CRASH)
    assert store.stores["secondary"].held(CRASH) == []


def test_a_wrapper_can_do_what_the_store_in_it_can():
    store = store_of(StatsdBenchmarkingWrapper, wrapped_crashstore=class_name(NewestOnly))
    assert [ability for ability in ABILITIES if store.can(ability)] == ["newest"]
    store.close()


def test_a_counted_call_does_not_add_an_ability():
    store = store_of(StatsdCounter, active_list="newest, get_raw_crash")
    assert [ability for ability in ABILITIES if store.can(ability)] == ["held", "remove"]
    store.close()
