"""Report how every crash ended, and check that it ended as it must."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from socorro_processor.crashqueue.base import CrashQueueBase, Depths
from socorro_processor.errors import CrashIDNotFound
from tests.chaos.site import Reader
from tests.chaos.submitter import Submitted
from tests.chaos.walker import NOTES

SHOWN = 20
SYMBOL_COUNTERS = (
    "symbols.supplied.fetched",
    "symbols.supplied.failed",
    "symbols.indexed",
    "symbols.index_failed",
    "symbol_cache.evictions",
    "companion.ended",
)


class Walks(Protocol):
    """The part of ``CleanWalks`` that a report needs."""

    def symbols_of(self, dump: str, processed: Mapping[str, Any]) -> str: ...

    def difference(self, dump: str, processed: Mapping[str, Any]) -> str: ...


class Tally:
    """Finds out how crashes ended; saved ones are not looked up again."""

    def __init__(self, readers: dict[str, Reader], clean_walks: Walks) -> None:
        self._readers = readers
        self._clean_walks = clean_walks
        self.saved: dict[str, set[str]] = {store: set() for store in readers}
        self.parked: dict[str, str] = {}
        self.rejected: dict[str, str] = {}
        self._without: dict[str, str] = {}
        self.symbols: dict[str, str] = {}
        """The share of a crash's symbols whose content its walk had: all, some, none."""
        self.differing: dict[str, str] = {}
        """The differences from a clean walk with the same symbols."""

    @property
    def spoilt(self) -> dict[str, str]:
        """Return the reasons of crashes without a stack for which the stackwalker was not at fault."""
        return {each: notes for each, notes in self._without.items() if each not in self.symbols}

    def count(self, submitted: Iterable[Submitted], queue: CrashQueueBase) -> None:
        self.parked = {crash.crash_id: crash.reason for crash in queue.set_aside("parked")}
        self.rejected = {crash.crash_id: crash.reason for crash in queue.set_aside("rejected")}
        for crash in submitted:
            if crash.fate != "rejected":
                self._look_for(crash)

    def _look_for(self, crash: Submitted) -> None:
        crash_id = crash.crash_id
        for store, read in self._readers.items():
            if crash_id in self.saved[store]:
                continue
            try:
                processed = read(crash_id)
            except CrashIDNotFound:
                continue
            self.saved[store].add(crash_id)
            if not _says_why(processed):
                self._without[crash_id] = str(processed.get("processor_notes"))
            if symbols := self._clean_walks.symbols_of(crash.dump, processed):
                self.symbols[crash_id] = symbols
                if difference := self._clean_walks.difference(crash.dump, processed):
                    self.differing[crash_id] = difference

    def is_as_it_must_be(self, crash: Submitted) -> bool:
        match crash.fate:
            case "saved":
                return all(crash.crash_id in saved for saved in self.saved.values())
            case "parked":
                return crash.crash_id in self.parked
            case "rejected":
                return crash.crash_id in self.rejected


def queued(depths: Depths) -> int:
    """Return how many crashes are in the queues, in any state."""
    return depths.suspect + sum(depth.waiting + depth.delayed + depth.in_flight for depth in depths.queues.values())


def _says_why(processed: dict[str, Any]) -> bool:
    """Return True if the crash has no stack because the stackwalker failed."""
    notes = str(processed.get("processor_notes"))
    return any(note in notes for note in NOTES)


