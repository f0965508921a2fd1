"""The parameters of a connection to RabbitMQ: address, login and TLS."""

from __future__ import annotations

import socket
import ssl
from functools import partial

import pika

from socorro_processor.configuration import DotDict, Namespace, Seconds, WholeNumber
from socorro_processor.errors import ConfigurationError


def connection_options() -> Namespace:
    options = Namespace()
    add = partial(options.add_option, reference_value_from="resource.rabbitmq")
    add_secret = partial(options.add_option, reference_value_from="secrets.rabbitmq")
    add("host", "localhost", "the broker's host")
    add("port", 5672, "the broker's port; with tls it is usually 5671", WholeNumber(1, 65535))
    add("virtual_host", "/", "the virtual host of the queues")
    add_secret("rabbitmq_user", "guest", "the user to log in as")
    add_secret("rabbitmq_password", "guest", "the user's password", secret=True)
    add(
        "timeout",
        10.0,
        "seconds that the broker has to accept a connection, to answer, or to confirm",
        Seconds(above=True),
    )
    add("heartbeat", 30, "seconds after which a silent connection counts as lost", WholeNumber(1, 3600))
    add("tls", False, "whether to connect with TLS")
    add(
        "tls_ca_file",
        "",
        "PEM file of the authorities that may sign the broker's certificate (empty: the system's)",
    )
    add("tls_certificate_file", "", "PEM file of the client certificate for the broker (empty: none)")
    add("tls_key_file", "", "PEM file of the key of tls_certificate_file (empty: it is in the same file)")
    add(
        "tls_verify",
        True,
        "whether to check that the broker's certificate is trusted and names its host; false only for tests",
    )
    return options


def connection_parameters(config: DotDict, purpose: str) -> pika.ConnectionParameters:
    """Return the client's parameters. ``purpose`` is part of the connection's name at the broker."""
    return pika.ConnectionParameters(
        host=config.host,
        port=config.port,
        virtual_host=config.virtual_host,
        credentials=pika.PlainCredentials(config.rabbitmq_user, config.rabbitmq_password),
        heartbeat=config.heartbeat,
        socket_timeout=config.timeout,
        stack_timeout=config.timeout,
        ssl_options=_ssl_options(config) if config.tls else None,
        client_properties={"connection_name": f"socorro-processor, {purpose}, {socket.gethostname()}"},
    )


def broker_address(config: DotDict) -> str:
    """Return the broker's address, for messages."""
    return f"RabbitMQ at {config.host}:{config.port}{config.virtual_host}"


def _ssl_options(config: DotDict) -> pika.SSLOptions:
    try:
        context = ssl.create_default_context(cafile=config.tls_ca_file or None)
        if config.tls_certificate_file:
            context.load_cert_chain(config.tls_certificate_file, config.tls_key_file or None)
    except OSError as error:
        raise ConfigurationError(
            f"tls_ca_file {config.tls_ca_file!r}, tls_certificate_file {config.tls_certificate_file!r},"
            f" tls_key_file {config.tls_key_file!r}: {error}"
        ) from error
    if not config.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return pika.SSLOptions(context, config.host)
