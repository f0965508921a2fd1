"""RabbitMQ's queues against the model, on the real broker. Few examples, because each takes seconds."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule

from socorro_processor.testing.queue_model import LONGEST_DELAY, CrashQueueModel
from tests.integration.rabbitmq_broker import Broker


class RabbitMQCrashQueueModel(CrashQueueModel):
    delays = (0.5,)
    counts_every_delivery = True
    leaves_out_twins = True

    def new_backend(self) -> Broker:
        return Broker(retry_delays="0.5")

    @rule()
    def wait(self) -> None:
        self.backend.wait(LONGEST_DELAY)


TestRabbitMQCrashQueue = RabbitMQCrashQueueModel.TestCase
TestRabbitMQCrashQueue.settings = settings(
    max_examples=8, stateful_step_count=20, database=None, suppress_health_check=list(HealthCheck)
)
