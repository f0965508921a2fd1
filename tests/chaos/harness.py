"""A run: processors work, faults begin and end, all is mended, and then crashes are counted."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Protocol

from tests.chaos.plan import Planned, make_plan
from tests.chaos.processors import idle_ones
from tests.chaos.report import Report, Tally, queued
from tests.chaos.site import Site
from tests.chaos.submitter import Submitted

LOOK_INTERVAL = 0.5
BUSY_WITHIN = 180.0
"""Seconds until each processor works again; a poison crash may end it five times before."""
STILL_FOR = 150.0
"""Seconds without a change after which none is expected: a poison crash takes a processor as long."""
CONFIGURATION_IS_WRONG = 2
"""The exit code of a failed start that systemd does not repeat."""


class Watcher(Protocol):
    """An observer of a run."""

    def happened(self, text: str) -> None:
        """Called when a fault begins."""

    def stands(self, text: str) -> None:
        """Called with the state of the run, twice a second."""


@dataclass(frozen=True)
class Settings:
    seconds: float
    seed: int
    rate: float
    """Healthy crashes a second."""


class Chaos:
    """One run at a site."""

    def __init__(self, site: Site, settings: Settings, watcher: Watcher) -> None:
        self._site = site
        self._settings = settings
        self._watcher = watcher
        self._skipped = {
            f"{lane.name}: {fault.name}": why
            for lane in site.lanes
            for fault in lane.faults
            if (why := fault.impossible(site))
        }
        self._injected: Counter[tuple[str, str]] = Counter()
        self._errors: list[str] = []
        self._over = threading.Event()

    def run(self) -> Report:
        """Run the plan at a site that has been entered."""
        site, settings = self._site, self._settings
        tally = Tally(site.readers(), site.clean_walks)
        with ExitStack() as running:
            site.start(running, settings.rate, settings.seed)
            self._go_wrong(make_plan(site.lanes, settings.seconds, settings.seed))
            site.mend()
            self._watcher.stands("all is mended")
            for processor in idle_ones(site.processors.values(), BUSY_WITHIN):
                self._errors.append(f"{processor.name} has saved nothing since all was mended")
            self._wait_until_poison_is_parked()
            self._errors += site.out_of_order()
            self._errors += site.submitter.stop()
            submitted = site.submitter.submitted()
            self._wait_until_settled(tally, submitted)
            self._stop_processors()
            self._errors += site.stop()
        ends = sum((processor.ends for processor in site.processors.values()), Counter())
        if ends[CONFIGURATION_IS_WRONG]:
            self._errors.append("a processor ended as misconfigured, though only what it needs was away")
        with closing(site.queue()) as queue:
            still_queued = queued(queue.depths())
            tally.count(submitted, queue)
        return Report(
            title=f"{type(site).__name__}, {len(site.names)} processors, {settings.seconds:g} s, seed {settings.seed}",
            submitted=submitted,
            tally=tally,
            still_queued=still_queued,
            injected=self._injected,
            skipped=self._skipped,
            ends=ends,
            left_behind=site.left_behind(),
            facts=site.facts(),
            counted=site.statsd.counters("processor."),
            errors=self._errors,
        )

    def _go_wrong(self, plan: Sequence[Planned]) -> None:
        """Carry out the plan, each lane in its own thread, because some faults take a while."""
        started = time.monotonic()
        threads = [
            threading.Thread(target=self._inject, args=([each for each in plan if each.lane == lane], started))
            for lane in {each.lane for each in plan}
        ]
        try:
            for thread in threads:
                thread.start()
            while (passed := time.monotonic() - started) < self._settings.seconds:
                submitted = len(self._site.submitter.submitted())
                self._watcher.stands(f"{passed:.0f} of {self._settings.seconds:g} s, {submitted} crashes submitted")
                time.sleep(LOOK_INTERVAL)
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _inject(self, plan: Sequence[Planned], started: float) -> None:
        for planned in plan:
            fault = planned.fault
            if fault.impossible(self._site) or self._over.wait(started + planned.begins - time.monotonic()):
                continue
            self._watcher.happened(str(planned))
            try:
                fault.begin(self._site)
                self._over.wait(planned.ends - planned.begins)
                fault.end(self._site)
                self._injected[planned.lane, fault.name] += 1
            except Exception as error:
                self._errors.append(f"{planned}: {type(error).__name__}: {error}")

    def _wait_until_poison_is_parked(self) -> None:
        """Wait while other crashes are saved, from which a processor knows that it is not broken itself."""
        poison = {crash.crash_id for crash in self._site.submitter.submitted() if crash.fate == "parked"}
        changed, left, fewest = time.monotonic(), poison, sys.maxsize
        while left and time.monotonic() < changed + STILL_FOR:
            with closing(self._site.queue()) as queue:
                parked = {crash.crash_id for crash in queue.set_aside("parked")}
                waiting = queued(queue.depths())
            # Behind a thousand others, a crash waits long for its next attempt.
            if left & parked or waiting < fewest:
                changed = time.monotonic()
            left, fewest = left - parked, min(fewest, waiting)
            self._watcher.stands(f"{len(left)} of {len(poison)} that are to be parked are not yet")
            time.sleep(LOOK_INTERVAL)

    def _wait_until_settled(self, tally: Tally, submitted: Sequence[Submitted]) -> None:
        """Wait until every crash is where it must be, or nothing changes any more."""
        changed, before = time.monotonic(), -1
        while time.monotonic() < changed + STILL_FOR:
            is_complete = self._site.depths_are_complete()
            # A new queue each time, because it keeps the parked crashes that it has read until it is closed.
            with closing(self._site.queue()) as queue:
                left = queued(queue.depths())
                self._watcher.stands(f"{left} of {len(submitted)} crashes are queued")
                if not left:
                    tally.count(submitted, queue)
                    if is_complete or all(map(tally.is_as_it_must_be, submitted)):
                        return
            if left != before:
                changed, before = time.monotonic(), left
            time.sleep(LOOK_INTERVAL)

    def _stop_processors(self) -> None:
        for processor in self._site.processors.values():
            if code := processor.stop():
                self._errors.append(f"{processor.name} ended with {code} when it was told to stop")
