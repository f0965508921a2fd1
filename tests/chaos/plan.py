"""Plan the faults and their times from a seed before anything runs, so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.faults import Fault


@dataclass(frozen=True)
class Lane:
    """Faults of the same thing, which follow one another; faults of several lanes overlap."""

    name: str
    gap: float
    """Seconds between two of them, on average."""
    faults: tuple[Fault, ...]
    """Each comes once, in random order, before any comes again; one that is named twice comes twice as often."""


@dataclass(frozen=True)
class Planned:
    lane: str
    fault: Fault
    begins: float
    """Seconds after the start."""
    ends: float

    def __str__(self) -> str:
        lasts = f" for {self.ends - self.begins:.1f} s" if self.ends > self.begins else ""
        return f"{self.begins:6.1f} s  {self.lane}: {self.fault.name}{lasts}"


def make_plan(lanes: Sequence[Lane], seconds: float, seed: int) -> list[Planned]:
    """Yield the faults of so many seconds, in order."""
    planned = [each for lane in lanes for each in _plan_of(lane, seconds, seed)]
    return sorted(planned, key=lambda each: (each.begins, each.lane))


def _plan_of(lane: Lane, seconds: float, seed: int) -> Iterator[Planned]:
    # Each lane has its own, so that a new lane does not change the others.
    chance = random.Random(f"{seed} {lane.name}")
    begins = chance.uniform(0.1, 1.0) * lane.gap
    faults: list[Fault] = []
    while begins < seconds:
        if not faults:
            faults = chance.sample(lane.faults, len(lane.faults))
        fault = faults.pop()
        ends = min(begins + chance.uniform(*fault.lasts), seconds)
        yield Planned(lane.name, fault, begins, ends)
        begins = ends + chance.uniform(0.5, 1.5) * lane.gap
