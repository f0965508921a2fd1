"""The embedded configuration behind ``socorro serve``: crashes come by HTTP, and each answer is a promise."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from socorro_processor.collector.handover import HANDOVER_STEPS
from socorro_processor.collector.spool import SPOOL_STEPS
from tests.chaos.disk import Disk
from tests.chaos.embedded import EmbeddedSite
from tests.chaos.faults import Fault, Full
from tests.chaos.front_door import FrontDoor
from tests.chaos.lanes import EMBEDDED, PROCESSORS
from tests.chaos.leftovers import files_in
from tests.chaos.plan import Lane
from tests.chaos.promises import ROOM_AGAIN, Balance, Span, StoredCrash, stored_crash
from tests.chaos.senders import read_sendings
from tests.chaos.site import Site
from tests.chaos.submitter import Submitter

SPOOL_DISK_SIZE = 96 << 20
RESERVE = "8M"
_EATEN_EACH = 0.03
"""Seconds between two looks at what there is to take."""
_TOLD = {0, -signal.SIGTERM, -signal.SIGKILL}
STEPS = (*SPOOL_STEPS, *HANDOVER_STEPS)


@dataclass
class ServerGets(Fault):
    """The server gets a signal."""

    number: signal.Signals

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.number.name

    def begin(self, site: Site) -> None:
        served(site).door.signal(self.number)


@dataclass
class ServerGetsAnother(Fault):
    """An operator who does not want to wait until the uploads in work are finished."""

    name: str = "SIGTERM, and again"
    lasts: tuple[float, float] = (0.0, 0.5)

    def begin(self, site: Site) -> None:
        served(site).door.signal(signal.SIGTERM)

    def end(self, site: Site) -> None:
        served(site).door.signal(signal.SIGTERM)


@dataclass
class ServerFrozen(Fault):
    name: str = "frozen"
    lasts: tuple[float, float] = (1.0, 6.0)

    def begin(self, site: Site) -> None:
        served(site).door.signal(signal.SIGSTOP)

    def end(self, site: Site) -> None:
        served(site).door.signal(signal.SIGCONT)


@dataclass
class ServerDies(Fault):
    """The server is killed after a step of the spool or of handing over, and before the next one."""

    step: str
    lasts: tuple[float, float] = (3.0, 6.0)

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"dies after: {self.step}"

    def begin(self, site: Site) -> None:
        served(site).door.die_after(self.step)

    def end(self, site: Site) -> None:
        served(site).door.live()


@dataclass
class SpoolFull(Full):
    """The disk of the spool is full; what is reserved there is used first."""

    def begin(self, site: Site) -> None:
        self._begun = time.time()
        super().begin(site)

    def end(self, site: Site) -> None:
        super().end(site)
        served(site).full.append(Span(self._begun, time.time() + ROOM_AGAIN))


@dataclass
class SpoolEaten(SpoolFull):
    """Another program takes what is free, and at once what the reserve gives up."""

    name: str = "full, and its reserve eaten"

    def begin(self, site: Site) -> None:
        super().begin(site)
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(1)
        self._eating = self._threads.submit(self._eat, site.disks[self.disk])

    def end(self, site: Site) -> None:
        self._stopping.set()
        self._threads.shutdown()
        super().end(site)
        self._eating.result()

    def _eat(self, disk: Disk) -> None:
        while not self._stopping.wait(_EATEN_EACH):
            disk.fill()


@dataclass
class StoreInTheWay(Fault):
    """A file is where the store's directory was, so that no process can make another store there."""

    name: str = "away"
    lasts: tuple[float, float] = (1.0, 5.0)

    def begin(self, site: Site) -> None:
        crashes = served(site).crashes
        crashes.rename(crashes.with_name("away"))
        crashes.touch()

    def end(self, site: Site) -> None:
        crashes = served(site).crashes
        crashes.unlink()
        crashes.with_name("away").rename(crashes)


