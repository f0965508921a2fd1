"""`socorro setup` makes the RabbitMQ queue, and `socorro doctor` says what is wrong with it."""

from __future__ import annotations

import json
import logging
import uuid

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import Configuration, Source, as_ini, class_name
from socorro_processor.configuration.sources import SourcedValue
from socorro_processor.crashqueue.base import Depth
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from socorro_processor.errors import ConfigurationError, CrashQueueError
from tests.integration.rabbitmq_broker import Broker


def test_setup_makes_every_queue_and_may_be_run_again(broker):
    queue = broker.start().queue
    queue.setup()
    broker.delete(broker.queues.suspect)
    queue.setup()
    broker.start().queue.setup()
    assert all(broker.exists(name) for name in broker.queues.arguments)
    # Three for crashes, one each for suspects, parked and rejected ones, and five delays for four of these queues.
    assert len(broker.queues.arguments) == 3 + 3 + 4 * 5
    queue.check()


def test_a_setup_loses_no_crash(broker):
    queue = broker.start().queue
    queue.submit("one")
    queue.setup()
    assert queue.depths().queues["normal"] == Depth(1, 0, 0)


def test_a_check_names_what_is_missing_and_makes_nothing(broker):
    with pytest.raises(CrashQueueError, match=r"queues are missing: 26, such as \S+: run `socorro setup`"):
        broker.start().queue.check()
    assert not any(broker.exists(name) for name in broker.queues.arguments)


def test_a_queue_with_other_arguments_is_named_with_what_to_do(broker):
    normal = broker.queues.origins["normal"]
    # As a collector of 2016 declares it.
    broker.channel.queue_declare(normal, durable=True)
    queue = broker.start().queue
    expected = rf"PRECONDITION_FAILED.*'{normal}'.*set queue_type \(quorum, classic\)"
    for action in (queue.setup, queue.depths):
        with pytest.raises(CrashQueueError, match=expected):
            action()
    for name in broker.queues.arguments.keys() - {normal}:
        broker.channel.queue_declare(name, durable=True, arguments=broker.queues.arguments[name])
    with pytest.raises(CrashQueueError, match=expected):
        queue.check()


def test_queues_as_a_collector_of_2016_makes_them_are_used_as_classic_ones_with_a_warning(
    broker, caplog, capsys, tmp_path
):
    for name in broker.queues.origins.values():
        broker.channel.queue_declare(name, durable=True)
    processor = broker.start(**{"resource.rabbitmq.queue_type": "classic"})
    processor.queue.submit("one")
    delivery = processor.take()
    assert delivery is not None
    with caplog.at_level(logging.WARNING):
        processor.queue.check()
    assert "classic queues do not count deliveries" in caplog.text
    # Only this queue exists: the doctor ends with 1, and warns of this queue although it works.
    options = broker.addresses | {
        "resource.rabbitmq.queue_type": "classic",
        "new_crash_source.new_crash_source_class": class_name(RabbitMQCrashQueue),
        "resource.filesystem.root": str(tmp_path / "crashes"),
    }
    main(["doctor", "--json", *(f"--{key}={value}" for key, value in options.items())], environ={})
    found, *_ = json.loads(capsys.readouterr().out)
    assert (found["part"], found["problem"]) == ("new_crash_source", "")
    assert "classic queues do not count deliveries" in found["warnings"][0]
    for _ in range(3):
        processor.queue.release(delivery)
        delivery = processor.take()
        assert delivery is not None
        assert not delivery.suspect
    processor.queue.park(delivery, "the reason")
    assert [crash.crash_id for crash in processor.queue.set_aside("parked")] == ["one"]


def test_a_wrong_password_is_reported_without_showing_it(broker):
    queue = broker.start(**{"secrets.rabbitmq.rabbitmq_password": "not the password"}).queue
    for action in (queue.check, queue.depths, lambda: queue.submit("one")):
        with pytest.raises(CrashQueueError, match=r"check secrets\.rabbitmq\.rabbitmq_user") as error:
            action()
        assert "not the password" not in str(error.value)


def test_a_virtual_host_that_is_not_there_is_reported(broker):
    queue = broker.start(**{"resource.rabbitmq.virtual_host": f"none-{uuid.uuid4().hex}"}).queue
    for action in (queue.check, queue.depths):
        with pytest.raises(CrashQueueError, match=r"resource\.rabbitmq\.virtual_host must exist"):
            action()


def test_a_host_that_has_no_address_is_reported(broker):
    queue = broker.start(**{"resource.rabbitmq.host": "no-such-host.invalid"}).queue
    for action in (queue.check, queue.depths):
        with pytest.raises(CrashQueueError, match=r"no-such-host\.invalid.*check whether it runs, resource"):
            action()


def test_two_installations_with_queue_names_of_their_own_share_no_queue():
    stage, production = (Broker(**{"resource.rabbitmq.standard_queue_name": name}) for name in ("stage", "production"))
    own = [set(broker.queues.arguments) - set(broker.queues.origins.values()) for broker in (stage, production)]
    assert not {name for name in own[0] & own[1] if ".priority." not in name and ".reprocessing." not in name}
    for broker in (stage, production):
        broker.connection.close()


def test_the_password_is_masked_where_the_configuration_is_printed():
    configuration = Configuration(
        RabbitMQCrashQueue.get_required_config(), [Source({"secrets.rabbitmq.rabbitmq_password": "secret words"})]
    )
    assert "secret words" not in as_ini(configuration)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("resource.rabbitmq.queue_type", "stream"),
        ("prefetch", "0"),
        ("resource.rabbitmq.timeout", "0"),
        ("resource.rabbitmq.heartbeat", "-1"),
        ("retry_delays", "5, 1"),
    ],
)
def test_nonsensical_options_are_refused(option, value):
    with pytest.raises(ConfigurationError):
        Configuration(RabbitMQCrashQueue.get_required_config(), [Source({option: SourcedValue(value, "a test")})])
