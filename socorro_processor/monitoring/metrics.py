"""Counters, gauges and durations: what the processor tells of itself.

Names are plain words with dots (``crash.saved``); labels are few and of few values. What is measured
goes to every sink that was added; ``snapshot`` reads it without any.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Protocol

Labels = tuple[tuple[str, str], ...]

BUCKETS = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds. What took no longer than one of them, but longer than the one before, is counted there: the range is
from a rule to a large dump with large symbols."""


class MetricsSink(Protocol):
    """Where metrics go. Called from any thread; must neither block nor raise."""

    def increment(self, name: str, value: int, labels: Labels) -> None: ...

    def gauge(self, name: str, value: float, labels: Labels) -> None: ...

    def duration(self, name: str, seconds: float, labels: Labels) -> None: ...


@dataclass
class Durations:
    """The number of times that something was timed, and the sum of the times."""

    count: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    """The number in each of ``BUCKETS``, and the number that took longer."""


@dataclass
class Snapshot:
    """Everything measured so far, by name and labels."""

    counters: dict[tuple[str, Labels], int] = field(default_factory=dict)
    gauges: dict[tuple[str, Labels], float] = field(default_factory=dict)
    durations: dict[tuple[str, Labels], Durations] = field(default_factory=dict)
    expected: frozenset[tuple[str, Labels]] = frozenset()
    """Counters and durations that are 0 as long as they are not among the above."""

    def counter(self, name: str, **labels: str) -> int:
        return self.counters.get((name, _sorted(labels)), 0)


class Metrics:
    """A registry. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: defaultdict[tuple[str, Labels], int] = defaultdict(int)
        self._gauges: dict[tuple[str, Labels], float] = {}
        self._durations: defaultdict[tuple[str, Labels], Durations] = defaultdict(Durations)
        self._expected: set[tuple[str, Labels]] = set()
        self._sinks: list[MetricsSink] = []

    def add_sink(self, sink: MetricsSink) -> None:
        self._sinks.append(sink)

    def expect(self, name: str, **labels: str) -> None:
        """Have the counter or duration ``name`` be 0 until it is first counted or timed.

        Whoever reads it again and again then sees that first time as an increase. Sinks, which are told of each
        change, are told nothing.
        """
        with self._lock:
            self._expected.add((name, _sorted(labels)))

    def increment(self, name: str, value: int = 1, **labels: str) -> None:
        """Count ``value`` more of ``name``."""
        key = (name, _sorted(labels))
        with self._lock:
            self._counters[key] += value
        for sink in self._sinks:
            sink.increment(name, value, key[1])

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """``name`` is ``value`` from now on."""
        key = (name, _sorted(labels))
        with self._lock:
            self._gauges[key] = value
        for sink in self._sinks:
            sink.gauge(name, value, key[1])

    def forget(self, name: str, **labels: str) -> None:
        """Nobody knows the gauge ``name`` any more. A sink keeps what it was told last."""
        with self._lock:
            self._gauges.pop((name, _sorted(labels)), None)

    def duration(self, name: str, seconds: float, **labels: str) -> None:
        """``name`` took ``seconds``."""
        key = (name, _sorted(labels))
        with self._lock:
            durations = self._durations[key]
            durations.count += 1
            durations.seconds += seconds
            durations.buckets[bisect_left(BUCKETS, seconds)] += 1
        for sink in self._sinks:
            sink.duration(name, seconds, key[1])

    @contextmanager
    def timer(self, name: str, **labels: str) -> Iterator[None]:
        """Time a block, also where it raises."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            self.duration(name, seconds, **labels)
            if (collected := _collected.get()) is not None:
                key = ".".join((name, *labels.values()))
                collected[key] = collected.get(key, 0.0) + seconds

    def snapshot(self) -> Snapshot:
        with self._lock:
            return Snapshot(
                dict(self._counters),
                dict(self._gauges),
                {key: replace(each, buckets=each.buckets[:]) for key, each in self._durations.items()},
                frozenset(self._expected),
            )


_collected: ContextVar[dict[str, float] | None] = ContextVar("collected", default=None)


@contextmanager
def collected_durations() -> Iterator[dict[str, float]]:
    """Collect what is timed within this block, in this thread: seconds by name (``save.storage0``)."""
    durations: dict[str, float] = {}
    token = _collected.set(durations)
    try:
        yield durations
    finally:
        _collected.reset(token)


def _sorted(labels: dict[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


METRICS = Metrics()
"""The process's own."""
