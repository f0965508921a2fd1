"""The answer of a processor on RabbitMQ that is asked which crashes it has.

Questions and answers are JSON objects. Whoever may use the broker may send others: of these nothing is believed
beyond what fits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from socorro_processor.crashqueue.base import (
    LONGEST_PENDING_ID,
    LONGEST_REASON,
    QUEUES,
    InFlightAt,
    PendingCrash,
    PendingState,
    QueueName,
)
from socorro_processor.crashqueue.outcomes import count_of, object_of

MOST_CRASHES = 1_000
"""Crash ids in one answer."""

LONGEST_QUESTION = 1_000
"""Bytes."""

LONGEST_ANSWER = 5_000_000
"""Bytes."""

_LONGEST_NAME = 200
_LONGEST_TIME = 10 * 365 * 86_400.0
_STATES: tuple[PendingState, ...] = ("in work", "taken", "prefetched", "delayed")

Numbers = Mapping[QueueName, int]


@dataclass(frozen=True)
class CrashHeld:
    """A crash that a processor has, or has delayed; times are in seconds, because clocks differ between hosts."""

    crash_id: str
    queue: QueueName
    state: PendingState
    age: float | None = None
    """Since it came into this state."""
    due_in: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """The crashes of one processor."""

    number: str
    """Its own, and no other's."""
    process: str
    """Its host and its pid."""
    consumers: Numbers
    """The number of its consumers at the broker."""
    in_work: Numbers
    prefetched: Numbers
    pause: str = ""
    crashes: Sequence[CrashHeld] = field(default_factory=tuple)

    def counts(self) -> InFlightAt:
        return InFlightAt(self.process, self.in_work, self.prefetched, self.pause)

    def pending(self, now: datetime) -> list[PendingCrash]:
        """Return its crashes with times by the clock of whoever has asked, who heard of them at ``now``."""
        return [
            PendingCrash(
                crash.crash_id,
                crash.queue,
                crash.state,
                self.process,
                None if crash.age is None else now - timedelta(seconds=crash.age),
                None if crash.due_in is None else now + timedelta(seconds=crash.due_in),
                crash.reason,
            )
            for crash in self.crashes
        ]


def encode_question(*, ids: bool) -> bytes:
    return json.dumps({"ids": ids}).encode()


def decode_question(data: bytes) -> bool | None:
    """Return True if crash ids are asked for; None if it is not a question."""
    question = _object(data, LONGEST_QUESTION)
    return None if question is None else question.get("ids") is True


def encode_answer(answer: Answer) -> bytes:
    crashes = [
        [
            crash.crash_id[:LONGEST_PENDING_ID],
            crash.queue,
            crash.state,
            None if crash.age is None else round(crash.age, 3),
            None if crash.due_in is None else round(crash.due_in, 3),
            crash.reason[:LONGEST_REASON],
        ]
        for crash in answer.crashes[:MOST_CRASHES]
    ]
    values = {
        "number": answer.number,
        "process": answer.process[:_LONGEST_NAME],
        "consumers": dict(answer.consumers),
        "in_work": dict(answer.in_work),
        "prefetched": dict(answer.prefetched),
        "pause": answer.pause[:LONGEST_REASON],
        "crashes": crashes,
    }
    return json.dumps(values, separators=(",", ":")).encode()


def decode_answer(data: bytes) -> Answer | None:
    """Return what was encoded, cut to what makes sense; None if it is nothing like it."""
    values = _object(data, LONGEST_ANSWER)
    if values is None:
        return None
    number, process = (_text(values.get(name), _LONGEST_NAME) for name in ("number", "process"))
    if not number or not process:
        return None
    crashes = values.get("crashes")
    held = map(_held, crashes[:MOST_CRASHES]) if isinstance(crashes, list) else ()
    return Answer(
        number,
        process,
        _numbers(values.get("consumers")),
        _numbers(values.get("in_work")),
        _numbers(values.get("prefetched")),
        _text(values.get("pause"), LONGEST_REASON),
        tuple(crash for crash in held if crash is not None),
    )


def _object(data: bytes, longest: int) -> dict[str, Any] | None:
    return object_of(data) if len(data) <= longest else None


def _held(value: object) -> CrashHeld | None:
    if not isinstance(value, list) or len(value) < 6:
        return None
    crash_id, queue, state, age, due_in, reason = value[:6]
    if not isinstance(crash_id, str) or queue not in QUEUES or state not in _STATES:
        return None
    return CrashHeld(
        crash_id[:LONGEST_PENDING_ID], queue, state, _seconds(age), _seconds(due_in), _text(reason, LONGEST_REASON)
    )


def _numbers(value: object) -> Numbers:
    numbers = value if isinstance(value, dict) else {}
    return {queue: count_of(numbers.get(queue)) for queue in QUEUES}


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_TIME:
        return None
    return float(value)


def _text(value: object, longest: int) -> str:
    return value[:longest] if isinstance(value, str) else ""
