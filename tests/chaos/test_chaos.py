"""The harness notices what must not happen."""

import itertools
import os
import signal
from pathlib import Path

from socorro_processor.configuration import class_name
from tests.chaos.broken_stores import ForgetfulStore, PickyStore, StacklessStore, UntidyStore
from tests.chaos.embedded import EmbeddedSite
from tests.chaos.faults import Fault
from tests.chaos.plan import Lane
from tests.chaos.processors import idle_ones
from tests.chaos.run import run
from tests.chaos.site import Site
from tests.chaos.submitter import HEALTHY

STORE = "destination.crashstorage_class"


class Calm(EmbeddedSite):
    """Nothing goes wrong."""

    @classmethod
    def lanes_with(cls, processors: int) -> tuple[Lane, ...]:
        return ()


def test_if_nothing_goes_wrong_every_crash_is_saved(tmp_path: Path):
    report = run(Calm(tmp_path, {}))

    assert report.is_clean, "\n".join(report.lines())
    assert {crash.kind for crash in report.submitted} == {HEALTHY}
    crash_ids = {crash.crash_id for crash in report.submitted}
    assert report.tally.saved == {"IndexedFileSystemCrashStorage": crash_ids}
    assert report.tally.symbols == dict.fromkeys(crash_ids, "all")


def test_crashes_that_are_acknowledged_without_being_saved_are_lost(tmp_path: Path):
    report = run(Calm(tmp_path, {STORE: class_name(ForgetfulStore)}))

    assert not report.is_clean
    assert report.submitted
    assert report.lost == report.submitted
    assert f"{report.submitted[0].crash_id!r} (healthy)" in "\n".join(report.lines())


def test_healthy_crashes_that_are_parked_are_reported_with_the_reason(tmp_path: Path):
    report = run(Calm(tmp_path, {STORE: class_name(PickyStore)}))

    assert not report.is_clean
    assert report.wronged
    assert all("it is not to its taste" in why for why in report.wronged.values())
    assert report.lost == []


def test_files_and_processes_that_are_left_behind_are_reported(tmp_path: Path):
    report = run(Calm(tmp_path, {STORE: class_name(UntidyStore)}), seconds=1.0)
    files = [each for each in report.left_behind if "/untidy-" in each]
    processes = [each for each in report.left_behind if each.endswith("sleep 60")]
    for process in processes:
        os.kill(int(process.split()[1].rstrip(":")), signal.SIGKILL)

    assert not report.is_clean
    assert len(files) == len(processes) == len(report.submitted)


def test_crashes_that_are_saved_without_a_stack_are_reported_unless_the_stackwalker_was_at_fault(tmp_path: Path):
    report = run(Calm(tmp_path, {STORE: class_name(StacklessStore)}))

    assert not report.is_clean
    assert report.tally.spoilt.keys() == {crash.crash_id for crash in report.submitted}


def test_a_processor_that_has_stopped_working_is_reported():
    class Processor:
        def __init__(self, *saved: int) -> None:
            self._saved = itertools.chain(saved, itertools.repeat(saved[-1]))

        def saved(self) -> int:
            return next(self._saved)

    busy, idle, late = Processor(1, 2), Processor(1, 1), Processor(1, 1, 2)

    assert idle_ones([busy, idle, late], within=0.5) == [idle]
    assert idle_ones([late, busy], within=0.0) == [late, busy]


class Impossible(Fault):
    name = "the moon falls down"

    def impossible(self, site: Site) -> str:
        return "it is held too well"


class Broken(Fault):
    name = "breaks"

    def begin(self, site: Site) -> None:
        raise RuntimeError("it does not know how")


def test_faults_that_cannot_be_brought_about_are_named_and_those_that_fail_are_errors(tmp_path: Path):
    site = Calm(tmp_path, {})
    site.lanes = (Lane("sky", 0.5, (Impossible(),)), Lane("harness", 0.5, (Broken(),)))
    report = run(site, seconds=1.0)

    assert report.skipped == {"sky: the moon falls down": "it is held too well"}
    assert report.injected == {}
    assert "it does not know how" in report.errors[0]
    assert not report.is_clean
