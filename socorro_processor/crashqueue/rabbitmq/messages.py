"""A crash as a message: the body is its id, and headers carry its history."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pika
import pika.data
from pika.exceptions import AMQPError

from socorro_processor.crashqueue.base import (
    EPOCH,
    MICROSECOND,
    QUEUES,
    Delivery,
    QueueName,
    SetAsideCrash,
    SetAsideState,
    reason_of,
)
from socorro_processor.crashqueue.history import NO_HISTORY, History, history_of

QUEUE = "socorro-queue"
ATTEMPTS = "socorro-attempts"
RETRIES = "socorro-retries"
TRANSIENT = "socorro-transient"
REASON = "socorro-reason"
TIME = "socorro-time"
WORK = "socorro-work"
HISTORY = {
    "not_found": "socorro-not-found",
    "failed": "socorro-failed",
    "failed_at": "socorro-failed-at",
    "unsaved": "socorro-unsaved",
    "result": "socorro-result",
    "work": WORK,
}
"""The headers of a ``History``, by field; ``failed_at`` is in microseconds since 1970."""
SUBMITTED = "socorro-submitted"
"""When the crash was submitted, in microseconds since 1970. A retry, which is a copy, has the same."""
DELIVERY_COUNT = "x-delivery-count"
"""The broker's count of earlier deliveries that were not acknowledged. Only quorum queues count them."""

_OWN_HEADERS = {QUEUE, ATTEMPTS, RETRIES, TRANSIENT, REASON, TIME, SUBMITTED, *HISTORY.values()}
_BROKER_PREFIX = "x-"
_LATEST = 2**33
"""Seconds from 1970 to the year 2242. A timestamp in milliseconds is beyond it."""
_LONGEST_REASON = 300
"""The largest number of characters of the reason for a retry."""

_MOST_CARRIED = 20_000
"""The largest number of bytes of unknown headers that a retry carries on."""

Headers = dict[str, Any]


def body_of(crash_id: str) -> bytes:
    """Return any text as a body: the inverse of ``crash_id_of``."""
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
    """The queue that it was submitted to."""
    attempts: int
    """The number of attempts that failed through its own fault, or killed the processor while it was alone."""
    retries: int
    deliveries: int
    session: int
    """The number of the connection that it came on: it can be acknowledged only there."""
    tag: int
    suspect: bool
    transient: bool = False
    history: History = NO_HISTORY
    submitted: int | None = None
    """When it was submitted, in microseconds since 1970; None if that is not known."""
    reason: str = ""
    """Why it is tried again; empty if that is not known."""
    carried: Headers = field(default_factory=dict)
    """Headers that this version does not know, for the next message of this crash."""
    since: float = 0.0
    """When it was taken, by the clock of the prefetch."""
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
        """Return the headers of a copy, without the broker's: with those it would look like a message in a cycle."""
        return (
            self.carried
            | {QUEUE: self.queue, ATTEMPTS: self.attempts, RETRIES: self.retries}
            | ({} if self.submitted is None else {SUBMITTED: self.submitted})
            | _headers_of_history(self.history)
            | ({REASON: self.reason} if self.reason else {})
        )


def message_of(
    body: bytes, properties: pika.BasicProperties, queue: QueueName | None, session: int, tag: int
) -> Message:
    """Return the message that was delivered. ``queue``: the one that it came from; None if it came as a suspect.

    In the property ``timestamp``, in seconds since 1970, other programs, or the broker if it is configured to, tell
    when the crash was submitted.
    """
    headers: Mapping[str, Any] = properties.headers or {}
    deliveries = _count(headers, DELIVERY_COUNT)
    suspect = queue is None
    return Message(
        body,
        queue or _queue(headers),
        # A suspect is alone in its processor: each earlier delivery that was not acknowledged is an attempt.
        attempts=_count(headers, ATTEMPTS) + (deliveries if suspect else 0),
        retries=_count(headers, RETRIES),
        deliveries=deliveries,
        session=session,
        tag=tag,
        suspect=suspect,
        transient=headers.get(TRANSIENT) is True,
        history=_history(headers),
        submitted=_submitted(headers, properties.timestamp),
        reason=short_reason(headers.get(REASON)),
        carried=carried_headers(headers),
    )


def short_reason(value: object) -> str:
    """Return a reason, cut to what a retry carries; empty if it is not a text."""
    return reason_of(value, _LONGEST_REASON) if isinstance(value, str) else ""


def age_of(submitted: int) -> float:
    """Return the seconds since a crash was submitted; 0 if the submitter's clock is ahead."""
    return max(0.0, time.time() - submitted / 1_000_000)


def set_aside_headers(crash: SetAsideCrash) -> Headers:
    return {
        QUEUE: crash.queue,
        ATTEMPTS: crash.attempts,
        REASON: crash.reason,
        TIME: crash.microseconds,
    } | _headers_of_work(crash.work)


def headers_of_submission(work: str) -> Headers:
    """Return the headers for a crash that is submitted now."""
    return {SUBMITTED: round(time.time() * 1_000_000)} | _headers_of_work(work)


def _headers_of_work(work: str) -> Headers:
    return {WORK: work} if work else {}


def carried_headers(headers: Mapping[str, Any] | None) -> Headers:
    """Return the headers that neither this program nor the broker set, as far as they can be sent again."""
    carried: Headers = {}
    room = _MOST_CARRIED
    for name, value in (headers or {}).items():
        if name in _OWN_HEADERS or name.startswith(_BROKER_PREFIX):
            continue
        size = _encoded_size(name, value)
        if size <= room:
            carried[name] = value
            room -= size
    return carried


def _encoded_size(name: str, value: Any) -> int:
    """Return the size in bytes, or more than the limit if the client, which can read more types, cannot write it."""
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


# Other programs write to the queues too: a header of another form counts as missing.


def _history(headers: Mapping[str, Any]) -> History:
    values = {name: headers.get(header) for name, header in HISTORY.items()}
    return history_of(values | {"failed_at": _count(headers, HISTORY["failed_at"]) / 1_000_000})


def _submitted(headers: Mapping[str, Any], timestamp: object) -> int | None:
    if submitted := _count(headers, SUBMITTED):
        return submitted
    if isinstance(timestamp, int) and 0 < timestamp < _LATEST:
        return timestamp * 1_000_000
    return None


def _headers_of_history(history: History) -> Headers:
    values = vars(history) | {"failed_at": round(history.failed_at * 1_000_000)}
    return {header: values[name] for name, header in HISTORY.items() if values[name]}


def _count(headers: Mapping[str, Any], name: str) -> int:
    value = headers.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def _queue(headers: Mapping[str, Any]) -> QueueName:
    value = headers.get(QUEUE)
    return value if value in QUEUES else "normal"
