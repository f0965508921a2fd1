"""``socorro queue`` and ``socorro reprocess``, over RabbitMQ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from tests.integration.rabbitmq_broker import Broker, Processor

LARGE, SLOW = new_crash_id(), new_crash_id()

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.close()


@pytest.fixture
def processor(broker: Broker) -> Processor:
    """One that has parked two crashes and rejected one."""
    processor = broker.start()
    for crash_id, queue, reason in ((LARGE, "normal", "the document is too large"), (SLOW, "priority", "timed out")):
        processor.queue.submit(crash_id, queue)
        processor.queue.begin(delivery := processor.take())
        processor.queue.park(delivery, reason)
    processor.queue.submit("no id")
    processor.queue.reject(processor.take(), "it is no crash id")
    return processor


@pytest.fixture
def socorro(broker: Broker, processor: Processor, capsys: pytest.CaptureFixture[str]) -> Run:
    environment = {f"SOCORRO__{option.replace('.', '__').upper()}": value for option, value in broker.addresses.items()}
    environment["SOCORRO__NEW_CRASH_SOURCE__NEW_CRASH_SOURCE_CLASS"] = class_name(RabbitMQCrashQueue)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments), environ=environment)
        return code, capsys.readouterr().out

    return run


def test_the_status_counts_what_was_put_aside(socorro):
    code, out = socorro("queue", "status", "--json")
    status = json.loads(out)
    assert (code, status["parked"], status["rejected"]) == (0, 2, 1)


def test_parked_and_rejected_crashes_are_listed_with_their_reasons_and_stay(socorro):
    for _ in range(2):
        parked = [json.loads(line) for line in socorro("queue", "parked", "--json")[1].splitlines()]
        assert [(crash["crash_id"], crash["queue"], crash["attempts"], crash["reason"]) for crash in parked] == [
            (LARGE, "normal", 1, "the document is too large"),
            (SLOW, "priority", 1, "timed out"),
        ]
    (rejected,) = map(json.loads, socorro("queue", "rejected", "--json")[1].splitlines())
    assert (rejected["crash_id"], rejected["reason"]) == ("no id", "it is no crash id")


def test_those_that_are_chosen_are_put_back_and_the_others_stay(socorro, processor):
    assert socorro("queue", "requeue", "--reason=timed out") == (0, "1 parked crashes were put back\n")
    delivery = processor.take()
    assert (delivery.crash_id, delivery.queue, delivery.attempt) == (SLOW, "priority", 1)
    assert processor.queue.depths().parked == 1


def test_all_are_put_back_where_that_is_said(socorro, processor):
    assert socorro("queue", "requeue", "--all") == (0, "2 parked crashes were put back\n")
    assert {delivery.crash_id for delivery in processor.take_all()} == {LARGE, SLOW}
    assert socorro("queue", "requeue", "--all", "--rejected") == (0, "1 rejected crashes were put back\n")
    assert [delivery.crash_id for delivery in processor.take_all()] == ["no id"]


def test_a_dry_run_puts_nothing_back(socorro, processor):
    assert socorro("queue", "requeue", "--all", "--dry-run") == (0, "2 parked crashes would be put back\n")
    assert processor.take() is None
    assert processor.queue.depths().parked == 2


def test_a_crash_is_submitted_for_reprocessing(socorro, processor):
    assert socorro("reprocess", LARGE)[0] == 0
    assert processor.take().queue == "reprocessing"
