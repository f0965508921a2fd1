"""The balance of a run through the front door: what senders were promised, and what the store has."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase
from socorro_processor.errors import CrashIDNotFound, PermanentStorageError

Sender = Literal["retries", "once", "breaks off", "malformed"]

MARK = "ChaosReport"
"""The annotation that names the report of a crash."""
ROOM_AGAIN = 2.0
"""Seconds after which a spool whose disk has room again has to take uploads."""
_MALFORMED_ANSWER = 400
_ADDED_BY_COLLECTOR = frozenset({"uuid", "submitted_timestamp", "legacy_processing", "metadata"})


class Span(NamedTuple):
    """Some time, in seconds of ``time.time``."""

    begin: float
    end: float

    def overlaps(self, other: Span) -> bool:
        return self.begin <= other.end and other.begin <= self.end


@dataclass(frozen=True)
class Sending:
    """One try to send a report."""

    sender: Sender
    report: str
    content: str
    """The checksum of its annotations and its dump."""
    begun: float
    ended: float
    is_whole: bool
    """True if the last byte was sent."""
    status: int = 0
    """0: there was no answer."""
    crash_id: str = ""
    """The one that was promised."""

    @property
    def span(self) -> Span:
        return Span(self.begun, self.ended)


class StoredCrash(NamedTuple):
    report: str
    content: str
    """The checksum of its annotations and its dump; empty if the store cannot return one of them."""


@dataclass(frozen=True)
class Balance:
    sendings: Sequence[Sending]
    stored: Mapping[str, StoredCrash]
    """The crashes in the store, by id."""
    closed: Sequence[Span]
    """When no server ran."""
    full: Sequence[Span]
    """When the spool's disk was full."""

    def wrong(self) -> Iterator[str]:
        """Yield what must not happen."""
        yield from self._lost()
        yield from self._twice()
        yield from self._half()
        yield from self._turned_away()

    def facts(self) -> dict[str, int]:
        answered = [each for each in self.sendings if each.crash_id]
        reports = {each.report for each in answered}
        unanswered = [each for each in self.stored.values() if each.report not in reports]
        facts = {"tries to send": len(self.sendings), "promises": len(answered)}
        for sender in ("retries", "once"):
            facts[f"promises to the sender that {sender}"] = sum(each.sender == sender for each in answered)
        again = self._tries()
        facts["reports that were sent again until there was a promise"] = sum(again[each] > 1 for each in reports)
        facts["uploads that were broken off"] = sum(each.sender == "breaks off" for each in self.sendings)
        facts["uploads that were refused as malformed"] = sum(
            each.status == _MALFORMED_ANSWER for each in self.sendings
        )
        facts["answers of 503 while the disk was full"] = sum(each.status == 503 for each in self.sendings)
        facts["tries while no server ran"] = sum(not each.status and self._is_closed(each) for each in self.sendings)
        facts["crashes kept although nobody got the answer"] = len(unanswered)
        facts["ends of the server in the midst"] = len(self.closed)
        return facts

    def _tries(self) -> Mapping[str, int]:
        tries: dict[str, int] = defaultdict(int)
        for each in self.sendings:
            tries[each.report] += 1
        return tries

    def _lost(self) -> Iterator[str]:
        for each in self.sendings:
            if each.crash_id and (stored := self.stored.get(each.crash_id)) != StoredCrash(each.report, each.content):
                yield f"lost: {each.crash_id} was promised for {each.report}, and the store has {stored}"

    def _twice(self) -> Iterator[str]:
        for what, found in (
            ("stored", ((crash.report, crash_id) for crash_id, crash in self.stored.items())),
            ("promised", ((each.report, each.crash_id) for each in self.sendings if each.crash_id)),
        ):
            for report, crash_ids in _grouped(found).items():
                if len(crash_ids) > 1:
                    yield f"twice: {report} was {what} as {', '.join(sorted(crash_ids))}"

    def _half(self) -> Iterator[str]:
        whole = {(each.report, each.content) for each in self.sendings if each.is_whole and each.sender != "malformed"}
        for crash_id, crash in self.stored.items():
            if crash not in whole:
                yield f"half: {crash_id} is stored, and nobody sent all of {crash.report}"

    def _turned_away(self) -> Iterator[str]:
        for each in self.sendings:
            is_malformed = each.sender == "malformed"
            is_right = each.status == _MALFORMED_ANSWER and not each.crash_id if is_malformed else bool(each.crash_id)
            if is_right or each.sender == "breaks off":
                continue
            what = f"a malformed upload of {each.report}" if is_malformed else each.report
            if each.status == 503:
                if not any(each.span.overlaps(span) for span in self.full):
                    yield f"turned away: 503 for {what} while the spool had room"
            elif each.status:
                yield f"answered with {each.status}: {what}"
            elif not self._is_closed(each):
                yield f"turned away: no answer for {what}, although a server ran all the time"

    def _is_closed(self, sending: Sending) -> bool:
        return any(sending.span.overlaps(span) for span in self.closed)


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, set[str]]:
    grouped: dict[str, set[str]] = defaultdict(set)
    for name, value in pairs:
        grouped[name].add(value)
    return grouped


def content_of(annotations: Mapping[str, Any], dump: bytes) -> str:
    """Return a checksum of what a client sent, also from the annotations as they are stored."""
    sent = {name: value for name, value in annotations.items() if name not in _ADDED_BY_COLLECTOR}
    return hashlib.sha256(json.dumps(sent, sort_keys=True).encode() + dump).hexdigest()


def stored_crash(store: CrashStorageBase, crash_id: str) -> StoredCrash:
    """Return what a store has of a crash, of which a part may be missing or damaged."""
    report = content = ""
    try:
        raw_crash = store.get_raw_crash(crash_id)
        report = str(raw_crash.get(MARK))
        content = content_of(raw_crash, store.get_raw_dump(crash_id, MAIN_DUMP))
    except (CrashIDNotFound, PermanentStorageError):
        pass
    return StoredCrash(report, content)
