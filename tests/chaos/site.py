"""The site of a run: a configuration with its own data, and the parts that faults can break."""

from __future__ import annotations

import copy
import json
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from socorro_processor.cli.command import build_component
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.pipeline.mozilla_2015 import RULE_SETS
from tests.chaos.disk import Disk
from tests.chaos.lanes import COMMON, PROCESSORS, of_processors
from tests.chaos.leftovers import files_in, processes_left
from tests.chaos.plan import Lane
from tests.chaos.processors import Supervised
from tests.chaos.submitter import Submitter
from tests.chaos.symbols import MANAGER, Symbols
from tests.chaos.walker import FaultyWalker
from tests.chaos.walks import CleanWalks
from tests.shared import REPOSITORY, stackwalker
from tests.statsd_server import StatsdServer
from tests.system.daemon import Installation, configuration, variables

Reader = Callable[[str], dict[str, Any]]
"""Reads the processed crash of an id from one destination. Raises CrashIDNotFound."""

TEMPORARY_DISK_SIZE = 64 << 20
SYMBOL_DISK_SIZE = 64 << 20

_WALKER = "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015"

RETRY_DELAYS = "0.2, 0.5, 1, 2"

OPTIONS = {
    "plugins.path": str(REPOSITORY),
    "processor.rule_sets": json.dumps(
        [*(name for name, *_ in RULE_SETS), ["chaos", "", "", "apply_all_rules", "tests.chaos.poison.PoisonRule"]]
    ),
    "producer_consumer.number_of_threads": "2",
    # Short, so that a minute has many of each.
    f"{_WALKER}.kill_timeout": "3",
    f"{_WALKER}.verify_walks": "0.1",
    f"{_WALKER}.symbols_path": "",
    "app.maximum_crash_time": "8",
    "producer_consumer.shutdown_timeout": "20",
    "new_crash_source.retry_delays": RETRY_DELAYS,
}


class Site:
    """A site within a ``with``: everything exists, but nothing runs yet."""

    own_lanes: ClassVar[tuple[Lane, ...]] = ()
    """Beside those that every site has."""
    options: ClassVar[Mapping[str, str]] = {}
    """Beside those that every site has."""

    def __init__(self, directory: Path, options: Mapping[str, str], processors: int = PROCESSORS) -> None:
        self.directory = directory
        self.names = _names(processors)
        """The names of the processors."""
        self.lanes = self.lanes_with(processors)
        self.disks = {
            "temporary disk": Disk(directory / "temporary", TEMPORARY_DISK_SIZE),
            "symbol cache's disk": Disk(directory / "symbols", SYMBOL_DISK_SIZE),
        }
        self.walker = FaultyWalker(directory, stackwalker())
        self.clean_walks = CleanWalks(stackwalker(), directory / "served")
        self.symbols = Symbols(self.disks["symbol cache's disk"].directory, self.clean_walks.served)
        self.statsd: StatsdServer
        self._temporary = {name: directory / "temporary" / name for name in ("own", "system")}
        self._options = {
            **OPTIONS,
            "app.temporary_directory": str(self._temporary["own"]),
            f"{_WALKER}.command_pathname": str(self.walker.path),
            **self.options,
            **options,
        }
        self.installation: Installation
        self.processors: dict[str, Supervised] = {}
        self.submitter: Submitter
        self._closing = ExitStack()

    @classmethod
    def lanes_with(cls, processors: int) -> tuple[Lane, ...]:
        """Return the faults for so many processors."""
        return (*of_processors(_names(processors)), *COMMON, *cls.own_lanes)

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            for disk in self.disks.values():
                entered.enter_context(disk)
            for directory in self._temporary.values():
                directory.mkdir()
            self.statsd = entered.enter_context(StatsdServer())
            self._options |= entered.enter_context(self.symbols).options
            self._options |= {"metrics.statsd_host": self.statsd.host, "metrics.statsd_port": str(self.statsd.port)}
            self.installation = entered.enter_context(self.installed())
            self.installation.environment |= variables(self._options) | {"TMPDIR": str(self._temporary["system"])}
            self.set_up()
            self._closing = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, error, trace)

    def start(self, stack: ExitStack, rate: float, seed: int) -> None:
        """Run the processors and the submitter until the end of ``stack``."""
        for name in self.names:
            self.processors[name] = stack.enter_context(Supervised(name, self.next_one(name, seed)))
        self.submitter = stack.enter_context(self.new_submitter(self.directory / "submitted.jsonl", rate, seed))

    def new_submitter(self, journal: Path, rate: float, seed: int) -> Submitter:
        return Submitter(self.installation.environment, journal, rate, seed)

    def stop(self) -> list[str]:
        """End what runs beside the processors, which have ended; return what went wrong."""
        return []

    def set_up(self) -> None:
        """Set the queue and the stores up."""
        done = self.patient(self.installation).socorro("setup")
        assert done.returncode == 0, done.stdout + done.stderr

    def patient(self, installation: Installation) -> Installation:
        """Return the same without the short timeouts of a run: on a busy machine servers are slow at first."""
        patient = copy.copy(installation)
        short = variables(self.options)
        patient.environment = {name: value for name, value in installation.environment.items() if name not in short}
        return patient

    def next_one(self, name: str, seed: int) -> Callable[[], Installation]:
        """Return the installation of a processor, each time that it starts."""
        return lambda: self.installation

    def queue(self) -> CrashQueueBase:
        """Return a new connection to the queue; the caller closes it."""
        queue: CrashQueueBase = build_component(
            "new_crash_source", configuration(self.patient(self.installation).environment)
        )
        return queue

    def depths_are_complete(self) -> bool:
        """Return True if the queue's depths, read from now on, count every crash that is not done."""
        return True

    def mend(self) -> None:
        """Mend everything that is still broken because a fault could not be ended."""
        for processor in self.processors.values():
            processor.reading.set()
        self.walker.mend()
        self.symbols.server_is_good()
        self.symbols.signal(MANAGER, signal.SIGCONT)

    def out_of_order(self) -> list[str]:
        """Return what has not recovered on its own, some time after all was mended, while processors run."""
        return self.symbols.out_of_order()

    def installed(self) -> AbstractContextManager[Installation]:
        raise NotImplementedError

    def readers(self) -> dict[str, Reader]:
        """Return a reader for each destination that can return processed crashes."""
        raise NotImplementedError

    def facts(self) -> Mapping[str, int]:
        """Return other remarks on a run."""
        return {}

    def left_behind(self) -> list[str]:
        """Called once all processors have ended."""
        return [
            *processes_left(self.directory),
            *files_in(self._temporary.values()),
            *self.symbols.left_behind(),
        ]

    def destination(self) -> Any:
        """Yield the configured store, and close it at the end."""
        store = build_component("destination", configuration(self.patient(self.installation).environment))
        self._closing.callback(store.close)
        return store


def _names(processors: int) -> list[str]:
    return [f"processor {number}" for number in range(1, processors + 1)]
