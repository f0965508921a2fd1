"""The queues that must pass the contract. Another one is another class here, and a line in BACKENDS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from socorro_processor.crashqueue.base import CrashQueueBase, Delivery
from tests.integration.rabbitmq_broker import Broker
from tests.unit.crashqueue.machine import Machine


class Processor(Protocol):
    """One process that uses the queue."""

    queue: CrashQueueBase

    def take(self) -> Delivery | None:
        """The next delivery; None where there is surely none now."""

    def die(self) -> None:
        """End without a word to the queue."""


class QueueBackend(Protocol):
    """A queue service with nothing in it."""

    knows_what_had_begun: bool
    """Whether it can tell, of the crashes of a dead processor, those that it had begun. Else a death counts for none
    of them until they are delivered alone: no bystander's attempt is counted."""

    def start(self) -> Processor:
        """Start one more process."""

    def now(self) -> float:
        """By the clock that delays go by."""

    def wait(self, seconds: float) -> None:
        """Let time pass, enough for a delay of ``seconds`` to end and for a death to be noticed."""

    def close(self) -> None:
        """Stop all processes."""


BACKENDS: dict[str, Callable[[Path], QueueBackend]] = {
    "sqlite": lambda directory: Machine(directory / "queue.sqlite"),
    "rabbitmq": lambda directory: Broker(retry_delays="3"),
}

KNOW_ALL_IN_FLIGHT = ["sqlite"]
"""Those that keep the same id from being in flight in two processes at once; the others do so within each."""
