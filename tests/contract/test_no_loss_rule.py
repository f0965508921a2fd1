"""The project's own queues keep the no-loss rule."""

from __future__ import annotations

from pathlib import Path

from socorro_processor.testing import NoLossSuite
from tests.integration.rabbitmq_broker import Broker
from tests.unit.crashqueue.machine import Machine


class TestSQLiteCrashQueue(NoLossSuite):
    def new_backend(self, directory: Path) -> Machine:
        return Machine(directory / "queue.sqlite")


class TestRabbitMQCrashQueue(NoLossSuite):
    def new_backend(self, directory: Path) -> Broker:
        return Broker(retry_delays="0.2")

    def new_backend_for_eight(self, directory: Path) -> Broker:
        """The delay is longer than a few rounds; with a prefetch of 1, no processor has more than its share."""
        return Broker(retry_delays="6", prefetch=1)
