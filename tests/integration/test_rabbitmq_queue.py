"""The RabbitMQ queue on the real broker, beyond the contract of every queue."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import Delivery, Depth, SetAsideCrash
from socorro_processor.crashqueue.rabbitmq.messages import DELIVERY_COUNT, SUBMITTED
from socorro_processor.crashqueue.rabbitmq.publisher import Publisher
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.metrics import METRICS
from tests.integration import rabbitmq_process
from tests.integration.rabbitmq_broker import DEADLINE, Broker, Processor


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker(retry_delays="1")
    yield broker
    broker.close()


@pytest.fixture
def processor(broker: Broker) -> Processor:
    return broker.start()


def taken(processor: Processor) -> Delivery:
    delivery = processor.take()
    assert delivery is not None, "there is a crash, but it was not delivered"
    return delivery


def submitted(processor: Processor, *crash_ids: str) -> Processor:
    for crash_id in crash_ids:
        processor.queue.submit(crash_id)
    return processor


# Messages


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"\xed\xa0\x80", "é 🦊".encode(), b"", b"x" * 200_000])
def test_a_body_of_any_bytes_is_delivered_kept_and_put_back_as_it_was(broker, processor, body):
    broker.publish(broker.queues.origins["normal"], body)
    processor.queue.park(taken(processor), "no crash id")
    (kept,) = processor.queue.set_aside("parked")
    processor.queue.requeue(kept)
    processor.queue.close()
    assert broker.next(broker.queues.origins["normal"])[1] == body


@pytest.mark.parametrize(
    "headers",
    [
        {"socorro-attempts": "many", "socorro-retries": -1, "socorro-queue": "express"},
        {"socorro-attempts": 2**62, "socorro-retries": True, "socorro-queue": ["normal"]},
    ],
)
def test_headers_of_another_form_are_ignored(broker, processor, headers):
    broker.publish(broker.queues.origins["priority"], b"one", headers=headers)
    delivery = taken(processor)
    assert (delivery.crash_id, delivery.queue, delivery.attempt, delivery.suspect) == ("one", "priority", 1, False)


def test_what_a_collector_sends_without_any_property_is_a_crash(broker, processor):
    crash_id = new_crash_id()
    broker.publish(broker.queues.origins["normal"], crash_id.encode())
    assert taken(processor).crash_id == crash_id


# The age of the oldest


@pytest.mark.parametrize("timestamp", [None, 0, 2**40, 2**63])
def test_the_age_of_the_oldest_is_unknown_if_a_taken_crash_does_not_tell_its_own(broker, processor, timestamp):
    processor.queue.submit(new_crash_id())
    broker.publish(broker.queues.origins["normal"], new_crash_id().encode(), timestamp=timestamp)
    processor.queue.ack(taken(processor))
    taken(processor)
    depths = processor.queue.depths().queues
    assert (depths["normal"].oldest, depths["priority"].oldest) == (None, 0.0)


def test_the_age_of_the_oldest_is_unknown_before_a_waiting_crash_is_taken(broker, processor):
    processor.queue.submit(new_crash_id())
    depths = processor.queue.depths().queues
    assert (depths["normal"].waiting, depths["normal"].oldest) == (1, None)


def test_a_collectors_timestamp_says_since_when_a_crash_waits_even_after_a_retry(broker, processor):
    hours = 3
    submitted_at = int(time.time()) - hours * 3600
    broker.publish(broker.queues.origins["normal"], new_crash_id().encode(), timestamp=submitted_at)
    processor.queue.retry(taken(processor), "the reason", transient=True)
    broker.wait(0.0)
    taken(processor)
    age = processor.queue.depths().queues["normal"].oldest
    assert age is not None
    assert 0 <= age - hours * 3600 <= time.time() - submitted_at - hours * 3600 + 1


def test_a_collector_whose_clock_is_ahead_makes_nothing_younger_than_new(broker, processor):
    broker.publish(broker.queues.origins["normal"], new_crash_id().encode(), timestamp=int(time.time()) + 3600)
    taken(processor)
    assert processor.queue.depths().queues["normal"].oldest == 0.0


def test_a_reason_that_quotes_bytes_is_kept(processor):
    processor.queue.park(taken(submitted(processor, "one")), "what \ud800\x00 is this")
    (kept,) = processor.queue.set_aside("parked")
    assert kept.reason == "what \\ud800\x00 is this"


# Publishing


def test_a_message_to_a_queue_that_does_not_exist_is_an_error_and_not_lost(broker):
    publisher = Publisher(broker.configuration(), broker.queues)
    with pytest.raises(CrashQueueError, match=r"submit: RabbitMQ has no queue nowhere: run `socorro setup`"):
        publisher.publish("nowhere", b"one", {}, "submit")
    publisher.close()


def test_a_queue_that_was_deleted_is_made_again_for_the_message(broker, processor):
    processor.queue.submit("one")
    broker.delete(broker.queues.origins["normal"])
    processor.queue.submit("two")
    assert [delivery.crash_id for delivery in processor.take_all()] == ["two"]


def test_a_submitted_crash_outlives_the_queue_object_that_submitted_it(broker):
    first = broker.start()
    first.queue.submit("one")
    first.queue.close()
    assert taken(broker.start()).crash_id == "one"


def test_a_broker_that_takes_no_message_confirms_none(broker, processor):
    full = broker.queues.origins["reprocessing"]
    processor.queue.setup()
    broker.delete(full)
    broker.channel.queue_declare(full, durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    processor.queue.submit("one", "reprocessing")
    with pytest.raises(CrashQueueError, match=f"submit 'two': RabbitMQ refused it for the queue {full}"):
        processor.queue.submit("two", "reprocessing")


# Order and pace


def test_fair_order_holds_over_many_crashes_each_acked_before_the_next(processor):
    for queue in ("priority", "normal", "reprocessing"):
        for number in range(60):
            processor.queue.submit(f"{queue} {number}", queue)
    queues = []
    for _ in range(50):
        delivery = taken(processor)
        queues.append(delivery.queue)
        processor.queue.ack(delivery)
    for start in range(0, 50, 10):
        window = queues[start : start + 10]
        assert abs(window.count("priority") - 6) <= 1
        assert abs(window.count("normal") - 3) <= 1


def test_an_idle_processor_begins_a_new_crash_within_50_ms(broker, processor):
    sender = broker.start()
    crashes = processor.queue.new_crashes()
    assert next(crashes) is None
    waits = []
    for number in range(15):
        submission = _Submission(sender, f"crash {number}")
        submission.start()
        delivery = next(filter(None, crashes))
        waits.append(time.monotonic() - submission.began)
        submission.join()
        processor.queue.ack(delivery)
    assert statistics.median(waits) < 0.05


class _Submission(threading.Thread):
    def __init__(self, sender: Processor, crash_id: str) -> None:
        super().__init__()
        self._sender = sender
        self._crash_id = crash_id
        self.began = 0.0

    def run(self) -> None:
        self.began = time.monotonic()
        self._sender.queue.submit(self._crash_id)


def test_an_idle_processor_costs_next_to_no_processor_time(processor):
    crashes = processor.queue.new_crashes()
    next(crashes)
    began, cost = time.monotonic(), time.process_time()
    while time.monotonic() < began + 3.0:
        assert next(crashes) is None
    assert (time.process_time() - cost) / (time.monotonic() - began) < 0.01


def test_more_crashes_may_be_in_work_than_are_prefetched(broker):
    processor = submitted(broker.start(prefetch="1"), *(f"crash {number}" for number in range(30)))
    assert len(processor.take_all()) == 30


def test_no_more_crashes_are_prefetched_than_are_of_use(broker):
    processor = submitted(broker.start(prefetch="2"), *(f"crash {number}" for number in range(30)))
    for delivery in [taken(processor) for _ in range(5)]:
        processor.queue.ack(delivery)
        taken(processor)
    # Five are in work, and two wait for each time that there were more in work than before.
    assert broker.waiting([broker.queues.origins["normal"]]) >= 30 - 10 - 4


def test_a_prefetched_crash_that_waits_too_long_is_left_to_others_by_the_longest_delay(broker):
    processor = submitted(broker.start(longest_wait=0.5, retry_delays="1, 30"), "taken", "waiting")
    delivery = taken(processor)
    queue = f"{broker.queues.origins['normal']}.retry.30s"
    deadline = time.monotonic() + DEADLINE
    while not (broker.exists(queue) and broker.waiting([queue])):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    processor.queue.ack(delivery)
    # The attempt does not count: the crash was not at fault.
    processor.queue.probe()
    again = taken(processor)
    assert (again.crash_id, again.attempt, again.retries) == ("waiting", 1, 0)


# Twins


def test_only_one_of_many_twins_waits_and_the_others_are_not_processed_again(processor):
    submitted(processor, *["twin"] * 20, "other")
    first = taken(processor)
    assert taken(processor).crash_id == "other"
    processor.queue.ack(first)
    processor.queue.ack(taken(processor))
    assert processor.take() is None
    assert processor.queue.depths().queues["normal"] == Depth(0, 0, in_flight=1)


def test_twins_of_a_crash_that_was_retried_are_not_lost_with_it(broker, processor):
    submitted(processor, "twin", "twin")
    processor.queue.retry(taken(processor), "the reason", transient=True)
    processor.queue.ack(taken(processor))
    broker.wait(1)
    assert taken(processor).retries == 1


# Suspects and bystanders


def kill(broker: Broker, count: int, begin: str = "-") -> list[Delivery]:
    """Let a real process take this many crashes, and kill it."""
    options = json.dumps(broker.values)
    with subprocess.Popen(
        [sys.executable, rabbitmq_process.__file__, options, str(count), begin],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        lines = [child.stdout.readline() for _ in range(count)]
        child.kill()
    return [
        Delivery(crash_id, "normal", attempt, suspect=suspect) for crash_id, attempt, suspect in map(json.loads, lines)
    ]


def test_a_crash_whose_processor_is_killed_is_delivered_to_another(broker, processor):
    submitted(processor, "one")
    assert kill(broker, 1, "begin") == [Delivery("one", "normal")]
    again = taken(processor)
    assert (again.crash_id, again.attempt, again.suspect) == ("one", 1, False)


def test_a_crash_that_kills_every_processor_is_alone_from_the_third_and_each_death_there_is_an_attempt(broker):
    broker.start().queue.submit("poison")
    deliveries = [kill(broker, 1, "begin")[0] for _ in range(5)]
    assert [(delivery.attempt, delivery.suspect) for delivery in deliveries] == [
        (1, False),
        (1, False),
        (1, True),
        (2, True),
        (3, True),
    ]


def test_bystanders_of_two_deaths_have_no_attempt_and_are_processed_alone_one_after_the_other(broker, processor):
    names = ["poison", *(f"bystander {number}" for number in range(4))]
    submitted(processor, *names)
    for _ in range(2):
        kill(broker, 2)
    seen = []
    while len(seen) < len(names):
        delivery = taken(processor)
        assert (delivery.attempt, delivery.suspect) == (1, True)
        assert processor.take() is None
        processor.queue.ack(delivery)
        seen.append(delivery.crash_id)
    assert sorted(seen) == sorted(names)


def suspects(broker: Broker, *crash_ids: str) -> Processor:
    """These crashes after two deaths, and a processor that may take them."""
    submitted(broker.start(), *crash_ids)
    for _ in range(2):
        processor = broker.start()
        for _ in crash_ids:
            taken(processor)
        processor.die()
    return broker.start()


def test_a_busy_processor_takes_no_more_until_all_has_ended_and_then_the_suspect(broker, processor):
    first = taken(submitted(processor, "first"))
    broker.publish(broker.queues.suspect, b"suspect", headers={"socorro-queue": "priority"})
    # At first it leaves the suspect to idle processors.
    for number in range(1_000):
        submitted(processor, f"later {number}")
        if (delivery := processor.take()) is None:
            break
        processor.queue.ack(delivery)
    processor.queue.ack(first)
    suspect = taken(processor)
    assert (suspect.crash_id, suspect.queue, suspect.suspect) == ("suspect", "priority", True)
    processor.queue.ack(suspect)
    assert taken(processor).crash_id == f"later {number}"


def test_an_idle_processor_takes_a_suspect_from_a_busy_one(broker, processor):
    taken(submitted(processor, "first"))
    broker.publish(broker.queues.suspect, b"suspect")
    assert taken(broker.start()).suspect


def test_nothing_is_delivered_beside_a_suspect(broker):
    processor = suspects(broker, "suspect")
    suspect = taken(processor)
    submitted(processor, "other")
    assert processor.take() is None
    processor.queue.ack(suspect)
    assert taken(processor).crash_id == "other"


def test_a_suspect_that_was_released_or_that_a_closed_queue_gave_back_is_no_worse_for_it(broker):
    processor = suspects(broker, "suspect")
    processor.queue.release(taken(processor))
    processor.queue.begin(taken(processor))
    processor.queue.close()
    suspect = taken(broker.start())
    assert (suspect.attempt, suspect.suspect) == (1, True)


@pytest.mark.parametrize(("transient", "attempt"), [(True, 1), (False, 2)])
def test_a_suspect_that_is_tried_again_is_still_alone_and_still_of_its_queue(broker, transient, attempt):
    processor = suspects(broker, "suspect")
    processor.queue.retry(taken(processor), "the reason", transient=transient)
    assert processor.queue.depths().suspect == 1
    broker.wait(1)
    again = taken(processor)
    assert replace(again, tag=None) == Delivery("suspect", "normal", attempt, retries=1, suspect=True)


def test_suspects_take_turns_with_the_others_where_there_are_any(broker, processor):
    for crash_id in (b"suspect 1", b"suspect 2"):
        broker.publish(broker.queues.suspect, crash_id)
    suspect = taken(processor)
    submitted(processor, "other")
    # It takes a while.
    assert processor.take() is None
    processor.queue.ack(suspect)
    other = taken(processor)
    assert (suspect.suspect, other.suspect) == (True, False)
    processor.queue.ack(other)
    assert taken(processor).suspect


# Kept crashes


def parked(processor: Processor, *crash_ids: str) -> Processor:
    submitted(processor, *crash_ids)
    for _ in crash_ids:
        processor.queue.park(taken(processor), "the reason")
    return processor


def test_requeueing_one_crash_keeps_the_others_in_their_order(broker, processor):
    parked(processor, *(f"crash {number}" for number in range(6)))
    for crash in list(processor.queue.set_aside("parked")):
        if crash.crash_id == "crash 2":
            assert processor.queue.requeue(crash)
    processor.queue.close()
    other = broker.start()
    assert [crash.crash_id[-1] for crash in other.queue.set_aside("parked")] == ["0", "1", "3", "4", "5"]
    assert taken(other).crash_id == "crash 2"


def test_reading_many_times_loses_no_crash(broker, processor):
    parked(processor, "one", "two")
    for _ in range(25):
        reader = broker.start()
        assert len(list(reader.queue.set_aside("parked"))) == 2
        reader.close()


def test_a_second_reader_is_refused_with_the_reason(broker, processor):
    parked(processor, "one")
    list(processor.queue.set_aside("parked"))
    other = broker.start()
    with pytest.raises(CrashQueueError, match="read the parked crashes: another process reads them: try again"):
        list(other.queue.set_aside("parked"))
    processor.queue.close()
    assert len(list(other.queue.set_aside("parked"))) == 1


def test_what_was_parked_after_the_reading_is_read_the_next_time(processor):
    parked(processor, "one")
    assert len(list(processor.queue.set_aside("parked"))) == 1
    parked(processor, "two")
    assert [crash.crash_id for crash in processor.queue.set_aside("parked")] == ["one", "two"]
    assert processor.queue.depths().parked == 2


def test_a_reader_that_dies_gives_all_crashes_back(broker, processor):
    parked(processor, "one", "two")
    reader = broker.start()
    list(reader.queue.set_aside("parked"))
    reader.die()
    assert len(list(broker.start().queue.set_aside("parked"))) == 2


def test_the_oldest_of_too_many_rejected_are_dropped_and_counted(broker):
    before = METRICS.snapshot().counters.get(("queue.rejected_dropped", ()), 0)
    processor = broker.start(**{"resource.rabbitmq.maximum_rejected": 3})
    submitted(processor, *(f"crash {number}" for number in range(5)))
    for _ in range(5):
        processor.queue.reject(taken(processor), "no crash id")
    assert [crash.crash_id for crash in processor.queue.set_aside("rejected")] == ["crash 2", "crash 3", "crash 4"]
    assert METRICS.snapshot().counters[("queue.rejected_dropped", ())] == before + 2


def test_a_long_rejected_body_is_cut_and_its_reason_says_so(processor):
    submitted(processor, "x" * 5_000)
    processor.queue.reject(taken(processor), "no crash id")
    (kept,) = processor.queue.set_aside("rejected")
    assert kept.crash_id == "x" * 1_000
    assert kept.reason == "no crash id (only the first 1000 of its 5000 characters are kept)"


def test_a_crash_that_was_never_kept_is_not_put_back(processor):
    parked(processor, "one")
    (kept,) = processor.queue.set_aside("parked")
    assert not processor.queue.requeue(replace(kept, crash_id="two"))
    assert isinstance(kept, SetAsideCrash)
    assert processor.take() is None


# Retries


def test_each_retry_waits_in_the_queue_of_its_step(broker):
    processor = submitted(broker.start(retry_delays="1, 1.5"), "one")
    for step in ("1s", "1.5s", "1.5s"):
        processor.queue.retry(taken(processor), "the reason", transient=True)
        queue = f"{broker.queues.origins['normal']}.retry.{step}"
        assert broker.waiting([queue]) == 1
        broker.wait_until_empty([queue])
    assert taken(processor).retries == 3


def test_crashes_that_are_at_fault_do_not_block_one_that_can_be_probed(broker):
    processor = submitted(broker.start(retry_delays="30"), *(f"own {number}" for number in range(5)), "other")
    for number in range(6):
        processor.queue.retry(taken(processor), "the reason", transient=number == 5)
    processor.queue.probe()
    assert [delivery.crash_id for delivery in processor.take_all()] == ["other"]
    assert processor.queue.depths().queues["normal"] == Depth(waiting=0, delayed=5, in_flight=1)


def test_probing_delivers_the_crash_without_fault_that_is_due_first(broker):
    processor = broker.start(retry_delays="20, 30")
    broker.publish(broker.queues.origins["normal"], b"late", headers={"socorro-retries": 1})
    submitted(processor, "soon", "own")
    for transient in (True, True, False):
        processor.queue.retry(taken(processor), "the reason", transient=transient)
    for expected in (["soon"], ["late"], []):
        processor.queue.probe()
        assert [delivery.crash_id for delivery in processor.take_all()] == expected


def test_probing_takes_nothing_out_of_longer_delays_than_that_of_the_probed_crash(broker):
    processor = broker.start(retry_delays="20, 30")
    broker.publish(broker.queues.origins["normal"], b"late", headers={"socorro-retries": 1})
    submitted(processor, "soon")
    for _ in range(2):
        processor.queue.retry(taken(processor), "the reason", transient=True)
    processor.queue.probe()
    assert taken(processor).crash_id == "soon"
    late = headers_of_the_next(broker, f"{broker.queues.origins['normal']}.retry.30s")
    assert late.get(DELIVERY_COUNT, 0) == 0


# Headers of other versions


def headers_of_the_next(broker, queue):
    properties, _ = broker.next(queue)
    return properties.headers or {}


UNKNOWN = {"socorro-lists": "2027-01", "of-a-collector": {"depth": [1, 2]}}


def test_headers_that_this_version_does_not_know_are_handed_on_with_every_copy(broker, processor):
    broker.publish(broker.queues.origins["normal"], b"a crash", headers=UNKNOWN | {"x-death": []})
    processor.queue.retry(taken(processor), "the reason", transient=True)
    broker.wait(1)
    processor.queue.park(taken(processor), "the reason")
    (kept,) = processor.queue.set_aside("parked")
    assert processor.queue.requeue(kept)
    processor.queue.close()
    headers = headers_of_the_next(broker, broker.queues.origins["normal"])
    assert {name: value for name, value in headers.items() if name not in (DELIVERY_COUNT, SUBMITTED)} == UNKNOWN


def test_headers_that_are_too_large_to_carry_are_left_out_and_the_others_handed_on(broker, processor):
    headers = {"large": "x" * 50_000, "lists": "2027-01"}
    broker.publish(broker.queues.origins["normal"], b"a crash", headers=headers)
    processor.queue.retry(taken(processor), "the reason", transient=True)
    processor.queue.close()
    broker.wait(1)
    headers = headers_of_the_next(broker, broker.queues.origins["normal"])
    assert headers["lists"] == "2027-01"
    assert "large" not in headers
