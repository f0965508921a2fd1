"""Tables of faults and how often they happen."""

from __future__ import annotations

from collections.abc import Sequence
from signal import SIGHUP, SIGKILL, SIGTERM

from tests.chaos.faults import (
    LINK_FAULTS,
    ClusterReplaced,
    FewDescriptors,
    Freeze,
    Full,
    Link,
    LittleMemory,
    LogNotRead,
    QueueFilesRemoved,
    QueueLocked,
    SecondSignal,
    ServiceEnds,
    Signal,
    StoreAway,
    Submitted,
    Walker,
)
from tests.chaos.plan import Lane
from tests.chaos.submitter import FATES, HEALTHY
from tests.chaos.symbol_faults import DAMAGES, CacheWiped, IndexesDamaged, ProcessFrozen, ProcessKilled, ServerIs
from tests.chaos.symbols import ANSWERS, DRIPS_BODY, DRIPS_HEADER, HANGS, MANAGER
from tests.chaos.walker import FAULTS, IS_GONE

SERVICES = ("rabbitmq", "s3", "postgresql", "elasticsearch")
PROCESSORS = 2
"""The number of processors by default."""

QUICK = tuple(kind for kind in FATES if kind not in (HEALTHY, "poison: hangs"))

COMMON = (
    Lane("stackwalker", 6.0, tuple(Walker(name) for name in (*FAULTS, IS_GONE))),
    Lane("temporary disk", 15.0, (Full("temporary disk"),)),
    Lane("symbol server", 6.0, tuple(ServerIs(name) for name in (HANGS, DRIPS_HEADER, DRIPS_BODY, *ANSWERS))),
    Lane("symbol cache", 12.0, (CacheWiped(),)),
    Lane("symbol cache's disk", 25.0, (Full("symbol cache's disk"),)),
    Lane("symbol cache's manager", 8.0, (ProcessKilled(MANAGER), ProcessKilled(MANAGER), ProcessFrozen(MANAGER))),
    Lane("symbol indexes", 5.0, tuple(IndexesDamaged(name) for name in DAMAGES)),
    # A hanging crash takes long, five times over.
    Lane("crash", 6.0, tuple(Submitted(kind) for kind in (*QUICK, *QUICK, "poison: hangs"))),
)


def of_processors(names: Sequence[str]) -> tuple[Lane, ...]:
    """Return the faults of processors. Of more processors each is spared longer: the machine starts as many in all."""
    share = max(1.0, len(names) / PROCESSORS)
    return (
        *(
            Lane(
                name,
                5.0 * share,
                (
                    Signal(name, SIGKILL),
                    Signal(name, SIGKILL),
                    Signal(name, SIGTERM),
                    Signal(name, SIGHUP),
                    SecondSignal(name),
                    Freeze(name),
                    FewDescriptors(name),
                    LittleMemory(name),
                ),
            )
            for name in names
        ),
        # These have their own lanes: the processor is killed, stopped and starved meanwhile.
        *(Lane(f"log of {name}", 10.0 * share, (LogNotRead(name),)) for name in names),
    )


EMBEDDED = (
    Lane("store's disk", 20.0, (Full("store's disk"),)),
    Lane("store", 20.0, (StoreAway(),)),
    Lane("queue", 15.0, (QueueLocked(), QueueFilesRemoved(("-wal", "-shm")), QueueFilesRemoved(("-shm",)))),
)

ALSO = {"elasticsearch": (ClusterReplaced(), ClusterReplaced())}
"""The faults of a service besides its end."""

PRODUCTION = tuple(
    lane
    for service in SERVICES
    for lane in (
        Lane(service, 60.0, (ServiceEnds(service, "stop"), ServiceEnds(service, "kill"), *ALSO.get(service, ()))),
        Lane(f"link to {service}", 25.0, tuple(Link(service, name) for name in LINK_FAULTS)),
    )
)