class Senders(Submitter):
    """The process of the senders."""

    module: ClassVar = "tests.chaos.senders"


class ServedSite(EmbeddedSite):
    """A server that takes crashes, and processors beside it."""

    own_lanes = (
        *(lane for lane in EMBEDDED if lane.name != "store"),
        # A server that starts while no store is there would make another one.
        Lane("store", 20.0, (StoreInTheWay(),)),
        Lane(
            "server",
            6.0,
            (
                ServerGets(signal.SIGKILL),
                ServerGets(signal.SIGKILL),
                ServerGets(signal.SIGTERM),
                ServerGetsAnother(),
                ServerFrozen(),
            ),
        ),
        Lane("server's steps", 4.0, tuple(ServerDies(step) for step in STEPS)),
        Lane(
            "spool's disk",
            20.0,
            (SpoolFull("spool's disk", lasts=(3.0, 8.0)), SpoolEaten("spool's disk", lasts=(3.0, 8.0))),
        ),
    )

    def __init__(self, directory: Path, options: Mapping[str, str], processors: int = PROCESSORS) -> None:
        super().__init__(directory, options, processors)
        disk = directory / "spool-disk"
        self.disks["spool's disk"] = Disk(disk, SPOOL_DISK_SIZE)
        self.spool = disk / "spool"
        # All crashes have one of few signatures, and each dump is compared with what was sent.
        # Its disk shrinks to be full; no crash is to be removed whatever a server that starts then takes for its size.
        kept = {"retention.keep_dumps": "0", "retention.keep_bytes": "0"}
        self._options |= kept | {"collector.spool": str(self.spool), "collector.reserve": RESERVE}
        self.door: FrontDoor
        self.full: list[Span] = []
        """When the spool's disk was full."""
        self._facts: dict[str, int] = {}

    def start(self, stack: ExitStack, rate: float, seed: int) -> None:
        self.door = stack.enter_context(FrontDoor(self.installation.environment, self.directory))
        super().start(stack, rate, seed)

    def new_submitter(self, journal: Path, rate: float, seed: int) -> Submitter:
        self._sendings = journal.with_name("sendings.jsonl")
        self._sendings.touch()
        return Senders(self.installation.environment, journal, rate, seed, str(self.door.port), str(self._sendings))

    def depths_are_complete(self) -> bool:
        """Return False while a crash is in the spool, which is in no queue yet."""
        return not any((self.spool / "ready").iterdir())

    def mend(self) -> None:
        super().mend()
        self.door.signal(signal.SIGCONT)
        self.door.live()

    def stop(self) -> list[str]:
        code = self.door.stop()
        ends = self.door.ends
        problems = [f"the server ended with {code} when it was told to stop"] if code else []
        # Nobody is asked to send again while it does not run.
        problems += [f"the server ended with {end}, though nobody told it to" for end in sorted(ends.keys() - _TOLD)]
        balance = Balance(list(read_sendings(self._sendings)), dict(self._stored()), self.door.closed, self.full)
        self._facts = balance.facts()
        return [*problems, *balance.wrong()]

    def facts(self) -> Mapping[str, int]:
        ends = {f"ends of the server with {code}": count for code, count in sorted(self.door.ends.items())}
        deaths = {f"deaths of the server after: {step}": self.door.deaths[step] for step in STEPS}
        return {**super().facts(), **self._facts, **ends, **deaths}

    def left_behind(self) -> list[str]:
        directories = [self.spool / name for name in ("writing", "ready", "aside", "moving")]
        return [*super().left_behind(), *files_in(directories)]

    def _stored(self) -> Iterator[tuple[str, StoredCrash]]:
        store = self.destination()
        for path in (self.crashes / "v2" / "raw_crash").rglob("[!.]*"):
            if path.is_file():
                yield path.name, stored_crash(store, path.name)


def served(site: Site) -> ServedSite:
    assert isinstance(site, ServedSite)
    return site
