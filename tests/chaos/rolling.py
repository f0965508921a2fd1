"""A rolling upgrade as the site of a run: processors of two versions on the same queue and stores.

Each processor that ends is started again as a random version. Once all is mended, half of them have each version for a
while, and in the end all are new. The other faults are those that the former version can bear.
"""

from __future__ import annotations

import copy
import itertools
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from tests.chaos.embedded import EmbeddedSite
from tests.chaos.faults import Fault, Link, Signal, StoreAway, Submitted
from tests.chaos.former_version import FormerVersion
from tests.chaos.plan import Lane
from tests.chaos.processors import STOPPED_WITHIN
from tests.chaos.production import ADDRESSES, ProductionSite
from tests.chaos.site import Site
from tests.chaos.submitter import AGAIN, AGAIN_BY_FORCE, MALFORMED, NONSENSE, TWICE, UNKNOWN
from tests.system.daemon import Installation, eventually

Version = Literal["former", "new"]
VERSIONS: tuple[Version, ...] = ("former", "new")
PROCESSORS = 4
SAVED_BY_EACH = 20
AT_WORK_WITHIN = 15.0

_QUICK = (TWICE, AGAIN, AGAIN_BY_FORCE, MALFORMED, UNKNOWN, NONSENSE)
# Each of these ends five processors, or threads.
_KINDS = (*_QUICK, *_QUICK, "poison: kills", "poison: ends its thread")
_LINK_FAULTS = ("connections cut", "answers cut off", "refuses", "hangs")


class Restart(Signal):
    """A signal, once the processor has had time to work: otherwise a busy machine would never get further."""

    def begin(self, site: Site) -> None:
        site.processors[self.processor].wait_until_it_saves(AT_WORK_WITHIN)
        super().begin(site)


@dataclass
class SetUp(Fault):
    """An operator runs ``socorro setup`` of a version while processors of both work, until it succeeds."""

    version: Version

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"of the {self.version} version"

    def begin(self, site: Site) -> None:
        assert isinstance(site, RollingSite)
        eventually(lambda: not site.set_up_by(self.version), lambda: site.set_up_by(self.version))


_SET_UPS = tuple(SetUp(version) for version in VERSIONS)


class RollingSite(Site):
    """``first`` is the version that sets up and that all processors have at first."""

    service_lanes: ClassVar[tuple[Lane, ...]] = ()

    def __init__(self, directory: Path, first: Version, former: FormerVersion, processors: int = PROCESSORS) -> None:
        super().__init__(directory, {}, processors)
        self._first = first
        self._former = former
        self._settled: dict[str, Version] = {}
        """The next version of each processor, if it is fixed; otherwise it is random."""
        self.versions: dict[Version, Installation] = {}

    @classmethod
    def lanes_with(cls, processors: int) -> tuple[Lane, ...]:
        names = [f"processor {number}" for number in range(1, processors + 1)]
        return (
            *(Lane(name, 6.0, (Restart(name, signal.SIGTERM), Restart(name, signal.SIGKILL))) for name in names),
            Lane("crash", 1.0, tuple(Submitted(kind) for kind in _KINDS)),
            *cls.service_lanes,
        )

    def set_up(self) -> None:
        former = copy.copy(self.installation)
        former.environment = self._former.environment(self.installation.environment)
        self.versions = {"former": former, "new": self.installation}
        failure = self.set_up_by(self._first)
        assert not failure, failure

    def set_up_by(self, version: Version) -> str:
        """Run ``socorro setup`` of a version. Return its output if it fails."""
        done = self.patient(self.versions[version]).socorro("setup")
        return done.stdout + done.stderr if done.returncode else ""

    def next_one(self, name: str, seed: int) -> Callable[[], Installation]:
        chance = random.Random(f"{seed} {name} version")

        def versions() -> Iterator[Version]:
            yield self._first
            while True:
                yield self._settled.get(name) or chance.choice(VERSIONS)

        each = versions()
        return lambda: self.versions[next(each)]

    def mend(self) -> None:
        """Let half of the processors save crashes with each version, then upgrade the others."""
        super().mend()
        self._settle(dict(zip(self.names, itertools.cycle(VERSIONS), strict=False)))
        before = {version: self.saved(version) for version in VERSIONS}
        eventually(lambda: all(self.saved(version) >= before[version] + SAVED_BY_EACH for version in VERSIONS))
        self._settle(dict.fromkeys(self.names, "new"))

    def _settle(self, settled: dict[str, Version]) -> None:
        """Switch each processor to its version in ``settled``, for good."""
        self._settled = settled
        deadline = time.monotonic() + STOPPED_WITHIN
        for name, version in settled.items():
            processor = self.processors[name]
            while processor.installation is not self.versions[version]:
                assert time.monotonic() < deadline, f"{name} does not end"
                processor.signal(signal.SIGTERM)
                time.sleep(0.5)

    def started(self, version: Version) -> int:
        """Return how many processors of a version have run."""
        return sum(processor.started(self.versions[version]) for processor in self.processors.values())

    def saved(self, version: Version) -> int:
        """Return how many crashes processors of a version have saved, by their logs."""
        return sum(processor.saved(self.versions[version]) for processor in self.processors.values())

    def facts(self) -> Mapping[str, int]:
        return {
            f"{what} the {version} version": count(version)
            for version in VERSIONS
            for what, count in (("processors of", self.started), ("crashes saved by", self.saved))
        }


class RollingEmbedded(RollingSite, EmbeddedSite):
    """One SQLite file and one directory of crashes for both versions."""

    # In one lane, because a setup makes the directory anew while it is away.
    service_lanes = (Lane("store", 5.0, (StoreAway(), *_SET_UPS)),)


class RollingProduction(RollingSite, ProductionSite):
    """RabbitMQ, S3, PostgreSQL and Elasticsearch for both versions; these keep running."""

    service_lanes = (
        Lane("setup", 8.0, _SET_UPS),
        *(
            Lane(f"link to {service}", 15.0, tuple(Link(service, name) for name in _LINK_FAULTS))
            for service in ADDRESSES
        ),
    )

    def servers(self) -> AbstractContextManager[None]:
        return nullcontext()
