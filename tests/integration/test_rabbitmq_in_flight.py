"""Processors report their crashes in flight on the real broker, and silent ones are counted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from itertools import count

import pika
import pytest

from socorro_processor.crashqueue.base import QUEUES, InFlight, this_process
from socorro_processor.crashqueue.rabbitmq.answers import MOST_CRASHES, decode_answer, decode_question
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from tests.integration.rabbitmq_broker import Broker, Processor
from tests.integration.test_rabbitmq_faults import blocked, next_of, until

NONE = dict.fromkeys(QUEUES, 0)


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker(retry_delays="60")
    yield broker
    broker.close()


@pytest.fixture
def processor(broker: Broker) -> Processor:
    """A processor that takes crashes, and reports them."""
    processor = broker.start()
    assert processor.take() is None
    told(broker.start().queue, lambda told: not any(told.silent.values()))
    return processor


def told(queue: RabbitMQCrashQueue, as_expected: Callable[[InFlight], bool]) -> InFlight:
    """Ask until the answer is as expected, and return it."""
    answers: list[InFlight] = []

    def is_as_expected() -> bool:
        answers.append(queue.in_flight(ids=True))
        return as_expected(answers[-1])

    until(is_as_expected)
    return answers[-1]


@pytest.fixture
def asking(broker: Broker) -> RabbitMQCrashQueue:
    """The queue of a processor that takes nothing."""
    return broker.start().queue


def test_without_a_processor_nothing_is_in_flight_and_nobody_is_asked(broker, asking):
    assert asking.in_flight(ids=True) == InFlight(NONE, NONE, NONE)
    assert not broker.exchange_exists(broker.queues.status)


def test_a_crash_that_a_processor_has_not_taken_yet_is_prefetched(broker, processor, asking):
    for crash_id in ("one", "two", "three"):
        asking.submit(crash_id)
    processor.queue.note_pause("S3 is away")
    found = told(asking, lambda told: told.prefetched == NONE | {"normal": 3})
    assert (found.in_work, found.silent) == (NONE, NONE)
    assert asking.depths().queues["normal"].waiting == 0
    assert {(crash.crash_id, crash.state, crash.process) for crash in found.crashes} == {
        (crash_id, "prefetched", this_process()) for crash_id in ("one", "two", "three")
    }
    assert all(crash.since for crash in found.crashes)
    (at,) = found.processes
    assert (at.process, at.pause) == (this_process(), "S3 is away")


def test_all_processors_are_asked(broker, asking):
    for processor in [broker.start() for _ in range(3)]:
        assert processor.take() is None
    list(asking.submit_all(str(number) for number in range(12)))
    found = told(asking, lambda told: told.prefetched == NONE | {"normal": 12})
    assert (len(found.processes), found.silent) == (3, NONE)
    assert {crash.crash_id for crash in found.crashes} == {str(number) for number in range(12)}


def test_a_consumer_that_does_not_answer_is_reported_and_the_number_is_unknown(broker, processor, asking):
    other = pika.BlockingConnection(broker.parameters)
    channel = other.channel()
    channel.basic_consume(broker.queues.origins["normal"], lambda *_: None)
    asking.submit("one")
    found = told(asking, lambda told: bool(told.silent["normal"]))
    assert found.silent == NONE | {"normal": 1}
    assert len(found.processes) == 1
    other.close()
    assert told(asking, lambda told: told.prefetched == NONE | {"normal": 1}).silent == NONE


def test_a_processor_whose_connection_was_lost_answers_on_the_next_one(broker, processor, asking):
    processor.proxy.cut()
    assert processor.take() is None
    asking.submit("one", "priority")
    assert told(asking, lambda told: told.prefetched == NONE | {"priority": 1}).silent == NONE


def test_a_processor_that_may_send_nothing_is_silent_and_works_on(broker, processor, asking):
    asking.submit("one")
    crashes = processor.queue.new_crashes()
    delivery = next_of(crashes)
    blocked(processor)
    found = told(asking, lambda told: any(told.silent.values()))
    assert found.processes == ()
    processor.queue.ack(delivery)
    until(lambda: processor.queue.depths().queues["normal"].in_flight == 0)


def test_an_unusable_exchange_is_reported_on_both_sides_and_work_goes_on(broker, asking, caplog):
    broker.channel.exchange_declare(broker.queues.status, "direct")
    processor = broker.start()
    asking.submit("one")
    processor.queue.begin(delivery := processor.take())
    found = told(asking, lambda told: all(told.silent[queue] for queue in QUEUES))
    assert "inequivalent arg 'type' for exchange" in found.failure
    processor.queue.ack(delivery)
    assert broker.has_work() is False
    said = "`socorro queue status` cannot ask this processor what it has: cannot use the exchange"
    until(lambda: any(said in record.getMessage() for record in caplog.records))
    broker.channel.exchange_delete(broker.queues.status)


def test_a_crash_that_its_processor_could_not_delay_is_listed_with_when_and_why(broker, processor):
    broker.start().queue.submit("one")
    crashes = processor.queue.new_crashes()
    delivery = next_of(crashes)
    blocked(processor)
    processor.queue.retry(delivery, "S3 is away", transient=True)
    answer = processor.queue._answer(True, {})
    (crash,) = answer.crashes
    assert (crash.crash_id, crash.state, crash.reason) == ("one", "prefetched", "S3 is away")
    assert 0 < crash.due_in <= 60
    assert answer.prefetched == {"normal": 1}


def test_a_suspect_in_work_is_in_work(broker):
    broker.publish(broker.queues.suspect, b"one", headers={"socorro-queue": "priority"})
    processor = broker.start()
    until(lambda: processor.take() is not None)
    found = told(broker.start().queue, lambda told: bool(told.crashes))
    assert found.in_work == NONE | {"priority": 1}
    assert [(crash.crash_id, crash.queue, crash.state) for crash in found.crashes] == [("one", "priority", "taken")]


def test_a_crash_that_another_processor_took_before_it_was_due_is_listed_once(broker, processor, asking):
    broker.start().queue.submit("one")
    processor.queue.retry(processor.take(), "S3 is away", transient=True)
    (crash,) = told(asking, lambda told: bool(told.crashes)).crashes
    assert crash.state == "delayed"
    other = broker.start()
    assert other.take() is None
    other.queue.probe()
    until(lambda: other.take() is not None)
    found = told(asking, lambda told: told.in_work == NONE | {"normal": 1} and len(told.processes) == 2)
    assert [(crash.crash_id, crash.state) for crash in found.crashes] == [("one", "taken")]


# What others may send


def test_malformed_questions_are_not_answered_and_never_make_a_processor_write_elsewhere(broker, processor, asking):
    number = uuid.uuid4().hex
    elsewhere = broker.queues.origins["reprocessing"]
    answers = f"{broker.queues.status}.answers.{number}"
    broker.channel.queue_declare(answers, exclusive=True)
    for body, properties in (
        (b"{}", {"reply_to": elsewhere, "correlation_id": number}),
        (b"{}", {"reply_to": answers, "correlation_id": elsewhere}),
        (b"{}", {"reply_to": answers}),
        (b"{}", {"correlation_id": number}),
        (b"{}", {}),
        (b"[]", {"reply_to": answers, "correlation_id": number}),
        (b"\xff", {"reply_to": answers, "correlation_id": number}),
        (b"[" * 100_000, {"reply_to": answers, "correlation_id": number}),
        (b'{"ids":"' + b"x" * 1_000_000 + b'"}', {"reply_to": answers, "correlation_id": number}),
    ):
        broker.channel.basic_publish(broker.queues.status, "", body, pika.BasicProperties(**properties))
        # One after the other, because a processor's queue of questions is short.
        until(lambda: told(asking, lambda told: not any(told.silent.values())))
    assert broker.waiting([answers, elsewhere]) == 0
    assert processor.take() is None
    assert broker.has_work() is False


def test_many_who_ask_at_once_do_not_keep_a_processor_from_its_work(broker, processor, asking):
    for number in (uuid.uuid4().hex for _ in range(5_000)):
        properties = pika.BasicProperties(reply_to=f"{broker.queues.status}.answers.{number}", correlation_id=number)
        broker.channel.basic_publish(broker.queues.status, "", b'{"ids":true}', properties)
    asking.submit("one")
    delivery = processor.take()
    processor.queue.begin(delivery)
    processor.queue.ack(delivery)
    assert told(asking, lambda told: not any(told.silent.values())).in_work == NONE


ODD = [
    b"",
    b"\xff",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b'{"number":1,"process":2}',
    b'{"number":"1"}',
    b'{"number":"1","process":"' + b"x" * 6_000_000 + b'"}',
]


@pytest.mark.parametrize("data", ODD, ids=count())
def test_malformed_answers_are_ignored(data):
    assert decode_answer(data) is None


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"1", b"[" * 900, b'{"ids":"' + b"x" * 1_000 + b'"}'])
def test_malformed_questions_are_recognized(data):
    assert decode_question(data) is None


def test_an_answer_is_limited_to_sensible_values():
    crash = ["x" * 150, "normal", "in work", 1, None, "y" * 1_200]
    odd = [
        "x", [], ["x"], [1, "normal", "taken", 1, 1, ""], ["x", "express", "taken", 1, 1, ""],
        ["x", ["normal"], "taken", 1, 1, ""], ["x", "normal", {}, 1, 1, ""],
    ]  # fmt: skip
    answer = decode_answer(
        json.dumps(
            {
                "number": "1",
                "process": "p" * 1_000,
                "consumers": {"normal": -1, "priority": "many", "reprocessing": 10**30, "express": 1},
                "in_work": [],
                "pause": ["S3"],
                "crashes": [*odd, ["x", "normal", "delayed", -1, 1e300, 7], crash, *[crash] * 2 * MOST_CRASHES],
            }
        ).encode()
    )
    assert answer is not None
    assert len(answer.process) == 200
    assert answer.consumers == {"priority": 0, "normal": 0, "reprocessing": 1_000_000}
    assert (answer.in_work, answer.prefetched, answer.pause) == (NONE, NONE, "")
    assert len(answer.crashes) == MOST_CRASHES - len(odd)
    first, second = answer.crashes[:2]
    assert (first.crash_id, first.age, first.due_in, first.reason) == ("x", None, None, "")
    assert (len(second.crash_id), second.age, len(second.reason)) == (100, 1.0, 1_000)


def test_answers_of_others_and_to_other_questions_are_not_believed(broker, processor, asking):
    """A liar hears the question, as any processor does, and answers first."""
    liar = pika.BlockingConnection(broker.parameters)
    channel = liar.channel()
    name = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(name, broker.queues.status)
    lie = {"number": "1", "process": "liar", "consumers": dict.fromkeys(QUEUES, 10), "in_work": {"normal": 7}}
    lies = []

    def answer(_: object, __: object, properties: pika.BasicProperties, body: bytes) -> None:
        for data in (*ODD[:-1], body):
            channel.basic_publish(
                "", properties.reply_to, data, pika.BasicProperties(correlation_id=properties.correlation_id)
            )
        channel.basic_publish(
            "", properties.reply_to, json.dumps(lie).encode(), pika.BasicProperties(correlation_id="0" * 32)
        )
        lies.append(properties.reply_to)

    channel.basic_consume(name, answer, auto_ack=True)

    def is_told() -> bool:
        found = asking.in_flight(ids=True)
        assert found.in_work == NONE
        liar.process_data_events(0)
        return bool(lies) and found.silent == NONE and len(found.processes) == 1

    until(is_told)
    liar.close()