@dataclass
class Report:
    title: str
    submitted: list[Submitted]
    tally: Tally
    still_queued: int
    injected: Counter[tuple[str, str]]
    skipped: dict[str, str]
    """Faults that could not be caused here, and why."""
    ends: Counter[int]
    """The number of ends of processors by exit code."""
    left_behind: list[str]
    errors: list[str] = field(default_factory=list)
    """Faults that the run did not intend."""
    counted: dict[str, int] = field(default_factory=dict)
    """The processors' counters, by name, without the last counts of those that were killed."""

    facts: Mapping[str, int] = field(default_factory=dict)
    """Other remarks on the run."""

    @property
    def lost(self) -> list[Submitted]:
        kept = self.tally.parked.keys() | self.tally.rejected.keys()
        return [
            crash for crash in self.submitted if not self.tally.is_as_it_must_be(crash) and crash.crash_id not in kept
        ]

    @property
    def wronged(self) -> dict[str, str]:
        """Return the healthy crashes that were parked or rejected."""
        fates = {crash.crash_id: crash.fate for crash in self.submitted}
        parked = {each: f"parked: {why}" for each, why in self.tally.parked.items() if fates.get(each) != "parked"}
        rejected = {
            each: f"rejected: {why}" for each, why in self.tally.rejected.items() if fates.get(each) != "rejected"
        }
        return parked | rejected

    @property
    def is_clean(self) -> bool:
        tally = self.tally
        bad = (self.lost, self.wronged, tally.spoilt, tally.differing, self.still_queued, self.left_behind, self.errors)
        return not any(bad) and not self.counted.get("stackwalk.differences")

    def lines(self) -> Iterator[str]:
        yield self.title
        yield ""
        yield "faults injected"
        for (lane, fault), times in sorted(self.injected.items()):
            yield f"  {lane:<24}{fault:<36}{times:>6}"
        for fault, why in self.skipped.items():
            yield f"  {fault}: skipped, {why}"
        ends = ", ".join(f"{count} x {code}" for code, count in sorted(self.ends.items()))
        yield f"  {'processors':<24}{'started again after exit code':<36}{sum(self.ends.values()):>6}  ({ends})"
        for what, count in self.facts.items():
            yield f"  {what:<60}{count:>6}"
        yield ""
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(each.kind for each in self.submitted).items())
        yield f"{'submitted':<62}{len(self.submitted):>6}  ({kinds})"
        for store, saved in self.tally.saved.items():
            yield f"{f'saved in {store}':<62}{len(saved):>6}"
        yield from _counted("parked", self.tally.parked)
        yield from _counted("rejected", self.tally.rejected)
        yield from _listed("parked or rejected without cause", [f"{each} {why}" for each, why in self.wronged.items()])
        yield from _listed(
            "saved without a stack, for no fault of the stackwalker",
            [f"{each} {why}" for each, why in self.tally.spoilt.items()],
        )
        yield from self._symbols()
        yield f"{'still queued':<62}{self.still_queued:>6}"
        yield from _listed("lost", [f"{each.crash_id!r} ({each.kind})" for each in self.lost])
        yield from _listed("left behind", self.left_behind)
        yield from _listed("errors", self.errors)

    def _symbols(self) -> Iterator[str]:
        """Yield lines on the use of symbols. A crash may be walked several times."""
        kinds = Counter(self.tally.symbols.values())
        for had in ("all", "some", "none"):
            yield f"{f'saved with a stack and {had} of its symbols':<62}{kinds[had]:>6}"
        used = [name for name in self.counted if name.startswith("symbols.used.")]
        for name in (*sorted(used), "stackwalk.verified", "stackwalk.differences", *SYMBOL_COUNTERS):
            yield f"{name:<62}{self.counted.get(name, 0):>6}"
        differing = [f"{each} {how}" for each, how in self.tally.differing.items()]
        yield from _listed("walked otherwise than with the same symbols in peace", differing)


def _counted(what: str, reasons: dict[str, str]) -> Iterator[str]:
    yield f"{what:<62}{len(reasons):>6}"
    counts = Counter(reason.replace(crash_id, "...") for crash_id, reason in reasons.items())
    for reason, count in counts.most_common(SHOWN):
        yield f"    {count:>4} x {reason[:100]!r}"


def _listed(what: str, items: list[str]) -> Iterator[str]:
    yield f"{what:<62}{len(items):>6}"
    for item in items[:SHOWN]:
        yield f"    {item[:300]}"
    if len(items) > SHOWN:
        yield f"    and {len(items) - SHOWN} more"
