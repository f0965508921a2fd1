"""Metrics for statsd, over UDP.

If statsd is away, or its host does not resolve, only the metrics are lost.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from statsd import StatsClient

from socorro_processor.configuration import DotDict, Namespace, WholeNumber, names
from socorro_processor.monitoring.metrics import METRICS, Labels

logger = logging.getLogger(__name__)

LOOK_UP_INTERVAL = 60.0
"""Seconds after which the host is looked up again: it may be new, or have moved."""
_FIRST_LOOK_UP_TIME = 1.0
"""Seconds by which the first look-up may delay the start."""

P = ParamSpec("P")
T = TypeVar("T")

Address = tuple[bool, str]
"""True for IPv6, and the address as text."""


def statsd_options(shared: str | None = "resource.statsd") -> Namespace:
    """Return the options of a statsd client; ``shared`` is the section for values that all components share."""
    options = Namespace()
    options.add_option(
        "statsd_host", default="", doc="the host of statsd (empty: nothing is sent)", reference_value_from=shared
    )
    options.add_option(
        "statsd_port",
        default="8125",
        doc="the UDP port of statsd",
        from_string_converter=WholeNumber(1, 65535),
        reference_value_from=shared,
    )
    options.add_option(
        "statsd_prefix",
        default="processor",
        doc="prefix of each name, followed by a dot (empty: none)",
        reference_value_from=shared,
    )
    return options


def statsd_call_options() -> Namespace:
    """Return the options of a component that reports calls to statsd."""
    options = statsd_options()
    options.add_option(
        "active_list",
        default="save_raw_and_processed, act",
        doc="the calls that are counted or timed, comma-separated: of a crash store, such as save_raw_and_processed; "
        "of a rule, act, predicate and action",
        from_string_converter=names,
        reference_value_from="resource.statsd",
    )
    return options


def metric_name(name: str, *values: str) -> str:
    """Join ``name`` and the values with dots; characters that statsd could misread become ``_``."""
    return ".".join((_UNSAFE.sub("_", name), *(_UNSAFE_VALUE.sub("_", value) for value in values)))


_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_UNSAFE_VALUE = re.compile(r"[^A-Za-z0-9_-]")


def _look_up_address(host: str, port: int) -> Address:
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    # localhost often has addresses of both kinds, while statsd listens on IPv4.
    family, *_, address = next((each for each in addresses if each[0] == socket.AF_INET), addresses[0])
    return family == socket.AF_INET6, str(address[0])


class _NonBlockingClient(StatsClient):
    """Drops a datagram that the network does not take at once, rather than wait for a slow device."""

    def __init__(self, host: str, port: int, prefix: str, ipv6: bool) -> None:
        super().__init__(host, port, prefix, ipv6=ipv6)
        self._sock.setblocking(False)


class StatsdClient:
    """Sends to the statsd of ``config``. Any thread may call; no call blocks or raises.

    The statsd package looks the host up only once, in its constructor, and raises if that fails. This class looks it up
    in a thread, and again from time to time.
    """

    def __init__(
        self,
        config: DotDict,
        clock: Callable[[], float] = time.monotonic,
        look_up: Callable[[str, int], Address] = _look_up_address,
        first_look_up_time: float = _FIRST_LOOK_UP_TIME,
    ) -> None:
        self._host: str = config.statsd_host.strip()
        self._port: int = config.statsd_port
        self._prefix = metric_name(config.statsd_prefix.strip().strip("."))
        self._clock = clock
        self._look_up = look_up
        self._lock = threading.Lock()
        self._client: StatsClient | None = None
        self._address: Address | None = None
        self._failed = False
        self._next_look_up = clock()
        if self._host and (thread := self._start_look_up()):
            thread.join(first_look_up_time)

    def increment(self, name: str, value: int = 1) -> None:
        self._send(lambda client: client.incr(name, value))

    def gauge(self, name: str, value: float) -> None:
        self._send(lambda client: client.gauge(name, value))

    def timing(self, name: str, seconds: float) -> None:
        """Send a time. Statsd receives it in milliseconds."""
        self._send(lambda client: client.timing(name, seconds * 1000))

    def timed(self, name: str, call: Callable[P, T]) -> Callable[P, T]:
        """Return ``call``, with each use timed, even if it fails."""

        def timed(*arguments: P.args, **named: P.kwargs) -> T:
            started = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.timing(name, time.perf_counter() - started)

        return timed

    def close(self) -> None:
        """Send nothing from now on."""
        with self._lock:
            self._host = ""
            if self._client is not None:
                self._client.close()

    def _send(self, send: Callable[[StatsClient], None]) -> None:
        with self._lock:
            if not self._host:
                return
            if self._clock() >= self._next_look_up:
                self._start_look_up()
            if self._client is not None:
                send(self._client)

    def _start_look_up(self) -> threading.Thread | None:
        """Look the host up in another thread, because without a name server it takes many seconds.

        Return None if the machine has no thread left for it.
        """
        self._next_look_up = self._clock() + LOOK_UP_INTERVAL
        thread = threading.Thread(target=self._connect, args=(self._host,), name="statsd-look-up", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            logger.warning("statsd: cannot look up %s, will try again: %s", self._host, error)
            return None
        return thread

    def _connect(self, host: str) -> None:
        try:
            address = self._look_up(host, self._port)
            client = None
            if address != self._address:
                ipv6, number = address
                client = _NonBlockingClient(number, self._port, self._prefix, ipv6)
        except (OSError, ValueError) as error:
            if not self._failed:
                logger.warning("statsd: cannot look up %s, will try again: %s", host, error)
            self._failed = True
            return
        if self._failed:
            logger.info("statsd: %s was found", host)
        self._failed = False
        if client is not None:
            self._use(client, address)

    def _use(self, client: StatsClient, address: Address) -> None:
        with self._lock:
            former, self._client, self._address = self._client, client, address
            if former is not None:
                former.close()
            if not self._host:  # closed in the meantime
                client.close()


class StatsdSink:
    """Sends the measurements of the registry to statsd: counters, gauges, and durations as timings.

    Statsd has no labels: their values, in the order of the labels' names, become parts of the name. A
    ``crash.retried`` with cause ``transient`` and queue ``normal`` is ``processor.crash.retried.transient.normal``.
    """

    def __init__(self, client: StatsdClient) -> None:
        self._client = client

    def increment(self, name: str, value: int, labels: Labels) -> None:
        self._client.increment(_name_with_labels(name, labels), value)

    def gauge(self, name: str, value: float, labels: Labels) -> None:
        self._client.gauge(_name_with_labels(name, labels), value)

    def duration(self, name: str, seconds: float, labels: Labels) -> None:
        self._client.timing(_name_with_labels(name, labels), seconds)


@contextmanager
def sending_metrics(config: DotDict) -> Iterator[None]:
    """Send what the process measures within the block to the statsd of ``config``, if it names one."""
    if not config.statsd_host:
        yield
        return
    client = StatsdClient(config)
    METRICS.add_sink(StatsdSink(client))
    try:
        yield
    finally:
        client.close()


def _name_with_labels(name: str, labels: Labels) -> str:
    return metric_name(name, *(value for _, value in labels))
