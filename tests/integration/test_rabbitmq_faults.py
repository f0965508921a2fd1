"""The RabbitMQ queue while connections are cut, stall or are blocked, and while queues are deleted."""

from __future__ import annotations

import logging
import resource
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import pika
import pytest
from pika.channel import Channel

from socorro_processor.crashqueue.base import Delivery, Depth
from socorro_processor.crashqueue.outcomes import Outcomes
from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.consumer import LOOK_INTERVAL
from socorro_processor.errors import CrashQueueError
from tests.integration.rabbitmq_broker import DEADLINE, Broker, Processor
from tests.services import own_servers, restart
from tests.tcp_proxy import TCPProxy


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker(retry_delays="1")
    yield broker
    broker.close()


@pytest.fixture
def own_broker() -> Iterator[Broker]:
    """A broker on a server that may be stopped."""
    with own_servers():
        broker = Broker(retry_delays="1")
        yield broker
        broker.close()


@pytest.fixture
def processor(broker: Broker) -> Processor:
    return broker.start()


def submitted(processor: Processor, *crash_ids: str) -> Processor:
    for crash_id in crash_ids:
        processor.queue.submit(crash_id)
    return processor


def next_of(crashes: Iterator[Delivery | None]) -> Delivery:
    """Return the next delivery, however long it takes."""
    deadline = time.monotonic() + DEADLINE
    for delivery in crashes:
        if delivery:
            return delivery
        assert time.monotonic() < deadline, "nothing was delivered in time"
    raise AssertionError("the queue was closed")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not _holds(condition):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except CrashQueueError:
        # For some milliseconds a lost connection is not noticed.
        return False


def why_it_cannot_be_asked(processor: Processor) -> str:
    """Return why the depths cannot be read; empty if they can."""
    try:
        processor.queue.depths()
    except CrashQueueError as error:
        return str(error)
    return ""


def why_it_cannot_submit(processor: Processor) -> str:
    """Return why nothing can be submitted; empty if it can."""
    try:
        processor.queue.submit("one")
    except CrashQueueError as error:
        return str(error)
    return ""


def depth(broker: Broker) -> Depth:
    """Return the depth of the normal queue as a process sees it that takes no crashes."""
    observer = broker.start()
    try:
        return observer.queue.depths().queues["normal"]
    finally:
        observer.close()


# The end


