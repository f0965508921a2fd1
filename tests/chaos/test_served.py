"""Crashes that come through the front door: every answer is a promise, whatever happens to the server."""

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from socorro_processor.retention.bounds import Bounds
from tests.chaos.faults import Full, Submitted
from tests.chaos.plan import Lane, make_plan
from tests.chaos.run import run
from tests.chaos.served import (
    STEPS,
    ServedSite,
    ServerDies,
    ServerFrozen,
    ServerGets,
    ServerGetsAnother,
    SpoolEaten,
    SpoolFull,
    StoreInTheWay,
    served,
)
from tests.chaos.site import Site
from tests.chaos.submitter import MALFORMED, TWICE
from tests.system.daemon import configuration, eventually

pytestmark = pytest.mark.timeout(300)

SECONDS = 14.0
SEED = 7


class Quick(ServedSite):
    """The faults of the server and of what it writes to, without much rest in between."""

    @classmethod
    def lanes_with(cls, processors: int) -> tuple[Lane, ...]:
        return (
            Lane(
                "server",
                1.5,
                (
                    ServerGets(signal.SIGKILL),
                    ServerGets(signal.SIGTERM),
                    ServerGetsAnother(),
                    ServerFrozen(lasts=(0.3, 0.6)),
                ),
            ),
            Lane("server's steps", 0.1, tuple(ServerDies(step, lasts=(1.0, 1.1)) for step in STEPS)),
            Lane(
                "spool's disk",
                2.5,
                (SpoolFull("spool's disk", lasts=(1.0, 1.5)), SpoolEaten("spool's disk", lasts=(0.5, 1.0))),
            ),
            Lane("store's disk", 3.0, (Full("store's disk", lasts=(0.5, 1.0)),)),
            Lane("store", 3.0, (StoreInTheWay(lasts=(0.5, 1.0)),)),
            Lane("crash", 1.5, (Submitted(MALFORMED), Submitted(TWICE))),
        )


@pytest.mark.long
def test_some_seconds_of_chaos_break_no_promise_and_leave_nothing_behind(tmp_path: Path):
    report = run(Quick(tmp_path, {}, processors=1), seconds=SECONDS, rate=20.0)

    assert report.is_clean, "\n".join(report.lines())
    # A clean run must have tried something.
    facts = report.facts
    assert {fault for lane, fault in report.injected if lane == "server's steps"} == {
        f"dies after: {step}" for step in STEPS
    }
    assert facts["promises to the sender that retries"] > 0
    assert facts["promises to the sender that once"] > 0
    assert facts["reports that were sent again until there was a promise"] > 0
    assert facts["uploads that were broken off"] > 0
    assert facts["uploads that were refused as malformed"] > 0
    # How many depends on the machine: a server that starts slowly is killed less often.
    assert any(facts[f"deaths of the server after: {step}"] for step in STEPS)


@dataclass
class RemovedFromSpool(StoreInTheWay):
    """Somebody removes what waits in the spool while the store is away."""

    name: str = "away, and the spool emptied"
    lasts: tuple[float, float] = (2.0, 2.0)

    def begin(self, site: Site) -> None:
        super().begin(site)
        ready = served(site).spool / "ready"
        eventually(lambda: any(ready.iterdir()), served(site).door.log)

    def end(self, site: Site) -> None:
        self.removed = {path.name[-36:] for path in (served(site).spool / "ready").iterdir()}
        for path in (served(site).spool / "ready").iterdir():
            path.unlink()
        super().end(site)


class Robbed(ServedSite):
    fault = RemovedFromSpool()

    @classmethod
    def lanes_with(cls, processors: int) -> tuple[Lane, ...]:
        return (Lane("spool", 1.0, (cls.fault,)),)


def test_crashes_that_are_removed_from_the_spool_are_promises_that_were_broken(tmp_path: Path):
    report = run(Robbed(tmp_path, {}, processors=1), seconds=4.0)

    lost = {error.split()[1] for error in report.errors if error.startswith("lost: ")}
    assert Robbed.fault.removed
    assert lost >= Robbed.fault.removed
    assert {crash.crash_id for crash in report.lost} == lost
    assert len(report.errors) == len(lost)
    assert not report.is_clean


def test_a_file_that_is_left_in_the_spool_is_reported(tmp_path: Path):
    with ServedSite(tmp_path, {}) as site:
        before = site.left_behind()
        files = [site.spool / name / "left" for name in ("writing", "ready", "aside", "moving")]
        for file in files:
            file.parent.mkdir(parents=True)
            file.touch()

        assert before == []
        assert site.left_behind() == list(map(str, files))


def test_no_bound_removes_a_crash_of_a_run_however_small_a_full_disk_is(tmp_path: Path):
    with ServedSite(tmp_path, {}) as site:
        bounds = Bounds.of(configuration(site.installation.environment).values.retention, site.crashes)

    assert (bounds.size, bounds.dumps, bounds.products) == (0, 0, {})


def test_the_quick_run_has_every_fault_of_the_server_and_of_its_spool():
    quick = {(each.lane, each.fault.name) for each in make_plan(Quick.lanes_with(1), SECONDS, SEED)}

    assert quick >= {
        (lane.name, fault.name)
        for lane in ServedSite.own_lanes
        if lane.name in ("server", "server's steps", "spool's disk", "store", "store's disk")
        for fault in lane.faults
    }
