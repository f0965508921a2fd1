"""The companion process, which runs beside the processor.

It is the manager of the symbol cache. This module is that process's own program, because the
processor's, with its stores and their clients, would take far more memory than the work does:

    python -m socorro_processor.app.companion --companion_process.symbol_cache_path=DIRECTORY
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from types import FrameType
from typing import BinaryIO, Protocol

from socorro_processor.app.service_manager import ServiceManager
from socorro_processor.configuration import (
    Configuration,
    DotDict,
    Namespace,
    class_converter,
    class_name,
    split_command_line,
)
from socorro_processor.errors import SocorroError
from socorro_processor.machine.child import Child
from socorro_processor.monitoring import health, log, prometheus, statsd
from socorro_processor.monitoring.line_writer import keep_output_from_blocking
from socorro_processor.monitoring.metrics import METRICS, Labels, Metrics

logger = logging.getLogger(__name__)

_FIRST_DELAY = 1.0
_LONGEST_DELAY = 60.0
_STABLE_TIME = 60.0
"""Seconds after which a companion counts as stable, so that the next one starts after the first delay."""
_CLOSING_TIME = 5.0
"""Seconds that a companion has to end."""
_SECTIONS = ("companion_process", "health", "logging", "metrics", "plugins")


class Companion(Protocol):
    """The interface of the class that ``companion_process.companion_class`` names; its options are in that section."""

    def __init__(self, config: DotDict) -> None: ...

    @staticmethod
    def is_wanted(config: DotDict) -> bool:
        """Return True if ``config`` gives it anything to do."""

    def run(self, stopped: Callable[[], bool]) -> None:
        """Work until ``stopped`` returns True; call it several times a second. Raises SocorroError."""


def companion_options() -> Namespace:
    """Return all options of a companion process; no secret is among them."""
    options = Namespace()
    options.namespace("companion_process", doc="the companion process, which keeps the symbol cache to its size")
    options.companion_process.add_option(
        "companion_class",
        default="socorro_processor.symbol_cache.manager.SymbolLRUCacheManager",
        doc="the class that runs in the companion process (empty: no such process)",
        from_string_converter=class_converter,
    )
    options.logging = log.required_config
    options.namespace("metrics", doc="where all that the processor counts and times is sent")
    options.metrics.update(statsd.statsd_options(shared=None))
    options.metrics.update(prometheus.required_config)
    options.health = health.required_config
    options.namespace("plugins", doc="the operator's own rules and stores")
    options.plugins.add_option(
        "path", default="", doc="directories, separated by commas, with modules of your own rules and stores"
    )
    return options


def command(config: DotDict) -> list[str] | None:
    """Return the command that starts a companion process with this configuration; None if none is wanted."""
    companion: type[Companion] | None = config.companion_process.companion_class
    if companion is None or not companion.is_wanted(config.companion_process):
        return None
    values = ((f"{section}.{name}", value) for section in _SECTIONS for name, value in config[section].items())
    options = (f"--{key}={class_name(value) if isinstance(value, type) else value}" for key, value in values)
    return [sys.executable, "-P", "-m", __name__, *options]


class CompanionProcess:
    """Runs a command as long as this process lives, and again whenever it dies.

    The command receives ``--until-stdin-ends``, and ``--metrics-to`` with the descriptor of a pipe.
    """

    def __init__(self, command: Sequence[str], first_delay: float = _FIRST_DELAY) -> None:
        """``first_delay`` is the seconds until the first restart; each further one takes twice as long."""
        self._command = [*command, "--until-stdin-ends"]
        self._first_delay = first_delay
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._thread = threading.Thread(target=self._run, name="companion", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._closed.set()
            child = self._child
        if child is not None and not child.end(_CLOSING_TIME):
            logger.warning("the companion process does not end and is killed")
        self._thread.join()

    def _run(self) -> None:
        delay = self._first_delay
        while not self._closed.is_set():
            started = time.monotonic()
            end = self._run_once()
            if self._closed.is_set():
                return
            if time.monotonic() - started > _STABLE_TIME:
                delay = self._first_delay
            logger.error("the companion process %s; it is started again in %.1f s", end, delay)
            METRICS.increment("companion.ended")
            self._closed.wait(delay)
            delay = min(delay * 2, _LONGEST_DELAY)

    def _run_once(self) -> str:
        """Start the command and wait for its end; return how it ended."""
        try:
            with self._lock:
                if self._closed.is_set():
                    return "is not started: closed"
                child = self._child = self._start_child()
        except (OSError, MemoryError, RuntimeError) as error:
            return f"could not be started: {str(error) or type(error).__name__}"
        with closing(child):
            return f"has ended ({child.process.wait()})"

    def _start_child(self) -> Child:
        """Start the command. Raises OSError, or RuntimeError if no thread can be started."""
        reading, writing = os.pipe()
        try:
            pipe = os.fdopen(reading, "rb")
            threading.Thread(target=relay, args=(pipe, METRICS), name="companion-metrics", daemon=True).start()
            return Child([*self._command, f"--metrics-to={writing}"], pass_fds=[writing])
        finally:
            os.close(writing)


class PipeSink:
    """Sends all that the companion measures to the processor: one statsd prefix and one ``/metrics`` for both.

    Each is a line of JSON in a pipe: ``["increment", "symbol_cache.hits", 3, []]``. A line for which the pipe has no
    room is lost: the processor may hang.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor

    def increment(self, name: str, value: int, labels: Labels) -> None:
        self._send("increment", name, value, labels)

    def gauge(self, name: str, value: float, labels: Labels) -> None:
        self._send("gauge", name, value, labels)

    def duration(self, name: str, seconds: float, labels: Labels) -> None:
        self._send("duration", name, seconds, labels)

    def _send(self, kind: str, name: str, value: float, labels: Labels) -> None:
        # A pipe takes a line of less than 4 kB as a whole or not at all.
        with suppress(OSError):
            os.write(self._descriptor, json.dumps([kind, name, value, labels]).encode() + b"\n")


