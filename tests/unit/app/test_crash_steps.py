"""Fetch, transform, save: the steps of one crash."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from socorro_processor.app.crash_steps import CrashSteps
from socorro_processor.app.temporary_directory import ProcessDirectory
from socorro_processor.app.unsaved import UnsavedCrashes
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.history import NO_HISTORY
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import (
    CrashIDNotFound,
    CrashStorageError,
    NotSavedError,
    PermanentStorageError,
    ProcessingEnvironmentError,
    TransientStorageError,
)
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule import Crash, Rule

CRASH_ID = new_crash_id()


class CountingRule(Rule):
    """Counts the dumps' bytes, and its own runs."""

    runs = 0
    error: Exception | None = None

    def action(self, crash: Crash) -> bool:
        CountingRule.runs += 1
        if CountingRule.error:
            raise CountingRule.error
        crash.processed["signature"] = "main"
        crash.processed["sizes"] = {name: len(path.read_bytes()) for name, path in crash.dumps.items()}
        crash.raw["rewritten"] = True
        Path(crash.temporary_directory, "left-over").write_text("x")
        return True


class UnreliableStore(InMemoryCrashStorage):
    """Fails as often as it is told to."""

    def __init__(self, config):
        super().__init__(config)
        self.errors: list[CrashStorageError] = []
        self.check_error: CrashStorageError | None = None
        self.saves = 0

    def check(self):
        if self.check_error:
            raise self.check_error

    def save_raw_and_processed(self, raw_crash, dumps, processed_crash, crash_id):
        if self.errors:
            raise self.errors.pop(0)
        self.saves += 1
        super().save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)


@pytest.fixture(autouse=True)
def _no_run_yet():
    CountingRule.runs = 0
    CountingRule.error = None


@pytest.fixture
def source():
    store = InMemoryCrashStorage(defaults(InMemoryCrashStorage))
    store.save_raw_crash({"ProductName": "Lightbox"}, {MAIN_DUMP: b"12345"}, CRASH_ID)
    return store


@pytest.fixture
def destination():
    name = f"{__name__}.UnreliableStore"
    return PolyCrashStorage(defaults(PolyCrashStorage, storage_classes=f"{name}, {name}"))


@pytest.fixture
def stores(destination):
    """The two stores behind the destination."""
    return list(destination.stores.values())


@pytest.fixture
def directory(tmp_path):
    directory = ProcessDirectory(str(tmp_path))
    yield directory
    assert list(directory.path.iterdir()) == []
    directory.close()


@pytest.fixture
def steps(source, destination, directory):
    rule_sets = json.dumps([["own", "", "", "apply_all_rules", f"{__name__}.CountingRule"]])
    pipeline = ProcessorPipeline(defaults(ProcessorPipeline, rule_sets=rule_sets))
    return CrashSteps(source, pipeline, destination, directory, UnsavedCrashes())


def test_a_crash_is_fetched_transformed_and_saved_everywhere(steps, stores):
    result = steps.run(CRASH_ID)
    assert result.signature == "main"
    assert result.success
    assert {"fetch", "rules", "saves", "save.storage0", "save.storage1"} <= set(result.durations)
    for store in stores:
        processed = store.get_unredacted_processed(CRASH_ID)
        assert processed["sizes"] == {MAIN_DUMP: 5}
        assert set(processed["processing"]["durations"]) == {"fetch", "rules"}
        assert store.get_raw_crash(CRASH_ID)["rewritten"] is True


def test_a_crash_that_is_not_there_is_not_found(steps):
    with pytest.raises(CrashIDNotFound):
        steps.run(new_crash_id())


def test_a_dump_that_is_missing_is_a_note(steps, source, stores):
    crash_id = new_crash_id()
    source.save_raw_crash({}, {MAIN_DUMP: b"1", "memory_report": b"2"}, crash_id)
    assert source.delete(f"v1/memory_report/{crash_id}")
    steps.run(crash_id)
    assert "memory_report" in stores[0].get_unredacted_processed(crash_id)["processor_notes"]


def test_an_earlier_result_makes_it_a_reprocessing(steps, source, stores):
    source.save_processed({"uuid": CRASH_ID, "started_datetime": "2016", "processor_notes": "old", "stale": 1})
    steps.run(CRASH_ID)
    processed = stores[0].get_unredacted_processed(CRASH_ID)
    assert "earlier processing: 2016" in processed["processor_notes"]
    assert processed["processor_notes"].endswith("old")
    assert "stale" not in processed


@pytest.mark.parametrize("first_time", [True, False])
def test_a_crash_with_a_new_signature_keeps_its_earlier_one_however_often_it_is_processed(
    steps, source, stores, first_time
):
    source.save_processed({"uuid": CRASH_ID, "signature": "of then"})
    steps.run(CRASH_ID, first_time=first_time)
    processed = stores[0].get_unredacted_processed(CRASH_ID)
    assert (processed["signature"], processed["earlier_signature"]) == ("main", "of then")
    source.save_processed(processed)
    steps.run(CRASH_ID, first_time=first_time)
    assert stores[0].get_unredacted_processed(CRASH_ID)["earlier_signature"] == "of then"


def test_a_crash_whose_signature_stays_has_no_earlier_one(steps, source, stores):
    source.save_processed({"uuid": CRASH_ID, "signature": "main"})
    steps.run(CRASH_ID)
    assert "earlier_signature" not in stores[0].get_unredacted_processed(CRASH_ID)


