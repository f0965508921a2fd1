"""Everything that goes wrong on purpose. A fault more is a class here, and a row in a table of ``lanes``."""

from __future__ import annotations

import resource
import signal
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.site import Site


class Fault:
    """Goes wrong at ``begin``, and goes on to do so until ``end``; many need no end."""

    name: str
    lasts: tuple[float, float] = (0.0, 0.0)
    """Seconds, at least and at most."""

    def impossible(self, site: Site) -> str:
        """Why it cannot be brought about here; empty where it can."""
        return ""

    def begin(self, site: Site) -> None:
        raise NotImplementedError

    def end(self, site: Site) -> None:
        """Mend what ``begin`` broke."""


@dataclass
class Signal(Fault):
    processor: str
    number: signal.Signals

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.number.name

    def begin(self, site: Site) -> None:
        site.processors[self.processor].signal(self.number)


@dataclass
class SecondSignal(Fault):
    """An operator who does not want to wait."""

    processor: str
    name: str = "SIGTERM, and again"
    lasts: tuple[float, float] = (0.1, 1.0)

    def begin(self, site: Site) -> None:
        site.processors[self.processor].signal(signal.SIGTERM)

    def end(self, site: Site) -> None:
        site.processors[self.processor].signal(signal.SIGTERM)


@dataclass
class Freeze(Fault):
    """Longer than a lease: what it had is given to others, and then it wakes up."""

    processor: str
    name: str = "frozen"
    lasts: tuple[float, float] = (2.0, 14.0)

    def begin(self, site: Site) -> None:
        site.processors[self.processor].signal(signal.SIGSTOP)

    def end(self, site: Site) -> None:
        site.processors[self.processor].signal(signal.SIGCONT)


@dataclass
class FewDescriptors(Fault):
    processor: str
    name: str = "no more descriptors"
    lasts: tuple[float, float] = (2.0, 6.0)

    def begin(self, site: Site) -> None:
        self._pid = site.processors[self.processor].pid
        # It may end just now.
        with suppress(ProcessLookupError, FileNotFoundError):
            _, hard = resource.prlimit(self._pid, resource.RLIMIT_NOFILE)
            open_now = len(list(Path(f"/proc/{self._pid}/fd").iterdir()))
            resource.prlimit(self._pid, resource.RLIMIT_NOFILE, (open_now, hard))

    def end(self, site: Site) -> None:
        with suppress(ProcessLookupError):
            _, hard = resource.prlimit(self._pid, resource.RLIMIT_NOFILE)
            resource.prlimit(self._pid, resource.RLIMIT_NOFILE, (hard, hard))


@dataclass
class Walker(Fault):
    """The stackwalker hangs, crashes, ...: see ``walker``."""

    name: str
    lasts: tuple[float, float] = (2.0, 6.0)

    def begin(self, site: Site) -> None:
        site.walker.behave(self.name)

    def end(self, site: Site) -> None:
        site.walker.mend()


@dataclass
class Full(Fault):
    """A disk takes no more."""

    disk: str
    name: str = "full"
    lasts: tuple[float, float] = (2.0, 6.0)

    def impossible(self, site: Site) -> str:
        return site.disks[self.disk].impossible

    def begin(self, site: Site) -> None:
        site.disks[self.disk].fill()

    def end(self, site: Site) -> None:
        site.disks[self.disk].make_room()


@dataclass
class Submitted(Fault):
    """A crash of a kind (see ``submitter``) that is not simply processed, among those that are."""

    name: str

    def begin(self, site: Site) -> None:
        site.submitter.submit_too(self.name)


@dataclass
class QueueLocked(Fault):
    """Another program keeps the embedded queue's file locked."""

    name: str = "locked"
    lasts: tuple[float, float] = (1.0, 5.0)

    def begin(self, site: Site) -> None:
        self._lock = sqlite3.connect(site.queue_file, timeout=10.0, isolation_level=None, check_same_thread=False)
        self._lock.execute("BEGIN IMMEDIATE")

    def end(self, site: Site) -> None:
        self._lock.close()


@dataclass
class StoreAway(Fault):
    """The file system of the embedded store is not mounted."""

    name: str = "away"
    lasts: tuple[float, float] = (1.0, 5.0)

    def begin(self, site: Site) -> None:
        site.crashes.rename(site.crashes.with_name("away"))

    def end(self, site: Site) -> None:
        site.crashes.with_name("away").rename(site.crashes)
