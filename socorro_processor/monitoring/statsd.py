"""Metrics for statsd, over UDP.

A statsd that is away, or whose host does not resolve, costs nothing but what would have been sent.
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
"""Seconds after which the host is looked up again: it may have come, or have moved."""
_FIRST_LOOK_UP_TIME = 1.0
"""Seconds that the first look-up may hold up the start."""

P = ParamSpec("P")
T = TypeVar("T")

Address = tuple[bool, str]
"""True for IPv6, and the address in text."""


def statsd_options(shared: str | None = "resource.statsd") -> Namespace:
    """Where statsd is; ``shared`` is the section of the values that all who count have in common."""
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
        doc="what each name begins with, before a dot (empty: nothing)",
        reference_value_from=shared,
    )
    return options


def statsd_call_options() -> Namespace:
    """Return the options of a component that tells statsd of calls."""
    options = statsd_options()
    options.add_option(
        "active_list",
        default="save_raw_and_processed, act",
        doc="the calls that are counted or timed, separated by commas: those of a crash store, such as "
        "save_raw_and_processed, and of a rule: act, predicate, action",
        from_string_converter=names,
        reference_value_from="resource.statsd",
    )
    return options


def metric_name(name: str, *values: str) -> str:
    """``name``, and behind dots the values; what statsd could misread in any of them becomes ``_``."""
    return ".".join((_UNSAFE.sub("_", name), *(_UNSAFE_VALUE.sub("_", value) for value in values)))


_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_UNSAFE_VALUE = re.compile(r"[^A-Za-z0-9_-]")


def _address(host: str, port: int) -> Address:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    # localhost is often both, and statsd listens on the old one.
    family, *_, address = next((each for each in found if each[0] == socket.AF_INET), found[0])
    return family == socket.AF_INET6, str(address[0])


class _NeverWaiting(StatsClient):
    """Drops what the network does not take at once: a device that is down or slow lets a datagram wait."""

    def __init__(self, host: str, port: int, prefix: str, ipv6: bool) -> None:
        super().__init__(host, port, prefix, ipv6=ipv6)
        self._sock.setblocking(False)


class StatsdClient:
    """Sends to the statsd of ``config``. Any thread may call; no call blocks or raises.

    The statsd package looks the host up once, in the constructor, and raises what comes of it. Here
    that is done aside, and again every now and then.
    """

    def __init__(
        self,
        config: DotDict,
        clock: Callable[[], float] = time.monotonic,
        look_up: Callable[[str, int], Address] = _address,
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
        if self._host:
            self._find_aside().join(_FIRST_LOOK_UP_TIME)

    def increment(self, name: str, value: int = 1) -> None:
        self._send(lambda client: client.incr(name, value))

    def gauge(self, name: str, value: float) -> None:
        self._send(lambda client: client.gauge(name, value))

    def timing(self, name: str, seconds: float) -> None:
        """Statsd gets it in milliseconds."""
        self._send(lambda client: client.timing(name, seconds * 1000))

    def timed(self, name: str, call: Callable[P, T]) -> Callable[P, T]:
        """``call``, of which each use is timed, also where it fails."""

        def timed(*arguments: P.args, **named: P.kwargs) -> T:
            begun = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.timing(name, time.perf_counter() - begun)

        return timed

    def close(self) -> None:
        """Close it; nothing is sent afterwards."""
        with self._lock:
            self._host = ""
            if self._client is not None:
                self._client.close()

    def _send(self, send: Callable[[StatsClient], None]) -> None:
        with self._lock:
            if not self._host:
                return
            if self._clock() >= self._next_look_up:
                self._find_aside()
            if self._client is not None:
                send(self._client)

    def _find_aside(self) -> threading.Thread:
        """In a thread of its own: a name server that is away lets one wait for many seconds."""
        self._next_look_up = self._clock() + LOOK_UP_INTERVAL
        finding = threading.Thread(target=self._find, args=(self._host,), name="statsd-look-up", daemon=True)
        finding.start()
        return finding

    def _find(self, host: str) -> None:
        try:
            address = self._look_up(host, self._port)
            client = None
            if address != self._address:
                ipv6, number = address
                client = _NeverWaiting(number, self._port, self._prefix, ipv6)
        except (OSError, ValueError) as error:
            if not self._failed:
                logger.warning("statsd: looking up %s failed, it is tried again: %s", host, error)
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
    """Takes what the metrics registry is told to statsd: counters, gauges, and durations as timings.

    Statsd knows no labels: their values, in the order of the labels' names, are parts of the name. A
    ``crash.retried`` of cause ``transient`` and queue ``normal`` is ``processor.crash.retried.transient.normal``.
    """

    def __init__(self, client: StatsdClient) -> None:
        self._client = client

    def increment(self, name: str, value: int, labels: Labels) -> None:
        self._client.increment(_labelled(name, labels), value)

    def gauge(self, name: str, value: float, labels: Labels) -> None:
        self._client.gauge(_labelled(name, labels), value)

    def duration(self, name: str, seconds: float, labels: Labels) -> None:
        self._client.timing(_labelled(name, labels), seconds)


@contextmanager
def sending_metrics(config: DotDict) -> Iterator[None]:
    """Send what the process measures to the statsd of ``config``, if that names one, as long as the block lasts."""
    if not config.statsd_host:
        yield
        return
    client = StatsdClient(config)
    METRICS.add_sink(StatsdSink(client))
    try:
        yield
    finally:
        client.close()


def _labelled(name: str, labels: Labels) -> str:
    return metric_name(name, *(value for _, value in labels))
