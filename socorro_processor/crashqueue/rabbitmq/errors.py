"""Describe errors of RabbitMQ and its client, and say what an operator can do."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

from pika import exceptions

from socorro_processor.errors import CrashQueueError

REMEDIES_BY_REPLY = {
    403: "this user needs the permissions configure, write and read on the queues (rabbitmqctl set_permissions)",
    404: "it was deleted: `socorro setup` creates it again, and so does a processor",
    405: "another process uses it exclusively: try again once that has ended",
    406: (
        "a queue exists with other arguments than this configuration gives it: set queue_type (quorum, classic)"
        " or maximum_rejected to the queue's, or delete the queue once it is empty, and it is created again"
    ),
    530: "resource.rabbitmq.virtual_host must exist, and secrets.rabbitmq.rabbitmq_user be allowed to use it",
}
CREDENTIALS = "check secrets.rabbitmq.rabbitmq_user and secrets.rabbitmq.rabbitmq_password"
DELIVERY_TIMEOUT = "delivery acknowledgement on channel"


def describe_error(error: BaseException) -> str:
    """Return one line: what went wrong, and what to do. It has no secrets, because the client's errors have none."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, exceptions.ProbableAuthenticationError | exceptions.AuthenticationError):
            return f"it refuses the user or the password: {CREDENTIALS}"
        if isinstance(cause, exceptions.ProbableAccessDeniedError):
            return f"it refuses the virtual host: {REMEDIES_BY_REPLY[530]}"
    for cause in causes:
        if isinstance(cause, exceptions.ConnectionClosedByBroker | exceptions.ChannelClosedByBroker):
            return _of_reply(cause.reply_code, cause.reply_text)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message}): check tls_ca_file and host"
        if isinstance(cause, ssl.SSLError):
            return (
                f"no TLS connection ({cause.reason or cause}):"
                " check port, tls, and whether it wants a certificate from clients"
            )
        if isinstance(cause, exceptions.AMQPHeartbeatTimeout):
            return "it sent no heartbeat"
        if isinstance(cause, CrashQueueError):
            return str(cause)
        if isinstance(cause, OSError) and cause.strerror:
            return f"{cause.strerror}: check whether it runs, resource.rabbitmq.host and resource.rabbitmq.port"
    for cause in causes:
        if isinstance(cause, exceptions.StreamLostError):
            return "the connection was lost"
    return f"{type(error).__name__} {error}".strip()


def _of_reply(code: int, text: str) -> str:
    remedy = REMEDIES_BY_REPLY.get(code, "")
    if code == 406 and DELIVERY_TIMEOUT in text:
        remedy = "its consumer_timeout must be longer than the longest crash takes"
    elif code == 403 and "Login was refused" in text:
        remedy = CREDENTIALS
    # The broker quotes only arguments from this program. It does not promise to answer in one line.
    text = re.sub(r"\s+", " ", text)
    return f"{text} ({code}): {remedy}" if remedy else f"{text} ({code})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all errors in it: the client wraps the real one several times."""
    yield error
    wrapped = [
        *getattr(error, "exceptions", ()),
        getattr(error, "exception", None),
        *error.args,
        error.__cause__,
    ]
    for inner in wrapped:
        if isinstance(inner, BaseException) and inner is not error:
            yield from _causes(inner)