def test_a_retry_is_not_a_reprocessing(steps, source, stores):
    source.save_processed({"uuid": CRASH_ID, "started_datetime": "2016", "processor_notes": "old"})
    steps.run(CRASH_ID, first_time=False)
    assert "earlier processing" not in stores[0].get_unredacted_processed(CRASH_ID)["processor_notes"]


def test_an_earlier_result_that_cannot_be_read_is_a_note(steps, source, stores):
    source.put(f"v1/processed_crash/{CRASH_ID}", b"no JSON")
    steps.run(CRASH_ID)
    notes = stores[0].get_unredacted_processed(CRASH_ID)["processor_notes"]
    assert "the earlier result cannot be read" in notes


def fail_to_save(steps, history=NO_HISTORY, first_time=True):
    """Return the history that the next attempt gets."""
    with pytest.raises(NotSavedError) as raised:
        steps.run(CRASH_ID, first_time=first_time, history=history)
    error = raised.value
    return replace(history, unsaved=",".join(error.unsaved), failed=",".join(error.away), result=error.result)


def test_after_a_failed_save_only_the_store_that_failed_is_written_again_without_a_second_walk(steps, stores):
    stores[1].errors = [TransientStorageError("away"), TransientStorageError("still away")]
    history = fail_to_save(steps)
    assert history.unsaved == history.failed == "storage1"
    assert fail_to_save(steps, history, first_time=False) == history
    steps.run(CRASH_ID, first_time=False, history=history)
    assert [store.saves for store in stores] == [1, 1]
    assert CountingRule.runs == 1
    assert stores[0].get_unredacted_processed(CRASH_ID) == stores[1].get_unredacted_processed(CRASH_ID)


def test_a_failed_save_raises_an_error_without_context_and_cause(steps, stores):
    stores[1].errors = [TransientStorageError("away")]
    with pytest.raises(NotSavedError) as raised:
        steps.run(CRASH_ID)
    assert (raised.value.__context__, raised.value.__cause__) == (None, None)


def test_a_kept_result_is_not_saved_over_a_newer_one_of_another_process(steps, stores):
    stores[1].errors = [TransientStorageError("away")]
    history = fail_to_save(steps)
    steps.run(CRASH_ID, first_time=False, history=replace(history, result="of another process"))
    assert CountingRule.runs == 2
    assert [store.saves for store in stores] == [2, 1]


def test_a_result_that_is_newer_than_the_kept_one_stays(steps, source, stores):
    stores[1].errors = [TransientStorageError("away")]
    history = fail_to_save(steps)
    later = stores[0].get_unredacted_processed(CRASH_ID) | {"started_datetime": "9999"}
    stores[0].save_processed(later)
    steps.run(CRASH_ID, first_time=False, history=history)
    assert CountingRule.runs == 2


def test_another_process_looks_at_the_stores_that_failed_before_it_walks(steps, stores):
    stores[1].errors = [TransientStorageError("away")]
    history = fail_to_save(steps)
    steps._unsaved.forget(CRASH_ID)
    stores[1].check_error = TransientStorageError("still away")
    assert fail_to_save(steps, history, first_time=False) == history
    assert CountingRule.runs == 1
    stores[1].check_error = None
    steps.run(CRASH_ID, first_time=False, history=history)
    assert CountingRule.runs == 2


def test_a_crash_submitted_again_is_processed_again_despite_a_kept_result(steps, stores):
    stores[1].errors = [TransientStorageError("away")]
    fail_to_save(steps)
    steps.run(CRASH_ID)
    assert CountingRule.runs == 2


def test_a_crash_submitted_again_whose_fetch_fails_is_not_saved_from_the_kept_result(steps, source, stores):
    stores[1].errors = [TransientStorageError("away")]
    history = fail_to_save(steps)
    get, source.get_raw_crash = source.get_raw_crash, lambda crash_id, note: 1 / 0
    with pytest.raises(ZeroDivisionError):
        steps.run(CRASH_ID)
    source.get_raw_crash = get
    steps.run(CRASH_ID, first_time=False, history=history)
    assert CountingRule.runs == 2


def test_a_crash_that_was_removed_since_its_save_failed_is_not_saved_from_the_kept_result(steps, source, stores):
    stores[1].errors = [TransientStorageError("away")]
    history = fail_to_save(steps)
    for store in (source, stores[0]):
        store.remove(CRASH_ID)
    with pytest.raises(CrashIDNotFound):
        steps.run(CRASH_ID, first_time=False, history=history)
    assert [store.held(CRASH_ID) for store in (source, *stores)] == [[], [], []]


def test_a_destination_that_says_not_found_does_not_make_the_crash_unknown(steps, stores):
    stores[1].errors = [CrashIDNotFound("no such row")]
    with pytest.raises(NotSavedError):
        steps.run(CRASH_ID)
    steps._destination = stores[1]
    stores[1].errors = [CrashIDNotFound("no such row")]
    with pytest.raises(PermanentStorageError):
        steps.run(CRASH_ID)


def test_if_this_machine_lacks_something_nothing_is_saved(steps, stores):
    CountingRule.error = ProcessingEnvironmentError("no stackwalker")
    with pytest.raises(ProcessingEnvironmentError):
        steps.run(CRASH_ID)
    assert [store.saves for store in stores] == [0, 0]
