"""Check that the broker has everything that the crash queue needs."""

from __future__ import annotations

import logging
from contextlib import suppress

import pika
from pika import exceptions

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.rabbitmq.errors import describe_error
from socorro_processor.crashqueue.rabbitmq.parameters import broker_address, connection_parameters
from socorro_processor.crashqueue.rabbitmq.queues import BrokerQueues
from socorro_processor.errors import CrashQueueError

NOT_FOUND = 404
NO_QUEUE = "socorro-processor, checking"

logger = logging.getLogger(__name__)


def check_broker(config: DotDict, queues: BrokerQueues) -> None:
    """Connect, look at each queue, and have a message confirmed that no queue takes; create nothing.

    Raises CrashQueueError, saying what is wrong. Weaknesses are logged as warnings.
    """
    parameters = connection_parameters(config, "checking")
    parameters.blocked_connection_timeout = config.timeout
    place = broker_address(config)
    try:
        connection = pika.BlockingConnection(parameters)
        try:
            _check_queues(connection, queues)
            _check_confirm(connection)
        finally:
            with suppress(exceptions.AMQPError):
                connection.close()
    except exceptions.ConnectionBlockedTimeout as error:
        raise CrashQueueError(
            f"{place} takes no messages: it is low on memory or disk (see `rabbitmq-diagnostics alarms`)"
        ) from error
    except (exceptions.AMQPError, OSError) as error:
        raise CrashQueueError(f"{place}: {describe_error(error)}") from error
    if config.queue_type == "classic":
        logger.warning(
            "%s: classic queues do not count deliveries: a crash that kills its processors is never processed alone,"
            " and never parked (set queue_type to quorum)",
            place,
        )


def _check_queues(connection: pika.BlockingConnection, queues: BrokerQueues) -> None:
    missing = []
    for name, arguments in queues.arguments.items():
        channel = connection.channel()
        try:
            channel.queue_declare(name, passive=True)
        except exceptions.ChannelClosedByBroker as error:
            if error.reply_code != NOT_FOUND:
                raise
            missing.append(name)
        else:
            # The queue exists, so this creates nothing: the broker only compares the arguments.
            channel.queue_declare(name, durable=True, arguments=arguments)
            channel.close()
    if missing:
        raise CrashQueueError(f"queues are missing: {len(missing)}, such as {missing[0]}: run `socorro setup`")


def _check_confirm(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.confirm_delivery()
    # The broker also confirms a message that no queue takes.
    with suppress(exceptions.UnroutableError):
        channel.basic_publish("", NO_QUEUE, b"", mandatory=True)
