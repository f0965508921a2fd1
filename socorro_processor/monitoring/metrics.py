"""Counters, gauges and durations: what the processor measures.

Names are plain words with dots (``crash.saved``); labels are few, and have few values. Each measurement goes to every
sink; ``snapshot`` returns all so far.
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
"""Upper limits of a histogram's buckets, in seconds: from a rule to a large dump with large symbols."""


class MetricsSink(Protocol):
    """A receiver of metrics. Any thread may call it; it must neither block nor raise."""

    def increment(self, name: str, value: int, labels: Labels) -> None: ...

    def gauge(self, name: str, value: float, labels: Labels) -> None: ...

    def duration(self, name: str, seconds: float, labels: Labels) -> None: ...


@dataclass
class Durations:
    """The number of measured times of something, their sum, and a histogram."""

    count: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    """The number in each of ``BUCKETS``, and last the number that took longer."""


@dataclass
class Snapshot:
    """Everything measured so far, by name and labels."""

    counters: dict[tuple[str, Labels], int] = field(default_factory=dict)
    gauges: dict[tuple[str, Labels], float] = field(default_factory=dict)
    durations: dict[tuple[str, Labels], Durations] = field(default_factory=dict)
    expected: frozenset[tuple[str, Labels]] = frozenset()
    """Counters and durations to report as 0 until they are first measured."""

    def counter(self, name: str, **labels: str) -> int:
        return self.counters.get((name, _sorted_labels(labels)), 0)


class Metrics:
    """A registry of metrics. May be used from any thread."""

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
        """Report the counter or duration ``name`` as 0 until it is first measured.

        Then the first event shows as an increase. Sinks are not told.
        """
        with self._lock:
            self._expected.add((name, _sorted_labels(labels)))

    def increment(self, name: str, value: int = 1, **labels: str) -> None:
        """Add ``value`` to the counter ``name``."""
        key = (name, _sorted_labels(labels))
        with self._lock:
            self._counters[key] += value
        for sink in self._sinks:
            sink.increment(name, value, key[1])

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set the gauge ``name``."""
        key = (name, _sorted_labels(labels))
        with self._lock:
            self._gauges[key] = value
        for sink in self._sinks:
            sink.gauge(name, value, key[1])

    def forget(self, name: str, **labels: str) -> None:
        """Drop the gauge ``name``: its value is not known any more. Sinks keep its last value."""
        with self._lock:
            self._gauges.pop((name, _sorted_labels(labels)), None)

    def duration(self, name: str, seconds: float, **labels: str) -> None:
        """Add ``seconds`` to the duration ``name``."""
        key = (name, _sorted_labels(labels))
        with self._lock:
            durations = self._durations[key]
            durations.count += 1
            durations.seconds += seconds
            durations.buckets[bisect_left(BUCKETS, seconds)] += 1
        for sink in self._sinks:
            sink.duration(name, seconds, key[1])

    @contextmanager
    def timer(self, name: str, **labels: str) -> Iterator[None]:
        """Time a block, even if it raises."""
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
def collecting_durations() -> Iterator[dict[str, float]]:
    """Collect the times of all timers in this block and thread: seconds by name (``save.storage0``)."""
    durations: dict[str, float] = {}
    token = _collected.set(durations)
    try:
        yield durations
    finally:
        _collected.reset(token)


def _sorted_labels(labels: dict[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


METRICS = Metrics()
"""The registry of this process."""
