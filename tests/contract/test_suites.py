"""The suites find faults: each class breaks one promise, and certain tests fail for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import REPOSITORY

RULES = """
import time

from socorro_processor.pipeline.rule import Rule
from socorro_processor.testing import RuleSuite
from socorro_processor.testing import rules as suite

suite.MAXIMUM_CPU_SECONDS = 0.1


class OwnSuite(RuleSuite):
    annotations = {"Album": "Home"}


class Fails(Rule):
    def action(self, crash):
        crash.processed["album"] = crash.raw["Album"].upper()


class Corrects(Rule):
    def action(self, crash):
        crash.raw.setdefault("Album", "")


class WritesInItsPredicate(Rule):
    def predicate(self, crash):
        crash.processed["album"] = "x"
        return True

    def action(self, crash):
        return True


class LeavesASet(Rule):
    def action(self, crash):
        crash.processed["albums"] = {"x"}


class QuotesAll(Rule):
    def action(self, crash):
        crash.note(f"the album was {crash.raw.get('Album')}")


class ReturnsText(Rule):
    def action(self, crash):
        return "yes"


class NeverApplies(Rule):
    def predicate(self, crash):
        return False


class Remembers(Rule):
    def __init__(self, config=None):
        super().__init__(config)
        self.number = 0

    def action(self, crash):
        self.number += 1
        crash.processed["number"] = self.number


class IsSlow(Rule):
    def action(self, crash):
        until = time.thread_time() + 2 * suite.MAXIMUM_CPU_SECONDS
        while len(str(crash.raw.get("Album"))) > 10_000 and time.thread_time() < until:
            pass


for rule in Rule.__subclasses__():
    if rule.__module__ == __name__:
        globals()[f"Test{rule.__name__}"] = type(f"Test{rule.__name__}", (OwnSuite,), {"rule_class": rule})
"""
RULES_FOUND = {
    ("Fails", "an_annotation_that_is_missing"),
    ("Fails", "an_annotation_of_any_type"),
    ("Corrects", "an_annotation_that_is_missing"),
    ("WritesInItsPredicate", "it_has_something_to_do"),
    ("LeavesASet", "it_has_something_to_do"),
    ("QuotesAll", "an_annotation_of_any_type"),
    ("ReturnsText", "it_has_something_to_do"),
    ("NeverApplies", "it_has_something_to_do"),
    ("Remembers", "a_crash_that_comes_again"),
    ("IsSlow", "an_annotation_of_any_type"),
}

STORES = """
from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.crashstorage.objects import NoSuchObject
from socorro_processor.testing import LIMITS, ObjectStoreSuite


class KeepsTheFirst(InMemoryCrashStorage):
    def put(self, key, content):
        if key not in self._objects:
            super().put(key, content)


class ReadsWhateverTheSize(InMemoryCrashStorage):
    def get(self, key, maximum_size=None):
        return super().get(key)


class KnowsNothingAbsent(InMemoryCrashStorage):
    def are_absent(self, keys):
        return iter([False for _ in keys])


class DeletesNothing(InMemoryCrashStorage):
    def delete(self, key):
        return True


class ListsInNoOrder(InMemoryCrashStorage):
    def list_folder(self, folder):
        return reversed([*super().list_folder(folder)])


def suite(store_class):
    class Suite(ObjectStoreSuite):
        def new_store(self, directory):
            return store_class(defaults(store_class, **LIMITS))

    return Suite


for store in InMemoryCrashStorage.__subclasses__():
    globals()[f"Test{store.__name__}"] = suite(store)
"""
STORES_FOUND = {
    ("KeepsTheFirst", "saving_twice"),
    ("ReadsWhateverTheSize", "a_raw_crash_that_is_too_large"),
    ("KnowsNothingAbsent", "crashes_without_a_processed_crash"),
    ("DeletesNothing", "a_removed_crash_is_gone"),
    ("ListsInNoOrder", "the_raw_crashes_of_a_day"),
}

QUEUES = """
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.testing import NoLossSuite, QueueSuite
from tests.unit.crashqueue import machine


class KeepsWhatWasAcked(SQLiteCrashQueue):
    def ack(self, delivery):
        self.release(delivery)


class CountsEachRetry(SQLiteCrashQueue):
    def retry(self, delivery, reason, *, transient, history=None):
        super().retry(delivery, reason, transient=False, history=history)


class LosesWhatIsParked(SQLiteCrashQueue):
    def park(self, delivery, reason):
        self.ack(delivery)


def backend(queue_class):
    def new_backend(self, directory):
        machine.SQLiteCrashQueue = queue_class
        return machine.Machine(directory / "queue.sqlite")

    return new_backend


for queue in SQLiteCrashQueue.__subclasses__():
    globals()[f"Test{queue.__name__}"] = type(f"Test{queue.__name__}", (QueueSuite,), {"new_backend": backend(queue)})


class TestLosses(NoLossSuite):
    new_backend = backend(CountsEachRetry)
"""
QUEUES_FOUND = {
    ("KeepsWhatWasAcked", "an_acked_crash_is_gone"),
    ("CountsEachRetry", "a_retry_counts_as_an_attempt"),
    ("LosesWhatIsParked", "a_crash_that_was_set_aside"),
    ("Losses", "how_often_a_crash_is_tried"),
}


@pytest.mark.parametrize(
    ("classes", "found"),
    [(RULES, RULES_FOUND), (STORES, STORES_FOUND), (QUEUES, QUEUES_FOUND)],
    ids=["rules", "stores", "queues"],
)
def test_each_promise_that_a_class_breaks_fails_a_test(tmp_path: Path, classes: str, found: set[tuple[str, str]]):
    (tmp_path / "test_broken.py").write_text(classes)
    chosen = " or ".join(f"(Test{name} and {test})" for name, test in sorted(found))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:randomly", "-k", chosen, "test_broken.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"},
        capture_output=True,
        text=True,
    )
    failed = re.findall(r"^FAILED test_broken.py::Test(\w+)::test_(\w+)", done.stdout, re.MULTILINE)
    assert {each for each in found if not any(a == each[0] and b.startswith(each[1]) for a, b in failed)} == set(), (
        done.stdout
    )
