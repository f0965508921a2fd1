"""Stores that count and time for statsd, read from a real socket."""

from __future__ import annotations

import pytest

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.statsd import CALLS, StatsdBenchmarkingWrapper, StatsdCounter
from socorro_processor.errors import ConfigurationError, CrashIDNotFound, PolyStorageError, TransientStorageError
from tests.unit.crashstorage.faulty_store import FaultyStore

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
RAW = {"ProductName": "Firefox", "URL": "https://example.com/"}
DUMPS = {"upload_file_minidump": b"MDMP"}
PROCESSED = {"uuid": CRASH, "signature": "main"}
AWAY = TransientStorageError("away")


class StoreWithMore(FaultyStore):
    def set_up(self):
        return "set up"


@pytest.fixture
def counter(statsd_server):
    made = []

    def counter(**options):
        config = defaults(StatsdCounter, statsd_host="127.0.0.1", statsd_port=str(statsd_server.port), **options)
        made.append(StatsdCounter(config))
        return made[-1]

    yield counter
    for each in made:
        each.close()


@pytest.fixture
def wrapper(statsd_server):
    made = []

    def wrapper(wrapped=FaultyStore, **options):
        options = {"statsd_host": "127.0.0.1", "statsd_port": str(statsd_server.port), **options}
        made.append(
            StatsdBenchmarkingWrapper(
                defaults(StatsdBenchmarkingWrapper, wrapped_crashstore=class_name(wrapped), **options)
            )
        )
        return made[-1]

    yield wrapper
    for each in made:
        each.close()


def save(store):
    store.save_raw_and_processed(RAW, DUMPS, PROCESSED, CRASH)


def test_a_crash_that_is_saved_is_counted_once(counter, statsd_server):
    save(counter())
    assert statsd_server.lines() == ["processor.save_raw_and_processed:1|c"]


def test_only_calls_of_the_active_list_are_counted_and_under_the_prefix(counter, statsd_server):
    store = counter(active_list="save_raw_crash, check,", statsd_prefix="stage.processor")
    store.save_raw_crash(RAW, DUMPS, CRASH)
    store.save_processed(PROCESSED)
    save(store)
    store.check()
    assert statsd_server.lines() == ["stage.processor.save_raw_crash:1|c", "stage.processor.check:1|c"]


def test_a_call_is_counted_as_itself_only(counter, statsd_server):
    save(counter(active_list="save_raw_and_processed, save_processed, save_raw_crash"))
    assert statsd_server.lines() == ["processor.save_raw_and_processed:1|c"]


def test_the_counter_keeps_nothing(counter):
    store = counter()
    save(store)
    assert not store.can("get_unredacted_processed")
    assert store.held(CRASH) == []
    with pytest.raises(CrashIDNotFound):
        store.remove(CRASH)


def test_names_that_no_store_knows_count_nothing(counter, statsd_server):
    save(counter(active_list="act, config, __init__, close_enough, save_raw_and_processed"))
    assert statsd_server.counter("processor.save_raw_and_processed") == 1


def test_behind_other_stores_a_retried_crash_is_not_counted_again(statsd_server):
    store = PolyCrashStorage(
        defaults(
            PolyCrashStorage,
            storage_classes=f"{class_name(FaultyStore)}, {class_name(StatsdCounter)}",
            **{"storage1.statsd_host": "127.0.0.1", "storage1.statsd_port": str(statsd_server.port)},
        )
    )
    store.stores["storage0"].error = AWAY
    with pytest.raises(PolyStorageError) as raised:
        save(store)
    store.stores["storage0"].error = None
    save(store.limited_to(list(raised.value.failures)))
    assert statsd_server.counter("processor.save_raw_and_processed") == 1
    store.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "127.0.0.1", ""])
