"""The newest crashes of a store, and as much of each as a list shows."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self


@dataclass(frozen=True)
class CrashSummary:
    """Who crashed, when, and of what. The texts are strangers' words; None is what is not known, or is no text."""

    crash_id: str
    submitted: str | None = None
    """When a collector received it, in ISO 8601."""
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
        """Of a crash that is not processed yet."""
        submitted, product, version = (_text(raw, name) for name in ("submitted_timestamp", "ProductName", "Version"))
        return cls(crash_id, submitted, product, version, is_processed=False)


class Age(NamedTuple):
    """The greater, the newer."""

    day: str
    """``yymmdd``"""
    changed: float
    """When it was written the last time, as ``time.time`` tells it."""
    crash_id: str


class Newest:
    """The newest ``size`` of any number of crashes; no others are kept in memory."""

    def __init__(self, size: int, before: Age | None) -> None:
        """``before``: only those that are older than this one."""
        self._size = size
        self._before = before
        self._heap: list[Age] = []

    def may_take(self, day: str) -> bool:
        """False where a crash of this day is not among them, whenever it was written."""
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
        """The newest first."""
        return sorted(self._heap, reverse=True)


def in_batches(batch: Callable[[Age | None], list[Age]], size: int) -> Iterator[str]:
    """The ids of all crashes, the newest first: ``batch`` returns the next ones that are older than the one given."""
    before: Age | None = None
    while ages := batch(before):
        yield from (age.crash_id for age in ages)
        if len(ages) < size:
            return
        before = ages[-1]


def chosen(crashes: Iterable[CrashSummary], signature: str | None, product: str | None) -> Iterator[CrashSummary]:
    """Those with this signature and product; None is any."""
    for crash in crashes:
        if signature in (None, crash.signature) and product in (None, crash.product):
            yield crash


def _text(mapping: Mapping[str, Any], name: str) -> str | None:
    value = mapping.get(name)
    return value if isinstance(value, str) else None
