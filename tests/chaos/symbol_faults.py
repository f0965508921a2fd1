"""What goes wrong on purpose with symbols: their server, cache, indexes, and the processes that work on them."""

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
    """The symbol server answers otherwise than it should: see ``symbols``."""

    name: str
    lasts: tuple[float, float] = (1.0, 5.0)

    def begin(self, site: Site) -> None:
        site.symbols.server_is(self.name)

    def end(self, site: Site) -> None:
        site.symbols.server_is_good()


class CacheWiped(Fault):
    """All of its directory is removed while crashes are walked."""

    name = "wiped"

    def begin(self, site: Site) -> None:
        site.symbols.wipe()


@dataclass
class ProcessKilled(Fault):
    """One that the processor must start again."""

    program: str
    name: str = "killed"

    def begin(self, site: Site) -> None:
        site.symbols.wait_for(self.program)
        site.symbols.signal(self.program, signal.SIGKILL)


@dataclass
class ProcessFrozen(Fault):
    """The cache grows over its size meanwhile."""

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
    """Each of those that there are."""

    name: str

    def begin(self, site: Site) -> None:
        site.symbols.damage_indexes(DAMAGES[self.name])
