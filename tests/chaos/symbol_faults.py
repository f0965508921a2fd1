"""Cause faults of symbols: in their server, cache, indexes, and the processes that work on them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.chaos.faults import Fault
from tests.chaos.symbols import cut_short, flipped, outdated, removed

if TYPE_CHECKING:
    from tests.chaos.site import Site

DAMAGES: dict[str, Callable[[bytes, bytes], bytes | None]] = {
    "bits flipped": flipped,
    "cut short": cut_short,
    "old ones back": outdated,
    "removed": removed,
}


@dataclass
class ServerIs(Fault):
    """The symbol server answers wrongly, as ``symbols`` says."""

    name: str
    lasts: tuple[float, float] = (1.0, 5.0)

    def begin(self, site: Site) -> None:
        site.symbols.server_is(self.name)

    def end(self, site: Site) -> None:
        site.symbols.server_is_good()


class CacheWiped(Fault):
    """The cache's directory is removed while crashes are walked."""

    name = "wiped"

    def begin(self, site: Site) -> None:
        site.symbols.wipe()


@dataclass
class ProcessKilled(Fault):
    """A signal to a process that the processor must start again."""

    program: str
    name: str = "killed"

    def begin(self, site: Site) -> None:
        site.symbols.wait_for(self.program)
        site.symbols.signal(self.program, signal.SIGKILL)


@dataclass
class ProcessFrozen(Fault):
    """Every process of a program is stopped for a while."""

    program: str
    name: str = "frozen"
    lasts: tuple[float, float] = (2.0, 8.0)

    def begin(self, site: Site) -> None:
        site.symbols.wait_for(self.program)
        site.symbols.signal(self.program, signal.SIGSTOP)

    def end(self, site: Site) -> None:
        site.symbols.signal(self.program, signal.SIGCONT)


@dataclass
class IndexesDamaged(Fault):
    """Each index file is damaged."""

    name: str

    def begin(self, site: Site) -> None:
        site.symbols.damage_indexes(DAMAGES[self.name])
