"""Errors of RabbitMQ and its client, in words that tell an operator what to do."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

from pika import exceptions

from socorro_processor.errors import CrashQueueError

REMEDIES_BY_REPLY = {
    403: "this user needs the permissions configure, write and read on the queues (rabbitmqctl set_permissions)",
    404: "it was deleted: `socorro setup` makes it again, and so does a processor",
    405: "another process has it for itself: try again once that has ended",
    406: (
        "a queue exists with other arguments than this configuration gives it: set queue_type (quorum, classic)"
        " or maximum_rejected to what it was made with, or delete it once it is empty, and it is made anew"
    ),
    530: "resource.rabbitmq.virtual_host must exist, and secrets.rabbitmq.rabbitmq_user be allowed to use it",
}
CREDENTIALS = "check secrets.rabbitmq.rabbitmq_user and secrets.rabbitmq.rabbitmq_password"
DELIVERY_TIMEOUT = "delivery acknowledgement on channel"


def in_words(error: BaseException) -> str:
    """Return a line: what went wrong, and what to do. No secret is in it: the client puts none into its errors."""
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
            return f"no TLS connection ({cause.reason or cause}): check port and tls, and what clients must show"
        if isinstance(cause, exceptions.AMQPHeartbeatTimeout):
            return "it fell silent"
        if isinstance(cause, CrashQueueError):
            return str(cause)
        if isinstance(cause, OSError) and cause.strerror:
            return f"{cause.strerror}: check whether it runs, and resource.rabbitmq.host and port"
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
    # What a broker quotes of the arguments is ours; its texts are one line, but that is not promised.
    text = re.sub(r"\s+", " ", text)
    return f"{text} ({code}): {remedy}" if remedy else f"{text} ({code})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, and those that it was made of: the client wraps the real one several times."""
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
