"""A crash as a message: the body is its id, and its history is in headers of ours."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pika.data
from pika.exceptions import AMQPError

from socorro_processor.crashqueue.base import QUEUES, Delivery, QueueName, SetAsideCrash, SetAsideState, reason_of
from socorro_processor.crashqueue.history import NOTHING, History, history_of

QUEUE = "socorro-queue"
ATTEMPTS = "socorro-attempts"
RETRIES = "socorro-retries"
TRANSIENT = "socorro-transient"
DUE = "socorro-due"
REASON = "socorro-reason"
TIME = "socorro-time"
NOT_FOUND = "socorro-not-found"
FAILED = "socorro-failed"
FAILED_AT = "socorro-failed-at"
UNSAVED = "socorro-unsaved"
RESULT = "socorro-result"
WORK = "socorro-work"
SUBMITTED = "socorro-submitted"
"""When, in microseconds since 1970: it goes with the copies that retries are."""
DELIVERY_COUNT = "x-delivery-count"
"""The broker's count of deliveries without an end before this one. Only quorum queues tell."""

_OURS = {
    QUEUE, ATTEMPTS, RETRIES, TRANSIENT, DUE, REASON, TIME, NOT_FOUND, FAILED, FAILED_AT, UNSAVED, RESULT, WORK,
    SUBMITTED,
}  # fmt: skip
_OF_THE_BROKER = "x-"
_LATEST = 2**33
"""Seconds since 1970: that is the year 2242. Who counts milliseconds is beyond it."""
_LONGEST_REASON = 300
"""Characters of why a crash is tried again."""

_MOST_CARRIED = 20_000
"""Bytes of headers that are handed on unknown."""

Headers = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def body_of(crash_id: str) -> bytes:
    """Return any text as a body; a text that was made of a body gives that body again."""
    try:
        return crash_id.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return crash_id.encode("utf-8", "surrogatepass")


def crash_id_of(body: bytes) -> str:
    """Return any body as text."""
    return body.decode("utf-8", "surrogateescape")


@dataclass(eq=False)
class Message:
    """A message that was delivered to this process and is not yet acknowledged."""

    body: bytes
    queue: QueueName
    """Where it was submitted."""
    attempts: int
    """Attempts that failed of its own, or that killed the processor while it was alone."""
    retries: int
    deliveries: int
    session: int
    """The connection it came on: on no other one can its end be told."""
    tag: int
    suspect: bool
    transient: bool = False
    due: int = 0
    history: History = NOTHING
    submitted: int | None = None
    """In microseconds since 1970; None where nobody wrote it down."""
    reason: str = ""
    """Why it is tried again; empty if that is not known."""
    carried: Headers = field(default_factory=dict)
    """Headers that this version does not know: they are handed on."""
    since: float = 0.0
    """When it was taken, by the clock of whoever took it."""
    begun: bool = False
    is_settling: bool = False
    crash_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.crash_id = crash_id_of(self.body)

    def delivery(self) -> Delivery:
        return Delivery(
            self.crash_id,
            self.queue,
            self.attempts + 1,
            self.retries,
            suspect=self.suspect,
            history=self.history,
            tag=self,
        )

    def headers(self) -> Headers:
        """Return the headers of a copy. With the broker's own it would look like a message that goes round for ever."""
        return (
            self.carried
            | {QUEUE: self.queue, ATTEMPTS: self.attempts, RETRIES: self.retries}
            | ({} if self.submitted is None else {SUBMITTED: self.submitted})
            | _headers_of_history(self.history)
            | ({REASON: self.reason} if self.reason else {})
        )


def message_of(
    body: bytes,
    headers: Mapping[str, Any] | None,
    queue: QueueName | None,
    session: int,
    tag: int,
    timestamp: object = None,
) -> Message:
    """Return what was delivered. ``queue``: the one that it came from; None if it came as a suspect.

    ``timestamp``: the property of this name, in seconds since 1970, by which other programs tell when they submitted
    it; or the broker, where it is configured to.
    """
    headers = headers or {}
    deliveries = _count(headers, DELIVERY_COUNT)
    suspect = queue is None
    return Message(
        body,
        queue or _queue(headers),
        # A suspect is alone with its processor: a delivery of it that did not end is an attempt.
        attempts=_count(headers, ATTEMPTS) + (deliveries if suspect else 0),
        retries=_count(headers, RETRIES),
        deliveries=deliveries,
        session=session,
        tag=tag,
        suspect=suspect,
        transient=headers.get(TRANSIENT) is True,
        due=_count(headers, DUE),
        history=_history(headers),
        submitted=_submitted(headers, timestamp),
        reason=short_reason(headers.get(REASON)),
        carried=carried_headers(headers),
    )


