"""A connection to RabbitMQ that a thread of its own opens, looks after and opens again.

The thread does nothing but wait for the socket, so that heartbeats go on whatever else the process
does, and nothing that the broker leaves unanswered can stop it. All that is said to the broker is
said in this thread: other threads hand it over (``post``, ``call``).
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import pika
from pika.channel import Channel

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.rabbitmq.errors import in_words
from socorro_processor.errors import ConfigurationError, CrashQueueError

LONGEST_BACKOFF = 5.0
CLOSE_TIMEOUT = 5.0
"""Seconds that a broker has to answer when it is told goodbye."""

T = TypeVar("T")

logger = logging.getLogger(__name__)
# The client logs each failure several times over, as errors with tracebacks. They are told here, once.
logging.getLogger("pika").setLevel(logging.CRITICAL)


def connection_parameters(config: DotDict, purpose: str) -> pika.ConnectionParameters:
    """Return where to connect to, and as whom."""
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


def place_of(config: DotDict) -> str:
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


class BrokerConnection:
    """One connection, from ``start`` to ``close``; lost ones are replaced, for ever, with backoff and jitter.

    ``opened`` is called in the connection's thread when there is a new one. It opens what it needs and
    ends with ``ready``, or with ``fail``. ``lost`` is called there whenever a connection, or an attempt
    at one, has come to its end, with the reason: all that was on it is void.
    """

    def __init__(
        self, config: DotDict, purpose: str, *, opened: Callable[[], None], lost: Callable[[str], None]
    ) -> None:
        """``purpose`` is for those who read the log or the broker's list of connections."""
        self._parameters = connection_parameters(config, purpose)
        self._timeout: float = config.timeout
        self._purpose = purpose
        self._opened = opened
        self._lost = lost
        self._place = place_of(config)
        self._condition = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Any = None
        self._ready = False
        self._error: BaseException | None = None
        self._reason = ""
        self._failed_attempts = 0
        self._failures_in_a_row = 0
        self._calls: set[Future[Any]] = set()

    # From any thread

    def start(self) -> None:
        """Connect; a second start does nothing."""
        with self._condition:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="rabbitmq", daemon=True)
                self._thread.start()

    def post(self, action: Callable[[], None]) -> bool:
        """Do this in the connection's thread, soon, if it is not being closed then; False where there is none."""
        with self._condition:
            if self._ready:
                self._connection.ioloop.add_callback_threadsafe(self._unless_closing(action))
            return self._ready

    def call(self, action: Callable[[Future[T]], None], doing: str) -> T:
        """Do this in the connection's thread, and wait until it has given the future its result.

        Waits for a connection that is being made, but not for a second attempt. Raises CrashQueueError.
        """
        future: Future[T] = Future()
        self._wait_until_ready(doing)
        with self._condition:
            self._calls.add(future)
        try:
            if not self.post(lambda: self._begin(action, future)):
                raise CrashQueueError(f"cannot {doing}: {self._place}: the connection was lost")
            try:
                return future.result(self._timeout)
            except TimeoutError:
                if future.cancel():
                    raise CrashQueueError(
                        f"cannot {doing}: {self._place} did not answer in {self._timeout:g} s"
                    ) from None
                return future.result()
            except CrashQueueError as error:
                raise CrashQueueError(f"cannot {doing}: {error}") from error
        finally:
            with self._condition:
                self._calls.discard(future)

    def unavailable(self) -> str:
        """Return why there is no connection at this time; empty if there is one."""
        with self._condition:
            return "" if self._ready else self._reason or f"{self._place}: no connection yet"

    def close(self) -> None:
        """Say goodbye, after all that was posted before; wait for the thread's end, but not for long."""
        with self._condition:
            self._closing.set()
            self._condition.notify_all()
            if self._connection is not None:
                self._connection.ioloop.add_callback_threadsafe(self._say_goodbye)
        if self._thread is not None:
            self._thread.join(2 * CLOSE_TIMEOUT)

    # In the connection's thread

    @property
    def is_open(self) -> bool:
        """True if channels can be opened."""
        return self._connection is not None and bool(self._connection.is_open)

    def ready(self) -> None:
        """Note that what was opened can be used."""
        with self._condition:
            self._ready = True
            self._condition.notify_all()
        if self._failures_in_a_row:
            logger.info("%s answers again, for %s", self._place, self._purpose)
            self._failures_in_a_row = 0

    def fail(self, error: BaseException) -> None:
        """Give this connection up and make another one."""
        self._error = self._error or error
        if self._connection.is_open:
            self._connection.close()

    def open_channel(self, opened: Callable[[Channel], None], closed: Callable[[BaseException], None]) -> None:
        """Open a channel. ``closed`` is called once it is no more, whoever closed it."""

        def prepared(channel: Channel) -> None:
            channel.add_on_close_callback(lambda _, reason: closed(reason))
            self._unless_closing(lambda: opened(channel))()

        self._connection.channel(on_open_callback=prepared)

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do this after a time, if this connection is still there and is not being closed then."""
        self._connection.ioloop.call_later(seconds, self._unless_closing(action))

    def on_blocked(self, blocked: Callable[[str], None], unblocked: Callable[[], None]) -> None:
        """Call these when the broker takes no more messages, and when it takes them again."""
        self._connection.add_on_connection_blocked_callback(lambda _, frame: blocked(frame.method.reason))
        self._connection.add_on_connection_unblocked_callback(lambda *_: unblocked())

    def _unless_closing(self, action: Callable[[], None]) -> Callable[[], None]:
        """Leave out the action while the connection is closing: the loop goes on, but the client refuses them."""

        def act() -> None:
            if self.is_open:
                action()

        return act

    def _wait_until_ready(self, doing: str) -> None:
        self.start()
        with self._condition:
            seen = self._failed_attempts
            self._condition.wait_for(
                lambda: self._ready or self._closing.is_set() or self._failed_attempts > seen, self._timeout
            )
            if self._closing.is_set():
                raise CrashQueueError(f"cannot {doing}: the queue is closed")
            if not self._ready:
                reason = self._reason or f"{self._place}: no connection in {self._timeout:g} s"
                raise CrashQueueError(f"cannot {doing}: {reason}")

    def _begin(self, action: Callable[[Future[T]], None], future: Future[T]) -> None:
        try:
            action(future)
        except (pika.exceptions.AMQPError, pika.exceptions.ChannelError) as error:
            future.set_exception(CrashQueueError(f"{self._place}: {in_words(error)}"))

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._connect()
                if self._connection is not None:
                    self._connection.ioloop.start()
            except Exception as error:
                self._error = error
                # Else not even the client's part of it could be made: this machine lacks descriptors or memory.
                if self._connection is not None:
                    # A bug of the client or of ours: the next connection begins anew.
                    logger.exception("%s: the connection is given up", self._place)
                    self._leave_the_loop_in_time()
            self._end()
            jitter = random.uniform(0.5, 1.0)  # no secret  # nosec B311
            self._closing.wait(jitter * min(LONGEST_BACKOFF, 0.1 * 2**self._failures_in_a_row))

    def _connect(self) -> None:
        with self._condition:
            self._error = None
            if self._closing.is_set():
                return
            self._connection = pika.SelectConnection(
                self._parameters,
                on_open_callback=self._on_open,
                on_open_error_callback=self._ended,
                on_close_callback=self._ended,
            )

    def _on_open(self, connection: Any) -> None:
        if self._closing.is_set():
            connection.close()
        else:
            self._opened()

    def _ended(self, connection: Any, error: BaseException) -> None:
        self._error = self._error or error
        connection.ioloop.stop()

    def _say_goodbye(self) -> None:
        # In the midst of the client's handshake a close is an error to it: then, once that is over.
        if self._connection.is_open:
            self._connection.close()
        self._connection.ioloop.call_later(CLOSE_TIMEOUT, self._connection.ioloop.stop)

    def _leave_the_loop_in_time(self) -> None:
        if self._connection.is_closed:
            return
        try:
            self._say_goodbye()
            self._connection.ioloop.start()
        except Exception:
            logger.debug("%s: no clean end of the connection", self._place, exc_info=True)

    def _end(self) -> None:
        """Note that the connection is no more, or never was."""
        error = self._error or CrashQueueError("the connection was closed")
        reason = f"{self._place}: {in_words(error)}"
        if not self._closing.is_set():
            if not self._failures_in_a_row:
                logger.error("no connection for %s, it is made again as soon as it can be: %s", self._purpose, reason)
            self._failures_in_a_row = min(self._failures_in_a_row + 1, 10)
        with self._condition:
            self._ready = False
            if self._connection is not None:
                self._connection.ioloop.close()
                self._connection = None
            self._reason = reason
            self._failed_attempts += 1
            calls = set(self._calls)
            self._condition.notify_all()
        for call in calls:
            if not call.done():
                call.set_exception(CrashQueueError(reason))
        self._lost(reason)