def test_a_statsd_that_is_away_fails_neither_the_start_nor_a_crash(host):
    config = {"statsd_host": host, "statsd_port": "1"}
    counter = StatsdCounter(defaults(StatsdCounter, **config))
    wrapper = StatsdBenchmarkingWrapper(
        defaults(StatsdBenchmarkingWrapper, wrapped_crashstore=class_name(FaultyStore), **config)
    )
    for store in (counter, wrapper):
        store.check()
        save(store)
        save(store)
        store.close()


def test_the_wrapped_store_does_all_that_it_does_unwrapped(wrapper, tmp_path):
    store = wrapper()
    store.save_raw_crash(RAW, DUMPS, CRASH)
    store.save_processed(PROCESSED)
    assert store.get_raw_crash(CRASH) == RAW
    assert store.get_raw_dump(CRASH) == b"MDMP"
    assert store.get_raw_dumps(CRASH) == DUMPS
    assert store.get_raw_dumps_as_files(CRASH, tmp_path)["upload_file_minidump"].read_bytes() == b"MDMP"
    assert store.get_processed(CRASH) == store.get_unredacted_processed(CRASH) == PROCESSED
    store.remove(CRASH)
    with pytest.raises(CrashIDNotFound):
        store.get_raw_crash(CRASH)


@pytest.mark.parametrize("call", [call for call in CALLS if call not in ("close", "limited_to")])
def test_no_call_stays_in_the_wrapper(wrapper, call):
    store = wrapper(active_list="")
    assert type(getattr(store, call).__self__) is FaultyStore


def test_what_a_store_has_beyond_the_contract_can_be_reached(wrapper):
    store = wrapper(StoreWithMore)
    assert store.set_up() == "set up"
    with pytest.raises(AttributeError):
        store.tear_down()


def test_calls_of_the_active_list_are_timed_in_milliseconds_under_the_stores_name(wrapper, statsd_server):
    store = wrapper(active_list="save_raw_and_processed, get_processed", statsd_prefix="p")
    save(store)
    store.get_unredacted_processed(CRASH)
    assert len(statsd_server.lines()) == 1
    (milliseconds,) = statsd_server.timings("p.FaultyStore.save_raw_and_processed")
    assert 0 < milliseconds < 10_000


def test_a_retry_is_timed_as_a_save_even_of_a_part_of_the_wrapped_store(wrapper, statsd_server):
    name = class_name(FaultyStore)
    store = wrapper(PolyCrashStorage, storage_classes=f"{name}, {name}")
    there = store.stores["storage0"]
    save(store.limited_to(["storage1"]))
    assert len(statsd_server.timings("processor.PolyCrashStorage.save_raw_and_processed")) == 1
    assert not there.written
    save(store)
    assert [*store.stores] == ["storage0", "storage1"]
    assert there.written
    assert store.limited_to([]) is store


def test_an_error_of_the_wrapped_store_is_timed_and_passed_through(wrapper, statsd_server):
    store = wrapper()
    store.fail_with(AWAY)
    with pytest.raises(TransientStorageError) as raised:
        save(store)
    assert raised.value is AWAY
    assert len(statsd_server.timings("processor.FaultyStore.save_raw_and_processed")) == 1
    store.fail_with(None)


def test_without_a_statsd_the_wrapper_times_nothing(wrapper, statsd_server):
    save(wrapper(statsd_host=""))
    assert statsd_server.lines() == []


def test_the_wrapped_store_is_closed_with_the_wrapper(statsd_server):
    config = defaults(StatsdBenchmarkingWrapper, wrapped_crashstore=class_name(FaultyStore), statsd_host="127.0.0.1")
    store = StatsdBenchmarkingWrapper(config)
    store.fail_with(AWAY)
    with pytest.raises(TransientStorageError):
        store.close()
    assert store.written == ["closed"]


def test_a_wrapper_around_nothing_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="wrapped_crashstore"):
        StatsdBenchmarkingWrapper(defaults(StatsdBenchmarkingWrapper))
