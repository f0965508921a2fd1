"""A simulated machine on which processors start, hang and die when a test says so, without sleeping or patching."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.base import CrashQueueBase, Delivery
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashqueue.sqlite.owners import Heartbeat, OwnerFile


class MortalOwnerFile(OwnerFile):
    def die(self) -> None:
        """Do what the kernel does when a process ends: its file stays, its lock is released."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class StillHeartbeat(Heartbeat):
    """A heartbeat that beats only when it is told to."""

    def __init__(self) -> None:
        super().__init__(seconds=1.0)
        self.beat: Callable[[], None] = lambda: None

    def start(self, beat: Callable[[], None]) -> None:
        self.beat = beat


class Processor:
    """The queue as one process has it."""

    def __init__(self, queue: CrashQueueBase, owner: MortalOwnerFile, heartbeat: StillHeartbeat) -> None:
        self.queue = queue
        self._owner = owner
        self._heartbeat = heartbeat
        self._crashes: Iterator[Delivery | None] = queue.new_crashes()

    def take(self) -> Delivery | None:
        return next(self._crashes, None)

    def take_all(self) -> list[Delivery]:
        return list(iter(self.take, None))

    def beat(self) -> None:
        self._heartbeat.beat()

    def die(self) -> None:
        """Die as by kill -9: the queue is told nothing."""
        self._owner.die()


class Machine:
    """``path`` is the file of its queue. A processor whose heart does not beat hangs."""

    knows_what_had_begun = True
    knows_all_in_flight = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.boot = "boot 1"
        self.uptime = 1000.0
        self.wall_time = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
        self.started: list[Processor] = []

    def start(self, clock: Callable[[], float] | None = None, **options: object) -> Processor:
        owner = MortalOwnerFile(self.path.with_name(self.path.name + ".owners"))
        heartbeat = StillHeartbeat()
        queue = SQLiteCrashQueue(
            defaults(SQLiteCrashQueue, **{"path": str(self.path), "idle_delay": 0.0, "busy_timeout": 0.0} | options),
            clock=clock or (lambda: self.uptime),
            boot=self.boot,
            owner=owner,
            heartbeat=heartbeat,
            wall_clock=lambda: self.wall_time,
        )
        self.started.append(Processor(queue, owner, heartbeat))
        return self.started[-1]

    def now(self) -> float:
        return self.uptime

    def wait(self, seconds: float) -> None:
        self.uptime += seconds
        self.wall_time += timedelta(seconds=seconds)

    def set_wall_clock(self, days: int) -> None:
        """Move the wall clock, as an operator or a time server does."""
        self.wall_time += timedelta(days=days)

    def reboot(self) -> None:
        """Reboot: no process survives, and the time since boot starts again."""
        for processor in self.started:
            processor.die()
        self.boot += " and another"
        self.uptime = 10.0

    def close(self) -> None:
        for processor in self.started:
            processor.queue.close()