def short_reason(value: object) -> str:
    """Return as much of it as goes with a crash that is tried again; empty if it is not a text."""
    return reason_of(value, _LONGEST_REASON) if isinstance(value, str) else ""


def due_in(seconds: float) -> int:
    return round((time.time() + seconds) * 1_000_000)


def age_of(submitted: int) -> float:
    """Return the seconds since then; 0 if the clock of who submitted it is ahead."""
    return max(0.0, time.time() - submitted / 1_000_000)


def set_aside_headers(crash: SetAsideCrash) -> Headers:
    return {
        QUEUE: crash.queue,
        ATTEMPTS: crash.attempts,
        REASON: crash.reason,
        TIME: (crash.time - EPOCH) // MICROSECOND,
    } | _headers_of_work(crash.work)


def headers_of_submission(work: str) -> Headers:
    """Return the headers of a crash that is submitted now."""
    return {SUBMITTED: due_in(0.0)} | _headers_of_work(work)


def _headers_of_work(work: str) -> Headers:
    return {WORK: work} if work else {}


def carried_headers(headers: Mapping[str, Any] | None) -> Headers:
    """Return the headers that are neither ours nor the broker's, as far as they can be sent again."""
    carried: Headers = {}
    room = _MOST_CARRIED
    for name, value in (headers or {}).items():
        if name in _OURS or name.startswith(_OF_THE_BROKER):
            continue
        size = _encoded_size(name, value)
        if size <= room:
            carried[name] = value
            room -= size
    return carried


def _encoded_size(name: str, value: Any) -> int:
    """Return the size in bytes; more than there is room for if the client, which reads more types, cannot write it."""
    try:
        size: int = pika.data.encode_table([], {name: value})
    except (AMQPError, ValueError, TypeError, OverflowError, RecursionError, struct.error):
        return _MOST_CARRIED + 1
    return size


def set_aside_crash(body: bytes, headers: Mapping[str, Any] | None, state: SetAsideState) -> SetAsideCrash:
    headers = headers or {}
    return SetAsideCrash(
        crash_id_of(body),
        state,
        str(headers.get(REASON, "")),
        EPOCH + _count(headers, TIME) * MICROSECOND,
        _count(headers, ATTEMPTS),
        _queue(headers),
        _history(headers).work,
    )


# Other programs may write to the queues too: a header of another form counts as missing.


def _history(headers: Mapping[str, Any]) -> History:
    return history_of(
        {
            "not_found": headers.get(NOT_FOUND),
            "failed": headers.get(FAILED),
            "failed_at": _count(headers, FAILED_AT) / 1_000_000,
            "unsaved": headers.get(UNSAVED),
            "result": headers.get(RESULT),
            "work": headers.get(WORK),
        }
    )


def _submitted(headers: Mapping[str, Any], timestamp: object) -> int | None:
    if ours := _count(headers, SUBMITTED):
        return ours
    if isinstance(timestamp, int) and 0 < timestamp < _LATEST:
        return timestamp * 1_000_000
    return None


def _headers_of_history(history: History) -> Headers:
    values = {
        NOT_FOUND: history.not_found,
        FAILED: history.failed,
        FAILED_AT: round(history.failed_at * 1_000_000),
        UNSAVED: history.unsaved,
        RESULT: history.result,
        WORK: history.work,
    }
    return {name: value for name, value in values.items() if value}


def _count(headers: Mapping[str, Any], name: str) -> int:
    value = headers.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def _queue(headers: Mapping[str, Any]) -> QueueName:
    value = headers.get(QUEUE)
    return value if value in QUEUES else "normal"
