"""A connection to RabbitMQ, opened, kept and reopened by its own thread.

The thread does nothing but wait for the socket: heartbeats go on whatever else the process does, and a silent broker
cannot block it. Only this thread talks to the broker; other threads hand it their calls (``post``, ``call``).
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import pika
from pika.channel import Channel

from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.rabbitmq.errors import describe_error
from socorro_processor.crashqueue.rabbitmq.parameters import broker_address, connection_parameters
from socorro_processor.errors import CrashQueueError

LONGEST_BACKOFF = 5.0  # seconds
CLOSE_TIMEOUT = 5.0
"""Seconds that the broker has to answer a close."""

T = TypeVar("T")

logger = logging.getLogger(__name__)
# The client logs each failure several times, as errors with tracebacks. This module logs it once.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class BrokerConnection:
    """Keeps a connection from ``start`` to ``close``: a lost one is replaced, as often as it takes, with backoff.

    Both callbacks run in the connection's thread. ``on_opened`` is called for each new connection: it opens what it
    needs, then calls ``set_ready`` or ``fail``. ``on_lost`` is called, with the reason, whenever a connection or an
    attempt to connect has ended: nothing that was opened on it can be used any more.
    """

    def __init__(
        self, config: DotDict, purpose: str, *, on_opened: Callable[[], None], on_lost: Callable[[str], None]
    ) -> None:
        """``purpose`` names the connection in the log and in the broker's list of connections."""
        self._parameters = connection_parameters(config, purpose)
        self._timeout: float = config.timeout
        self._purpose = purpose
        self._on_opened = on_opened
        self._on_lost = on_lost
        self._place = broker_address(config)
        self._condition = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Any = None
        self._is_ready = False
        self._error: BaseException | None = None
        self._reason = ""
        self._failed_attempts = 0
        self._failures_in_a_row = 0
        self._calls: set[Future[Any]] = set()

    # From any thread

    def start(self) -> None:
        """Connect; a second start does nothing. Raises CrashQueueError if the machine has no thread left for it."""
        with self._condition:
            if self._thread is None and not self._closing.is_set():
                thread = threading.Thread(target=self._run, name="rabbitmq", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    raise CrashQueueError(f"{self._place}: {error}") from error
                self._thread = thread

    def post(self, action: Callable[[], None]) -> bool:
        """Run ``action`` soon in the connection's thread, unless the connection is closing by then.

        Return False if there is no connection.
        """
        with self._condition:
            if self._is_ready:
                self._connection.ioloop.add_callback_threadsafe(self._unless_closing(action))
            return self._is_ready

    def call(self, action: Callable[[Future[T]], None], doing: str) -> T:
        """Run ``action`` in the connection's thread, and return the result that it sets in the future.

        Waits for an attempt to connect that is under way, but not for a second one. Raises CrashQueueError.
        """
        future: Future[T] = Future()
        self._wait_until_ready(doing)
        with self._condition:
            self._calls.add(future)
        try:
            if not self.post(lambda: self._begin_call(action, future)):
                raise CrashQueueError(f"cannot {doing}: {self._place}: the connection was lost")
            try:
                return future.result(self._timeout)
            except TimeoutError:
                if future.cancel():
                    raise CrashQueueError(
                        f"cannot {doing}: {self._place} did not answer within {self._timeout:g} s"
                    ) from None
                return future.result()
            except CrashQueueError as error:
                raise CrashQueueError(f"cannot {doing}: {error}") from error
        finally:
            with self._condition:
                self._calls.discard(future)

    def unavailable(self) -> str:
        """Return why there is no connection now; empty if there is one."""
        with self._condition:
            return "" if self._is_ready else self._reason or f"{self._place}: no connection yet"

    def close(self) -> None:
        """Close the connection after everything posted before. Wait for the thread, but not for long."""
        with self._condition:
            self._closing.set()
            self._condition.notify_all()
            if self._connection is not None:
                self._connection.ioloop.add_callback_threadsafe(self._close_connection)
        if self._thread is not None:
            self._thread.join(2 * CLOSE_TIMEOUT)

    # In the connection's thread

    @property
    def is_open(self) -> bool:
        """True if channels can be opened."""
        return self._connection is not None and bool(self._connection.is_open)

    def set_ready(self) -> None:
        """Note that the connection, and what was opened on it, can be used."""
        with self._condition:
            self._is_ready = True
            self._condition.notify_all()
        if self._failures_in_a_row:
            logger.info("connected to %s again, for %s", self._place, self._purpose)
            self._failures_in_a_row = 0

    def fail(self, error: BaseException) -> None:
        """Give up this connection and open another one."""
        self._error = self._error or error
        if self._connection.is_open:
            self._connection.close()

    def open_channel(self, opened: Callable[[Channel], None], closed: Callable[[BaseException], None]) -> None:
        """Open a channel. ``closed`` is called once the channel is closed, by either side."""

        def on_open(channel: Channel) -> None:
            channel.add_on_close_callback(lambda _, reason: closed(reason))
            self._unless_closing(lambda: opened(channel))()

        self._connection.channel(on_open_callback=on_open)

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Run ``action`` after ``seconds``, unless this connection is closed or closing by then."""
        self._connection.ioloop.call_later(seconds, self._unless_closing(action))

    def on_blocked(self, blocked: Callable[[str], None], unblocked: Callable[[], None]) -> None:
        """Call ``blocked`` when the broker stops taking messages, and ``unblocked`` when it takes them again."""
        self._connection.add_on_connection_blocked_callback(lambda _, frame: blocked(frame.method.reason))
        self._connection.add_on_connection_unblocked_callback(lambda *_: unblocked())

    def _unless_closing(self, action: Callable[[], None]) -> Callable[[], None]:
        """Return an action that does nothing once the connection is closing.

        The loop still runs then, but the client refuses calls.
        """

        def act() -> None:
            if self.is_open:
                action()

        return act

    def _wait_until_ready(self, doing: str) -> None:
        self.start()
        with self._condition:
            seen = self._failed_attempts
            self._condition.wait_for(
                lambda: self._is_ready or self._closing.is_set() or self._failed_attempts > seen, self._timeout
            )
            if self._closing.is_set():
                raise CrashQueueError(f"cannot {doing}: the queue is closed")
            if not self._is_ready:
                reason = self._reason or f"{self._place}: no connection within {self._timeout:g} s"
                raise CrashQueueError(f"cannot {doing}: {reason}")

    def _begin_call(self, action: Callable[[Future[T]], None], future: Future[T]) -> None:
        try:
            action(future)
        except (pika.exceptions.AMQPError, pika.exceptions.ChannelError) as error:
            future.set_exception(CrashQueueError(f"{self._place}: {describe_error(error)}"))

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._connect()
                if self._connection is not None:
                    self._connection.ioloop.start()
            except Exception as error:
                self._error = error
                # Without a connection object, this machine lacks descriptors or memory. With one, this is a bug, in
                # the client or here: start again with a new connection.
                if self._connection is not None:
                    logger.exception("%s: unexpected error, giving up this connection", self._place)
                    self._close_after_bug()
            self._note_end()
            jitter = random.uniform(0.5, 1.0)  # jitter needs no secure randomness  # nosec B311
            self._closing.wait(jitter * min(LONGEST_BACKOFF, 0.1 * 2**self._failures_in_a_row))

    def _connect(self) -> None:
        with self._condition:
            self._error = None
            if self._closing.is_set():
                return
            self._connection = pika.SelectConnection(
                self._parameters,
                on_open_callback=self._on_open,
                on_open_error_callback=self._on_closed,
                on_close_callback=self._on_closed,
            )

    def _on_open(self, connection: Any) -> None:
        if self._closing.is_set():
            connection.close()
        else:
            self._on_opened()

    def _on_closed(self, connection: Any, error: BaseException) -> None:
        self._error = self._error or error
        connection.ioloop.stop()

    def _close_connection(self) -> None:
        # The client raises if it is closed during its handshake: _on_open closes it after that.
        if self._connection.is_open:
            self._connection.close()
        self._connection.ioloop.call_later(CLOSE_TIMEOUT, self._connection.ioloop.stop)

    def _close_after_bug(self) -> None:
        if self._connection.is_closed:
            return
        try:
            self._close_connection()
            self._connection.ioloop.start()
        except Exception:
            logger.debug("%s: the connection was not closed cleanly", self._place, exc_info=True)

    def _note_end(self) -> None:
        """Note that the connection, or the attempt to connect, has ended."""
        error = self._error or CrashQueueError("the connection was closed")
        reason = f"{self._place}: {describe_error(error)}"
        if not self._closing.is_set():
            if not self._failures_in_a_row:
                logger.error("cannot connect for %s: %s; trying again until it works", self._purpose, reason)
            self._failures_in_a_row = min(self._failures_in_a_row + 1, 10)
        with self._condition:
            self._is_ready = False
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
        self._on_lost(reason)
