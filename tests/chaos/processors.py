"""Processors that are started again whenever they end, as systemd does with a service."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from tests.system.daemon import Daemon, Installation

RESTART_DELAY = 0.3
STOPPED_WITHIN = 60.0
_RUNS = "the processor runs"


class Supervised:
    """One processor at a time within a ``with``; ``next_one`` returns the installation of the next."""

    def __init__(self, name: str, next_one: Callable[[], Installation]) -> None:
        self.name = name
        self.ends: Counter[int] = Counter()
        """The number of ends by exit code; a signal's number is negative."""
        self._daemons: list[Daemon] = []
        self._installations: list[Installation] = []
        self._next_one = next_one
        self.reading = threading.Event()
        """The log is read while this is set."""
        self.reading.set()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name)

    def __enter__(self) -> Self:
        self._start()
        self._daemon.wait_for_log(_RUNS)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._daemon.kill()
        self.reading.set()

    @property
    def _daemon(self) -> Daemon:
        return self._daemons[-1]

    @property
    def pid(self) -> int:
        return self._daemon.process.pid

    @property
    def pids(self) -> list[int]:
        """The process ids of all daemons so far."""
        return [daemon.process.pid for daemon in self._daemons]

    @property
    def installation(self) -> Installation:
        """The installation of the running daemon."""
        return self._installations[-1]

    def saved(self, installation: Installation | None = None) -> int:
        """Return how many crashes it has saved, by its log, with an installation; None means with any."""
        return sum(daemon.log.count(" saved") for daemon in self._daemons_of(installation))

    def wait_until_it_saves(self, at_most: float) -> None:
        """Wait until the running daemon has saved a crash, for so many seconds at most."""
        daemon, deadline = self._daemon, time.monotonic() + at_most
        while daemon.process.poll() is None and " saved" not in daemon.log and time.monotonic() < deadline:
            time.sleep(0.1)

    def started(self, installation: Installation | None = None) -> int:
        """Return how often it was started."""
        return len(self._daemons_of(installation))

    def _daemons_of(self, installation: Installation | None) -> list[Daemon]:
        started = zip(self._daemons, self._installations, strict=False)
        return [daemon for daemon, each in started if installation in (None, each)]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; if it has just ended, send it to the next."""
        deadline = time.monotonic() + 10 * RESTART_DELAY
        while self._daemon.process.poll() is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        self._daemon.process.send_signal(number)

    def stop(self) -> int:
        """Stop it cleanly and for good. Return its exit code."""
        self._stopping.set()
        self._thread.join()
        # It may have just started, and not be ready for a signal yet.
        self._daemon.wait_for_log(_RUNS)
        self.signal(signal.SIGTERM)
        try:
            return self._daemon.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            # So does systemd.
            self._daemon.kill()
            return -signal.SIGKILL

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.ends[self._daemon.process.wait(0.1)] += 1
            except subprocess.TimeoutExpired:
                continue
            self._stopping.wait(RESTART_DELAY)
            self._start()

    def _start(self) -> None:
        installation = self._next_one()
        self._daemons.append(Daemon(installation, (), self.reading))
        self._installations.append(installation)


def idle_ones(processors: Iterable[Supervised], within: float) -> list[Supervised]:
    """Return the processors that have saved nothing for so many seconds although there is work."""
    before = {processor: processor.saved() for processor in processors}
    deadline = time.monotonic() + within
    while True:
        idle = [processor for processor, saved in before.items() if processor.saved() <= saved]
        if not idle or time.monotonic() > deadline:
            return idle
        time.sleep(0.2)
