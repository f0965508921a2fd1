"""The faults that a run causes. Another fault is a class here, and a row in a table of ``lanes``."""

from __future__ import annotations

import resource
import signal
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from socorro_processor.machine.sqlite_guard import open_guarded
from tests.chaos.queue_keeper import LONGER_THAN_A_FREEZE, remove_files
from tests.faults.proxy import Proxy
from tests.services import restart
from tests.system.daemon import eventually

if TYPE_CHECKING:
    from tests.chaos.site import Site

SOME_MEMORY = 1 << 20
"""Bytes: less than a thread's stack."""


class Fault:
    """A fault that lasts from ``begin`` to ``end``; many need no end."""

    name: str
    lasts: tuple[float, float] = (0.0, 0.0)
    """Seconds, at least and at most."""

    def impossible(self, site: Site) -> str:
        """The reason why it cannot be caused here; empty if it can."""
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
    """A pause longer than a lease: the processor wakes up after its crashes have gone to others."""

    processor: str
    name: str = "frozen"
    lasts: tuple[float, float] = (2.0, 14.0)

    def begin(self, site: Site) -> None:
        site.processors[self.processor].signal(signal.SIGSTOP)

    def end(self, site: Site) -> None:
        site.processors[self.processor].signal(signal.SIGCONT)


@dataclass
class LogNotRead(Fault):
    """The reader of its log has stopped: the pipe is full after a dozen crashes."""

    processor: str
    name: str = "log not read"
    lasts: tuple[float, float] = (5.0, 15.0)

    def begin(self, site: Site) -> None:
        site.processors[self.processor].reading.clear()

    def end(self, site: Site) -> None:
        site.processors[self.processor].reading.set()


@dataclass
class Lack(Fault):
    """A processor cannot get more of a resource than it has."""

    processor: str
    lasts: tuple[float, float] = (2.0, 6.0)

    def limit(self, process: Path) -> tuple[int, int]:
        """Return the limit (one of those in ``resource``) and its value."""
        raise NotImplementedError

    def begin(self, site: Site) -> None:
        self._pid = site.processors[self.processor].pid
        # The processor may be ending.
        with suppress(ProcessLookupError, FileNotFoundError):
            which, most = self.limit(Path("/proc", str(self._pid)))
            _, hard = resource.prlimit(self._pid, which)
            resource.prlimit(self._pid, which, (most, hard))

    def end(self, site: Site) -> None:
        with suppress(ProcessLookupError):
            for which in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS):
                _, hard = resource.prlimit(self._pid, which)
                resource.prlimit(self._pid, which, (hard, hard))


class FewDescriptors(Lack):
    name = "no more descriptors"

    def limit(self, process: Path) -> tuple[int, int]:
        return resource.RLIMIT_NOFILE, len(list((process / "fd").iterdir()))


class LittleMemory(Lack):
    name = "no more memory"

    def limit(self, process: Path) -> tuple[int, int]:
        pages = int((process / "statm").read_text().split()[0])
        return resource.RLIMIT_AS, pages * resource.getpagesize() + SOME_MEMORY


@dataclass
class Walker(Fault):
    """The stackwalker misbehaves, as ``walker`` says."""

    name: str
    lasts: tuple[float, float] = (2.0, 6.0)

    def begin(self, site: Site) -> None:
        site.walker.behave(self.name)

    def end(self, site: Site) -> None:
        site.walker.mend()


@dataclass
class Full(Fault):
    """A disk is full."""

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
    """A crash of an unusual kind (see ``submitter``) among ordinary ones."""

    name: str

    def begin(self, site: Site) -> None:
        site.submitter.submit_too(self.name)


@dataclass
class QueueLocked(Fault):
    """Another program keeps the embedded queue's file locked."""

    name: str = "locked"
    lasts: tuple[float, float] = (1.0, 5.0)

    def begin(self, site: Site) -> None:
        connect = partial(sqlite3.connect, site.queue_file, timeout=10.0, isolation_level=None, check_same_thread=False)
        connection, self._guard = open_guarded(site.queue_file, LONGER_THAN_A_FREEZE, connect)
        connection.execute("BEGIN IMMEDIATE")

    def end(self, site: Site) -> None:
        self._guard.leave()


@dataclass
class QueueFilesRemoved(Fault):
    """An operator removes the files that SQLite keeps beside the embedded queue's while processes use them."""

    suffixes: tuple[str, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{' and '.join(self.suffixes)} removed"

    def begin(self, site: Site) -> None:
        site.saved_by_the_operator += remove_files(site.queue_file, self.suffixes)


@dataclass
class StoreAway(Fault):
    """The file system of the embedded store is not mounted."""

    name: str = "away"
    lasts: tuple[float, float] = (1.0, 5.0)

    def begin(self, site: Site) -> None:
        # A collector that starts while it is away cannot know that there is a store, and makes one.
        eventually(site.submitter.submitted, lambda: "nothing is submitted")
        site.crashes.rename(site.crashes.with_name("away"))

    def end(self, site: Site) -> None:
        site.crashes.with_name("away").rename(site.crashes)


@dataclass
class ServiceEnds(Fault):
    """A service is stopped or killed, and started again."""

    service: str
    how: str

    @property
    def name(self) -> str:  # type: ignore[override]
        return {"stop": "restarted", "kill": "killed"}[self.how]

    def begin(self, site: Site) -> None:
        restart(self.service, self.how)


@dataclass
class ClusterReplaced(Fault):
    """Elasticsearch has lost its template and indexes, but works otherwise."""

    name: str = "replaced by an empty cluster"

    def begin(self, site: Site) -> None:
        site.cluster.replace()


@dataclass
class Link(Fault):
    """A fault of the network between the processors and a service."""

    service: str
    name: str
    lasts: tuple[float, float] = (1.0, 5.0)

    def begin(self, site: Site) -> None:
        LINK_FAULTS[self.name](site.proxies[self.service])

    def end(self, site: Site) -> None:
        site.proxies[self.service].heal()


LINK_FAULTS: dict[str, Callable[[Proxy], object]] = {
    "connections cut": lambda proxy: proxy.cut(),
    "connections cut in the midst": lambda proxy: proxy.cut_after(to_server=3_000),
    "answers cut off": lambda proxy: proxy.cut_after(to_client=500),
    "refuses": lambda proxy: (proxy.refuse(), proxy.cut()),
    "slow": lambda proxy: proxy.latency(to_server=0.2, to_client=0.3),
    "narrow": lambda proxy: proxy.throttle(to_server=20_000, to_client=20_000),
    "hangs": lambda proxy: proxy.hang(),
}
