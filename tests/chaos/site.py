"""The place of a run: a configuration with data of its own, and all that faults can befall there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from elasticsearch import NotFoundError

from socorro_processor.cli.command import build
from socorro_processor.crash_id import crash_date
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.filesystem import LEFT_OVER_AGE, TEMPORARY_SUFFIX
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.statsd import StatsdCounter
from socorro_processor.errors import CrashIDNotFound
from socorro_processor.pipeline.mozilla_2015 import RULE_SETS
from tests.chaos.disk import Disk
from tests.chaos.lanes import COMMON, EMBEDDED, PROCESSORS, PRODUCTION
from tests.chaos.leftovers import files_in, processes_of
from tests.chaos.plan import Lane
from tests.chaos.processors import Supervised
from tests.chaos.submitter import Submitter
from tests.chaos.walker import FaultyWalker
from tests.faults.proxy import Proxy
from tests.shared import REPOSITORY, SAMPLES, stackwalker
from tests.system.daemon import Installation, configuration, variables
from tests.system.production import Production

Reader = Callable[[str], dict[str, Any]]
"""The processed crash of an id, from one destination. Raises CrashIDNotFound."""

ADDRESSES = {
    "rabbitmq": "resource.rabbitmq.port",
    "s3": "resource.boto.endpoint_url",
    "postgresql": "resource.postgresql.database_port",
    "elasticsearch": "resource.elasticsearch.elasticsearch_urls",
}

TEMPORARY_DISK_SIZE = 64 << 20
STORE_DISK_SIZE = 2 << 30

_WALKER = "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015"

OPTIONS = {
    "plugins.path": str(REPOSITORY),
    "processor.rule_sets": json.dumps(
        [*(name for name, *_ in RULE_SETS), ["chaos", "", "", "apply_all_rules", "tests.chaos.poison.PoisonRule"]]
    ),
    "producer_consumer.number_of_threads": "2",
    # Short, so that a minute has many of each in it.
    f"{_WALKER}.kill_timeout": "3",
    "app.maximum_crash_time": "8",
    "producer_consumer.shutdown_timeout": "20",
    "new_crash_source.retry_delays": "0.2, 0.5, 1, 2",
}


class Site:
    """Everything is there, but nothing runs yet, within a ``with``."""

    installation: Installation
    lanes: tuple[Lane, ...] = COMMON
    hidden_for = 1.0
    """Seconds that a crash in flight may not show in the queue's depths."""

    def __init__(self, directory: Path, options: Mapping[str, str]) -> None:
        self.directory = directory
        self.disks = {"temporary disk": Disk(directory / "temporary", TEMPORARY_DISK_SIZE)}
        self.walker = FaultyWalker(directory, stackwalker())
        self.installation = self._installation()
        self._temporary = [directory / "temporary" / name for name in ("own", "system")]
        own, system = map(str, self._temporary)
        self.installation.environment |= {"TMPDIR": system} | variables(
            OPTIONS
            | {
                "app.temporary_directory": own,
                f"{_WALKER}.command_pathname": str(self.walker.path),
                f"{_WALKER}.symbols_path": str(SAMPLES / "symbols"),
            }
            | options
        )
        self.processors: dict[str, Supervised] = {}
        self.submitter: Submitter
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        for disk in self.disks.values():
            self._closing.enter_context(disk)
        for directory in self._temporary:
            directory.mkdir()
        done = self.installation.socorro("setup")
        if done.returncode:
            self._closing.close()
            raise RuntimeError(f"socorro setup failed:\n{done.stderr}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def start(self, stack: ExitStack, rate: float, seed: int) -> None:
        """Have the processors and the submitter run until the end of ``stack``."""
        for name in PROCESSORS:
            self.processors[name] = stack.enter_context(Supervised(name, self.installation))
        journal = self.directory / "submitted.jsonl"
        self.submitter = stack.enter_context(Submitter(self.installation.environment, journal, rate, seed))

    def queue(self) -> CrashQueueBase:
        """A connection of its own to the queue; the caller closes it."""
        queue: CrashQueueBase = build("new_crash_source", configuration(self.installation.environment))
        return queue

    def readers(self) -> dict[str, Reader]:
        """For each destination that gives back what it was given."""
        raise NotImplementedError

    def left_behind(self) -> list[str]:
        """Once all processors have ended."""
        return [*files_in(self._temporary), *processes_of(self.directory)]

    def _installation(self) -> Installation:
        raise NotImplementedError

    def _built(self, component: str) -> Any:
        """A component as it is configured, closed at the end."""
        built = build(component, configuration(self.installation.environment))
        self._closing.callback(built.close)
        return built


class EmbeddedSite(Site):
    """``config/processor.ini``: a filesystem store and an SQLite queue, on a disk that can be full."""

    lanes = (*COMMON, *EMBEDDED)

    def __init__(self, directory: Path, options: Mapping[str, str]) -> None:
        self.data = directory / "data"
        self.crashes = self.data / "crashes"
        self.queue_file = self.data / "queue.sqlite"
        embedded = {
            "resource.filesystem.root": str(self.crashes),
            "new_crash_source.path": str(self.queue_file),
            "new_crash_source.lease_time": "10",
            "new_crash_source.busy_timeout": "1",
        }
        super().__init__(directory, embedded | dict(options))
        self.disks["store's disk"] = Disk(self.data, STORE_DISK_SIZE)

    def readers(self) -> dict[str, Reader]:
        store = self._store()
        return {type(store).__name__: store.get_unredacted_processed}

    def left_behind(self) -> list[str]:
        return [*super().left_behind(), *files_in([Path(f"{self.queue_file}.owners")]), *self._unfinished()]

    def _installation(self) -> Installation:
        return Installation(self.directory)

    def _store(self) -> CrashStorageBase:
        store: CrashStorageBase = self._built("destination")
        return store

    def _unfinished(self) -> Iterator[str]:
        """What killed writers left in the store, and is still there when its time has come."""
        long_ago = time.time() - 2 * LEFT_OVER_AGE
        for path in self.crashes.rglob(f".*{TEMPORARY_SUFFIX}"):
            os.utime(path, (long_ago, long_ago))
        self._store().check()
        yield from map(str, self.crashes.rglob(f".*{TEMPORARY_SUFFIX}"))


class ProductionSite(Site):
    """``config/processor-production.ini`` on real servers, with a proxy in front of each."""

    lanes = (*COMMON, *PRODUCTION)
    hidden_for = 30.0

    def __init__(self, directory: Path, options: Mapping[str, str]) -> None:
        production = {
            "resource.rabbitmq.timeout": "3",
            "resource.rabbitmq.heartbeat": "4",
            "resource.boto.connection_timeout": "1",
            "resource.boto.read_timeout": "3",
            "resource.boto.number_of_tries": "2",
            "resource.postgresql.connect_timeout": "2",
            "resource.postgresql.statement_timeout": "3",
            "resource.elasticsearch.elasticsearch_timeout": "3",
            # Longer than all of these together.
            "app.maximum_crash_time": "25",
            "health.port": "0",
        }
        super().__init__(directory, production | dict(options))
        self.proxies: dict[str, Proxy] = {}

    def __enter__(self) -> Self:
        addresses = self.installation.options
        for service, option in ADDRESSES.items():
            # A port, or a URL that ends in one.
            before, colon, port = addresses[option].rpartition(":")
            proxy = self._closing.enter_context(Proxy("127.0.0.1", int(port)))
            self.proxies[service] = proxy
            self.installation.environment |= variables({option: f"{before}{colon}{proxy.port}"})
        return super().__enter__()

    def readers(self) -> dict[str, Reader]:
        stores: PolyCrashStorage = self._built("destination")
        return {
            type(store).__name__: self._from_elasticsearch
            if isinstance(store, ESCrashStorage)
            else store.get_unredacted_processed
            for store in stores.stores.values()
            if not isinstance(store, StatsdCounter)
        }

    def _from_elasticsearch(self, crash_id: str) -> dict[str, Any]:
        """By its own client: the store only searches."""
        pattern = self.installation.options["resource.elasticsearch.elasticsearch_index"]
        try:
            found = self.installation.elasticsearch.get(index=crash_date(crash_id).strftime(pattern), id=crash_id)
        except NotFoundError:
            raise CrashIDNotFound(crash_id) from None
        processed: dict[str, Any] = found["_source"]["processed_crash"]
        return processed

    def _installation(self) -> Production:
        return Production(self.directory, SAMPLES / "symbols", {})


SITES: dict[str, type[Site]] = {"embedded": EmbeddedSite, "production": ProductionSite}
