"""The newest crashes of a store, with the part of each that a list shows."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self


@dataclass(frozen=True)
class CrashSummary:
    """A crash as a list shows it. The texts come from strangers; None means unknown, or not a text."""

    crash_id: str
    submitted: str | None = None
    """The time when a collector received it, in ISO 8601."""
    product: str | None = None
    version: str | None = None
    signature: str | None = None
    is_processed: bool = True

    @classmethod
    def of_processed(cls, crash_id: str, processed: Mapping[str, Any]) -> Self:
        submitted = _text(processed, "submitted_timestamp") or _text(processed, "date_processed")
        product, version, signature = (_text(processed, name) for name in ("product", "version", "signature"))
        return cls(crash_id, submitted, product, version, signature)

    @classmethod
    def of_raw(cls, crash_id: str, raw: Mapping[str, Any]) -> Self:
        """Make the summary of a crash that is not processed yet."""
        submitted, product, version = (_text(raw, name) for name in ("submitted_timestamp", "ProductName", "Version"))
        return cls(crash_id, submitted, product, version, is_processed=False)


class Age(NamedTuple):
    """The age of a crash; the greater one is newer."""

    day: str
    """``yymmdd``"""
    changed: float
    """The time when it was last written, as ``time.time``."""
    crash_id: str


class Newest:
    """Keeps the newest ``size`` of any number of crashes in memory, and no others."""

    def __init__(self, size: int, before: Age | None) -> None:
        """Only crashes older than ``before`` are kept."""
        self._size = size
        self._before = before
        self._heap: list[Age] = []

    def may_take(self, day: str) -> bool:
        """Return False if a crash of this day cannot be among the newest, whenever it was written."""
        if self._before is not None and day > self._before.day:
            return False
        return len(self._heap) < self._size or day >= self._heap[0].day

    def add(self, age: Age) -> None:
        if self._before is not None and age >= self._before:
            return
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, age)
        else:
            heapq.heappushpop(self._heap, age)

    def in_order(self) -> list[Age]:
        """Return the crashes, the newest first."""
        return sorted(self._heap, reverse=True)


def crash_ids_in_batches(batch: Callable[[Age | None], list[Age]], size: int) -> Iterator[str]:
    """Yield the ids of all crashes, the newest first. ``batch`` returns the next ``size`` older than its argument."""
    before: Age | None = None
    while ages := batch(before):
        yield from (age.crash_id for age in ages)
        if len(ages) < size:
            return
        before = ages[-1]


def select_summaries(
    crashes: Iterable[CrashSummary], signature: str | None, product: str | None
) -> Iterator[CrashSummary]:
    """Yield the crashes with this signature and product; None stands for any."""
    for crash in crashes:
        if signature in (None, crash.signature) and product in (None, crash.product):
            yield crash


def _text(mapping: Mapping[str, Any], name: str) -> str | None:
    value = mapping.get(name)
    return value if isinstance(value, str) else None
