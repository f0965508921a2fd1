"""``socorro queue`` and ``socorro reprocess``, over RabbitMQ."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from tests.integration.rabbitmq_broker import Broker, Processor
from tests.ports import free_port
from tests.system.daemon import eventually, variables
from tests.system.embedded import EmbeddedInstallation, embedded_installation

LARGE, SLOW = new_crash_id(), new_crash_id()

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def processor(broker: Broker) -> Processor:
    """A processor that has parked two crashes and rejected one."""
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
    environment = variables(broker.addresses)
    environment["SOCORRO__NEW_CRASH_SOURCE__NEW_CRASH_SOURCE_CLASS"] = class_name(RabbitMQCrashQueue)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments), environ=environment)
        return code, capsys.readouterr().out

    return run


def test_the_status_counts_what_was_set_aside(socorro):
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


def test_the_chosen_crashes_are_put_back_and_the_others_stay(socorro, processor):
    assert socorro("queue", "requeue", "--reason=timed out") == (0, "1 parked crash was put back\n")
    delivery = processor.take()
    assert (delivery.crash_id, delivery.queue, delivery.attempt) == (SLOW, "priority", 1)
    assert processor.queue.depths().parked == 1


def test_all_crashes_are_put_back_on_request(socorro, processor):
    assert socorro("queue", "requeue", "--all") == (0, "2 parked crashes were put back\n")
    assert {delivery.crash_id for delivery in processor.take_all()} == {LARGE, SLOW}
    assert socorro("queue", "requeue", "--all", "--rejected") == (0, "1 rejected crash was put back\n")
    assert [delivery.crash_id for delivery in processor.take_all()] == ["no id"]


def test_a_dry_run_puts_nothing_back(socorro, processor):
    assert socorro("queue", "requeue", "--all", "--dry-run") == (0, "2 parked crashes would be put back\n")
    assert processor.take() is None
    assert processor.queue.depths().parked == 2


def test_a_crash_is_submitted_for_reprocessing(socorro, processor):
    assert socorro("reprocess", LARGE)[0] == 0
    assert processor.take().queue == "reprocessing"


# An outage


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[EmbeddedInstallation]:
    """An installation whose daemon cannot reach PostgreSQL."""
    with embedded_installation("rabbitmq", tmp_path, retry_delays="0.2") as installation:
        installation.plug_in("own_rules", RULE)
        installation.use_rule("own_rules.Nothing")
        installation.set("destination.crashstorage_class", class_name(PostgreSQLCrashStorage))
        installation.set("resource.postgresql.database_hostname", "127.0.0.1")
        installation.set("resource.postgresql.database_port", str(free_port()))
        yield installation


RULE = """
from socorro_processor.pipeline.rule import Rule


class Nothing(Rule):
    pass
"""


def test_three_crashes_at_a_processor_in_an_outage_are_listed_with_where_since_when_and_why(installation):
    daemon = installation.start("--health.port=0")
    crash_ids = {installation.submit_crash() for _ in range(3)}
    said: list[str] = []

    def are_told() -> bool:
        status = json.loads(said_by("--ids", "--json"))
        crashes = {crash["crash_id"]: crash for crash in status["crashes"]}
        normal = status["queues"]["normal"]
        # One crash at a time is tried; for a moment on its way there it is not counted anywhere.
        return (
            crashes.keys() == crash_ids
            and all("Connection refused" in crash["reason"] and crash["since"] for crash in crashes.values())
            and {crash["process"] for crash in crashes.values()} == {status["processes"][0]["process"]}
            and (normal["waiting"], normal["delayed"]) == (0, 0)
            and None not in (normal["in_flight"], normal["prefetched"])
            and normal["in_flight"] + normal["prefetched"] == 3
        )

    def said_by(*arguments: str) -> str:
        done = installation.socorro("queue", "status", *arguments)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
        return done.stdout

    eventually(are_told, lambda: f"{said[-1]}\n{daemon.log[-3000:]}")

    def are_shown() -> bool:
        shown = said_by("--ids")
        return (
            bool(re.search(r"^normal +0 +0 +0 +3$", shown, re.MULTILINE))
            and f", pid {daemon.process.pid}: normal 3 prefetched; takes no crashes now: " in shown
            and all(
                re.search(
                    rf"^{crash_id}  normal  .* prefetched; its last attempt failed: .*refused", shown, re.MULTILINE
                )
                for crash_id in crash_ids
            )
        )

    eventually(are_shown, lambda: said[-1])
    assert daemon.stop() == 0


def test_the_crashes_of_a_consumer_that_does_not_answer_are_unknown(socorro, broker, processor):
    other = pika.BlockingConnection(broker.parameters)
    other.channel().basic_consume(broker.queues.origins["priority"], lambda *_: None)
    processor.queue.submit(LARGE, "priority")
    processor.queue.submit(SLOW)
    other.process_data_events(0)
    processor.queue.begin(next(filter(None, iter(processor.take, ""))))

    def is_told() -> bool:
        status = json.loads(socorro("queue", "status", "--json")[1])
        return status["silent_consumers"] == {"priority": 1} and status["queues"]["normal"]["in_flight"] is not None

    eventually(is_told)
    code, out = socorro("queue", "status")
    lines = out.splitlines()
    assert code == 0
    assert [each for each in lines[1].split() if "?" in each] != []
    assert "?" not in lines[2]
    assert "consumers that did not answer (?): priority 1; " in out
    status = json.loads(socorro("queue", "status", "--json")[1])
    assert status["queues"]["priority"]["in_flight"] is status["queues"]["priority"]["prefetched"] is None
    other.close()


def test_if_a_consumer_does_not_answer_the_crashes_of_the_others_are_a_lower_bound(socorro, broker, processor):
    processor.queue.submit(LARGE, "priority")
    processor.queue.begin(processor.take())
    other = pika.BlockingConnection(broker.parameters)
    other.channel().basic_consume(broker.queues.origins["priority"], lambda *_: None)
    eventually(
        lambda: socorro("queue", "status")[1].splitlines()[1].split() == ["priority", "0", "0", "1+?", "?"],
        lambda: socorro("queue", "status")[1],
    )
    other.close()


def test_the_ids_of_what_is_in_flight_cannot_paint_the_terminal(socorro, processor):
    processor.queue.submit("\x1b[31mred\n")
    processor.queue.begin(processor.take())
    eventually(lambda: r"\x1b[31mred\n" in socorro("queue", "status", "--ids")[1])
    assert "\x1b" not in socorro("queue", "status", "--ids")[1]