def close_while_the_broker_is_silent(
    connection: BrokerConnection,
    proxy: TCPProxy,
    close: Callable[[], None],
    seconds: float,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Delay the broker's answer to the goodbye on this connection, and all that is due before it."""
    loop, over = connection._connection.ioloop, threading.Event()
    proxy.stall()
    closing = threading.Thread(target=close)
    closing.start()
    until(lambda: not connection.is_open)
    meanwhile()
    loop.add_callback_threadsafe(lambda: loop.call_later(seconds, over.set))
    assert over.wait(DEADLINE)
    proxy.flow()
    closing.join(DEADLINE)
    assert not closing.is_alive()


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_periodic_checks_do_not_disturb_a_connection_that_is_being_closed(processor, caplog):
    assert next(processor.queue.new_crashes()) is None
    connection = processor.queue._consumer.connection
    close_while_the_broker_is_silent(connection, processor.proxy, processor.queue.close, LOOK_INTERVAL)
    assert complaints(caplog) == []


@pytest.mark.parametrize("how", ["posted", "due"])
def test_nothing_is_sent_on_a_connection_that_is_being_closed(broker, caplog, how):
    proxy = TCPProxy(broker.options["resource.rabbitmq.host"], int(broker.options["resource.rabbitmq.port"]))
    channels: list[Channel] = []

    def prepare(channel: Channel) -> None:
        channels.append(channel)
        connection.set_ready()

    def speak() -> None:
        channels[0].basic_qos(prefetch_count=1)

    connection = BrokerConnection(
        broker.configuration(**{"resource.rabbitmq.port": proxy.port}),
        "testing",
        on_opened=lambda: connection.open_channel(prepare, connection.fail),
        on_lost=lambda reason: None,
    )
    connection.start()
    until(lambda: not connection.unavailable())
    if how == "due":
        connection.post(lambda: connection.call_later(0.5, speak))
        close_while_the_broker_is_silent(connection, proxy, connection.close, 0.6)
    else:
        close_while_the_broker_is_silent(connection, proxy, connection.close, 0.1, lambda: connection.post(speak))
    proxy.close()
    assert complaints(caplog) == []


# Lost connections


def test_a_connection_that_was_closed_while_idle_is_made_again(broker, processor):
    crashes = processor.queue.new_crashes()
    assert next(crashes) is None
    processor.proxy.cut()
    submitted(broker.start(), "one")
    assert next_of(crashes).crash_id == "one"


def test_submitting_works_again_after_a_connection_that_was_closed_while_idle(processor):
    submitted(processor, "one")
    processor.proxy.cut()
    submitted(processor, "two")
    assert processor.queue.depths().queues["normal"].waiting == 2


def test_if_the_broker_goes_away_during_a_submission_only_confirmed_ids_are_yielded(broker, processor):
    processor.queue.submit("first")
    given_back = []

    def crash_ids():
        for number in range(50):
            if number == 20:
                processor.proxy.refuse()
                processor.proxy.cut()
            yield f"crash {number}"

    with pytest.raises(CrashQueueError, match="submit 'crash "):
        # Keep ids as they come: those before the error count.
        deque(map(given_back.append, processor.queue.submit_all(crash_ids())))
    waiting = {delivery.crash_id for delivery in broker.start().take_all()}
    assert len(given_back) <= 20
    assert set(given_back) <= waiting


def test_a_crash_in_flight_when_its_connection_is_cut_comes_again_and_not_before_its_worker_is_done_with_it(
    broker, processor
):
    crashes = submitted(processor, "one").queue.new_crashes()
    delivery = next_of(crashes)
    processor.queue.begin(delivery)
    processor.proxy.cut()
    submitted(broker.start(), "two")
    assert next_of(crashes).crash_id == "two"
    assert next(crashes) is None
    processor.queue.ack(delivery)
    again = next_of(crashes)
    assert (again.crash_id, again.attempt) == ("one", 1)
    processor.queue.ack(again)
    until(lambda: depth(broker) == Depth(0, 0, 0) and processor.queue.depths().queues["normal"].in_flight == 1)


@pytest.mark.parametrize("ending", ["ack", "release", "park", "reject", "retry"])
def test_ending_a_delivery_of_a_lost_connection_changes_nothing(processor, ending):
    crashes = submitted(processor, "one").queue.new_crashes()
    delivery = next_of(crashes)
    processor.proxy.cut()
    until(lambda: processor.queue.depths().queues["normal"].waiting)
    if ending == "retry":
        processor.queue.retry(delivery, "late", transient=False)
    elif ending in ("park", "reject"):
        getattr(processor.queue, ending)(delivery, "late")
    else:
        getattr(processor.queue, ending)(delivery)
    again = next_of(crashes)
    assert (again.crash_id, again.attempt, again.retries) == ("one", 1, 0)
    depths = processor.queue.depths()
    assert (depths.parked, depths.rejected) == (0, 0)


def test_a_delivery_of_a_lost_connection_must_not_be_begun(processor):
    crashes = submitted(processor, "one").queue.new_crashes()
    delivery = next_of(crashes)
    processor.proxy.cut()
    until(lambda: processor.queue.depths().queues["normal"].waiting)
    with pytest.raises(CrashQueueError, match="begin 'one': its connection was lost"):
        processor.queue.begin(delivery)
    assert next_of(crashes).crash_id == "one"


def test_a_broker_that_is_away_for_a_while_loses_no_crash_and_the_queue_recovers_on_its_own(broker, processor):
    crash_ids = {f"crash {number}" for number in range(30)}
    crashes = submitted(processor, *crash_ids).queue.new_crashes()
    acked = set()
    for number in range(40):
        if number in (5, 25):
            processor.proxy.refuse()
            processor.proxy.cut()
            processor.proxy.accept_again()
        if delivery := next(crashes):
            processor.queue.ack(delivery)
            acked.add(delivery.crash_id)
    while acked != crash_ids:
        delivery = next_of(crashes)
        processor.queue.ack(delivery)
        acked.add(delivery.crash_id)


def test_a_process_that_lacks_descriptors_for_a_while_connects_again_on_its_own(broker, processor):
    crashes = processor.queue.new_crashes()
    assert next(crashes) is None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        processor.proxy.cut()
        until(lambda: "Too many open files" in why_it_cannot_be_asked(processor))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    submitted(broker.start(), "one")
    assert next_of(crashes).crash_id == "one"


def test_a_broker_that_is_away_is_an_error_that_names_its_address(processor):
    processor.proxy.refuse()
    place = f"RabbitMQ at 127.0.0.1:{processor.proxy.port}/: Connection refused: check whether it runs"
    for action in (
        lambda: processor.queue.submit("one"),
        processor.queue.depths,
        processor.queue.probe,
        processor.queue.setup,
        processor.queue.check,
        lambda: list(processor.queue.set_aside("parked")),
    ):
        with pytest.raises(CrashQueueError, match=place):
            action()


def test_a_queue_whose_broker_never_came_can_be_closed(processor):
    processor.proxy.refuse()
    assert next(processor.queue.new_crashes()) is None
    began = time.monotonic()
    processor.queue.close()
    assert time.monotonic() - began < 5


def test_deliveries_are_ended_by_many_threads_while_connections_are_cut_and_none_is_lost(broker, processor):
    crash_ids = {f"crash {number}" for number in range(80)}
    submitted(broker.start(), *crash_ids)
    acked: set[str] = set()

    def work(delivery: Delivery) -> None:
        try:
            processor.queue.begin(delivery)
        except CrashQueueError:
            return
        processor.queue.ack(delivery)
        acked.add(delivery.crash_id)

    threads = []
    for number, delivery in enumerate(processor.queue.new_crashes()):
        if delivery:
            threads.append(threading.Thread(target=work, args=(delivery,)))
            threads[-1].start()
        elif acked == crash_ids:
            break
        assert number < 1_000
        if number in (20, 45):
            processor.proxy.cut()
    for thread in threads:
        thread.join()
    processor.queue.close()
    assert depth(broker) == Depth(0, 0, 0)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_ends_and_starts_again_has_lost_nothing(own_broker, how):
    processor = submitted(own_broker.start(retry_delays="8"), "in flight", "delayed", "parked")
    crashes = processor.queue.new_crashes()
    in_flight, delayed, parked = next_of(crashes), next_of(crashes), next_of(crashes)
    processor.queue.begin(in_flight)
    processor.queue.retry(delayed, "the reason", transient=False)
    processor.queue.park(parked, "the reason")
    submitted(processor, "waiting")
    restart("rabbitmq", how)
    own_broker.connect()
    processor.queue.ack(in_flight)
    again = {delivery.crash_id: delivery for delivery in [next_of(crashes) for _ in range(3)]}
    assert again.keys() == {"in flight", "delayed", "waiting"}
    assert (again["delayed"].attempt, again["delayed"].retries) == (2, 1)
    assert [crash.crash_id for crash in processor.queue.set_aside("parked")] == ["parked"]


# Heartbeats


def test_heartbeats_go_on_while_a_crash_takes_long_and_the_queue_is_not_asked_for_more(broker):
    processor = submitted(broker.start(**{"resource.rabbitmq.heartbeat": 1}), "one")
    delivery = next_of(processor.queue.new_crashes())
    processor.queue.begin(delivery)
    # Several times the broker's timeout for a heartbeat.
    time.sleep(5.0)
    processor.queue.begin(delivery)
    processor.queue.ack(delivery)
    processor.queue.close()
    assert depth(broker) == Depth(0, 0, 0)


def test_a_silent_broker_is_taken_for_lost(broker):
    processor = broker.start(**{"resource.rabbitmq.heartbeat": 1})
    crashes = processor.queue.new_crashes()
    assert next(crashes) is None
    processor.proxy.stall()
    until(processor.queue.unavailable)
    processor.proxy.flow()
    submitted(broker.start(), "one")
    assert next_of(crashes).crash_id == "one"


# A broker that takes nothing


def test_a_message_that_is_not_confirmed_in_time_is_an_error(broker):
    processor = submitted(broker.start(**{"resource.rabbitmq.timeout": 1.0}), "one")
    processor.proxy.stall()
    with pytest.raises(CrashQueueError, match="submit 'two': RabbitMQ did not confirm it within 1 s, but may have it"):
        processor.queue.submit("two")
    processor.proxy.flow()


def blocked(processor: Processor) -> Processor:
    """Send what the broker sends to connections that publish while it is low on memory."""
    frame = pika.frame.Method(0, pika.spec.Connection.Blocked("low on memory"))
    processor.proxy.say_to_clients(frame.marshal())
    return processor


def unblocked(processor: Processor) -> None:
    processor.proxy.say_to_clients(pika.frame.Method(0, pika.spec.Connection.Unblocked()).marshal())


def test_a_broker_low_on_memory_refuses_submissions_at_once_and_still_takes_acks(broker, processor):
    crashes = submitted(processor, "one").queue.new_crashes()
    delivery = next_of(crashes)
    blocked(processor)
    began = time.monotonic()
    with pytest.raises(CrashQueueError, match="submit 'two': RabbitMQ takes no messages now: low on memory"):
        processor.queue.submit("two")
    assert time.monotonic() - began < 5
    processor.queue.ack(delivery)
    until(lambda: processor.queue.depths().queues["normal"].in_flight == 0)
    unblocked(processor)
    until(lambda: processor.queue.submit("three") is None)


def test_nothing_is_published_to_a_broker_low_on_memory_which_would_then_read_no_acks_either(broker, processor):
    """RabbitMQ stops reading from a connection that publishes while memory is low."""
    hearing = broker.start()
    for each in (processor, hearing):
        assert each.take() is None
        assert each.queue.take_outcomes() == []
    heard: list[Outcomes] = []

    def is_heard(saved: int) -> bool:
        processor.queue.tell_outcomes(Outcomes(saved=saved))
        heard.extend(hearing.queue.take_outcomes())
        return Outcomes(saved=saved) in heard

    until(lambda: is_heard(1))
    blocked(processor)
    until(lambda: "takes no messages now" in why_it_cannot_submit(processor))
    processor.queue.tell_outcomes(Outcomes(saved=2))
    # Once these have passed, it has passed the thread of each connection.
    processor.queue.depths()
    assert "takes no messages now" in why_it_cannot_submit(processor)
    unblocked(processor)
    until(lambda: is_heard(3))
    assert Outcomes(saved=2) not in heard


def test_a_crash_that_cannot_be_given_to_a_delay_queue_is_tried_again_by_this_process(broker, processor):
    crashes = submitted(processor, "one").queue.new_crashes()
    delivery = next_of(crashes)
    processor.queue.begin(delivery)
    blocked(processor)
    processor.queue.retry(delivery, "the reason", transient=False)
    assert processor.queue.depths().queues["normal"] == Depth(waiting=0, delayed=1, in_flight=0)
    assert next(crashes) is None
    again = next_of(crashes)
    assert (again.crash_id, again.attempt, again.retries) == ("one", 2, 1)
    processor.queue.ack(again)
    processor.queue.close()
    assert depth(broker) == Depth(0, 0, 0)


def test_a_crash_that_cannot_be_parked_comes_again(broker, processor):
    crashes = submitted(processor, "one").queue.new_crashes()
    delivery = next_of(crashes)
    blocked(processor)
    with pytest.raises(CrashQueueError, match="set aside 'one' as parked: RabbitMQ takes no messages now"):
        processor.queue.park(delivery, "the reason")
    assert next_of(crashes).crash_id == "one"


def test_a_parked_crash_that_cannot_be_put_back_stays_parked(processor):
    crashes = submitted(processor, "one").queue.new_crashes()
    processor.queue.park(next_of(crashes), "the reason")
    (kept,) = processor.queue.set_aside("parked")
    blocked(processor)
    with pytest.raises(CrashQueueError, match="requeue 'one': RabbitMQ takes no messages now"):
        processor.queue.requeue(kept)
    assert list(processor.queue.set_aside("parked")) == [kept]
    assert processor.queue.depths().parked == 1
    unblocked(processor)
    until(lambda: processor.queue.requeue(kept))
    assert next_of(crashes).crash_id == "one"


# Queues that go away


def test_a_queue_that_was_deleted_is_made_and_consumed_again(broker, processor):
    crashes = processor.queue.new_crashes()
    assert next(crashes) is None
    for queue in broker.queues.origins.values():
        broker.delete(queue)
    until(lambda: broker.exists(broker.queues.origins["normal"]))
    submitted(broker.start(), "one")
    assert next_of(crashes).crash_id == "one"


def test_crashes_that_are_delayed_while_their_queue_is_deleted_are_not_lost(broker, processor):
    crashes = submitted(processor, "one", "two").queue.new_crashes()
    for delivery in [next_of(crashes), next_of(crashes)]:
        processor.queue.retry(delivery, "the reason", transient=True)
    broker.delete(broker.queues.origins["normal"])
    assert {next_of(crashes).crash_id, next_of(crashes).crash_id} == {"one", "two"}


def test_queues_that_were_deleted_are_made_again_when_they_are_needed(broker, processor):
    crashes = submitted(processor, "one", "two").queue.new_crashes()
    first, second = next_of(crashes), next_of(crashes)
    for queue in broker.queues.arguments:
        if queue not in broker.queues.origins.values():
            broker.delete(queue)
    processor.queue.park(first, "the reason")
    processor.queue.retry(second, "the reason", transient=True)
    assert processor.queue.depths().parked == 1
    assert next_of(crashes).crash_id == "two"
