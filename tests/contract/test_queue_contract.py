"""The project's own queues pass the suite for queues."""

from __future__ import annotations

from pathlib import Path

from socorro_processor.crashqueue.outcomes import Outcomes, decode_outcomes
from socorro_processor.testing import QueueSuite
from tests.integration.rabbitmq_broker import Broker
from tests.unit.crashqueue.machine import Machine


class TestSQLiteCrashQueue(QueueSuite):
    def new_backend(self, directory: Path) -> Machine:
        return Machine(directory / "queue.sqlite")


class TestRabbitMQCrashQueue(QueueSuite):
    def new_backend(self, directory: Path) -> Broker:
        return Broker(retry_delays="3")


def test_outcomes_that_no_processor_sent_are_ignored():
    for data in (b"", b"\xff", b"[]", b"{}", b'{"saved":-1,"took":[1],"failed":{"a":1}}', b"[" * 100_000):
        assert not decode_outcomes(data)
    assert decode_outcomes(b'{"saved":true,"took":{"a":"b","c":5},"failed":["x",1]}') == Outcomes(1, {"c": 5}, ("x",))
