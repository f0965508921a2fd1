"""Questions to processors on RabbitMQ which crashes they have, and their answers.

Both are JSON objects. Anyone who may use the broker may send any message: values of another form are ignored.
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
from socorro_processor.crashqueue.outcomes import bounded_count, parse_object

MOST_CRASHES = 1_000
"""The largest number of crash ids in an answer."""

LONGEST_QUESTION = 1_000  # bytes
LONGEST_ANSWER = 5_000_000  # bytes

_LONGEST_NAME = 200  # characters
_LONGEST_TIME = 10 * 365 * 86_400.0  # seconds
_STATES: tuple[PendingState, ...] = ("in work", "taken", "prefetched", "delayed")

Numbers = Mapping[QueueName, int]


@dataclass(frozen=True)
class CrashHeld:
    """A crash that a processor has, or has delayed. Times are spans in seconds, because clocks differ between hosts."""

    crash_id: str
    queue: QueueName
    state: PendingState
    age: float | None = None
    """The time since this state began."""
    due_in: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """The crashes of one processor."""

    responder_id: str
    """A unique id of its queue object."""
    process: str
    """Its host and pid."""
    consumers: Numbers
    """The number of its consumers at the broker."""
    in_work: Numbers
    prefetched: Numbers
    pause: str = ""
    crashes: Sequence[CrashHeld] = field(default_factory=tuple)

    def counts(self) -> InFlightAt:
        return InFlightAt(self.process, self.in_work, self.prefetched, self.pause)

    def pending(self, now: datetime) -> list[PendingCrash]:
        """Return its crashes, with times by the clock of the asker, where it is ``now``."""
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
        "number": answer.responder_id,
        "process": answer.process[:_LONGEST_NAME],
        "consumers": dict(answer.consumers),
        "in_work": dict(answer.in_work),
        "prefetched": dict(answer.prefetched),
        "pause": answer.pause[:LONGEST_REASON],
        "crashes": crashes,
    }
    return json.dumps(values, separators=(",", ":")).encode()


def decode_answer(data: bytes) -> Answer | None:
    """Return the answer, cut to what makes sense; None if the data is not one."""
    values = _object(data, LONGEST_ANSWER)
    if values is None:
        return None
    responder_id, process = (_text(values.get(name), _LONGEST_NAME) for name in ("number", "process"))
    if not responder_id or not process:
        return None
    crashes = values.get("crashes")
    held = map(_held, crashes[:MOST_CRASHES]) if isinstance(crashes, list) else ()
    return Answer(
        responder_id,
        process,
        _numbers(values.get("consumers")),
        _numbers(values.get("in_work")),
        _numbers(values.get("prefetched")),
        _text(values.get("pause"), LONGEST_REASON),
        tuple(crash for crash in held if crash is not None),
    )


def _object(data: bytes, longest: int) -> dict[str, Any] | None:
    return parse_object(data) if len(data) <= longest else None


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
    return {queue: bounded_count(numbers.get(queue)) for queue in QUEUES}


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_TIME:
        return None
    return float(value)


def _text(value: object, longest: int) -> str:
    return value[:longest] if isinstance(value, str) else ""