def relay(pipe: BinaryIO, metrics: Metrics, without: Collection[str] = ()) -> None:
    """Add what a ``PipeSink`` sends to ``metrics``, until its process has ended, but for the names in ``without``."""
    methods: dict[str, Callable[..., None]] = {
        "increment": metrics.increment,
        "gauge": metrics.gauge,
        "duration": metrics.duration,
    }
    with pipe:
        for line in pipe:
            kind, name, value, labels = json.loads(line)
            if name not in without:
                methods[kind](name, value, **dict(labels))


class _Stop:
    """Returns True once the companion was told to stop."""

    def __init__(self) -> None:
        self._told = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def __call__(self) -> bool:
        return self._told

    def follow_stdin(self) -> None:
        threading.Thread(target=self._wait_for_end_of_stdin, name="stdin", daemon=True).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._told = True

    def _wait_for_end_of_stdin(self) -> None:
        while os.read(0, 1024):
            pass
        self._told = True


def main(arguments: Sequence[str]) -> int:
    """Run the companion process. Return the exit code."""
    command_line, own = split_command_line(arguments)
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description="Run a companion process.")
    parser.add_argument("--until-stdin-ends", action="store_true", help="end when standard input does")
    parser.add_argument("--metrics-to", metavar="FD", type=int, help="descriptor of a pipe to the starting process")
    parsed = parser.parse_args(own)
    try:
        config = Configuration(companion_options(), [command_line]).values
        log.set_up_logging(config.logging)
        stop = _Stop()
        companion: Companion = config.companion_process.companion_class(config.companion_process)
        if parsed.until_stdin_ends:
            stop.follow_stdin()
        if parsed.metrics_to is not None:
            METRICS.add_sink(PipeSink(parsed.metrics_to))
            companion.run(stop)
        else:
            _run_alone(companion, config, stop)
    except SocorroError as error:
        print(f"socorro companion: {error}", file=sys.stderr)
        return 1
    return 0


def _run_alone(companion: Companion, config: DotDict, stop: Callable[[], bool]) -> None:
    """Run the companion as a service, not started by a processor."""
    state = health.Health(config.health.maximum_silence)
    service = ServiceManager()

    def stopped() -> bool:
        state.note_sign_of_life()
        service.alive()
        return stop()

    with statsd.sending_metrics(config.metrics), closing(health.HealthServer(config.health, state)):
        state.resolve("start")
        service.ready()
        companion.run(stopped)
        service.stopping(_CLOSING_TIME)


if __name__ == "__main__":
    keep_output_from_blocking()
    sys.exit(main(sys.argv[1:]))
