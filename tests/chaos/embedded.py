"""The embedded configuration as the site of a run, without servers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import ClassVar

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import LEFT_OVER_AGE, TEMPORARY_SUFFIX
from tests.chaos.disk import Disk
from tests.chaos.lanes import EMBEDDED, PROCESSORS
from tests.chaos.leftovers import files_in
from tests.chaos.site import Reader, Site
from tests.system.daemon import Installation

STORE_DISK_SIZE = 2 << 30


class EmbeddedSite(Site):
    """``config/processor.ini``: a filesystem store and an SQLite queue, on a disk that can be full."""

    own_lanes = EMBEDDED
    options: ClassVar[Mapping[str, str]] = {"new_crash_source.lease_time": "10", "new_crash_source.busy_timeout": "1"}

    def __init__(self, directory: Path, options: Mapping[str, str], processors: int = PROCESSORS) -> None:
        super().__init__(directory, options, processors)
        data = directory / "data"
        self.disks["store's disk"] = Disk(data, STORE_DISK_SIZE)
        self.crashes = data / "crashes"
        self.queue_file = data / "queue.sqlite"
        self.saved_by_the_operator = 0
        """How often every process was killed that had the queue open when its files were removed."""
        self._options |= {"resource.filesystem.root": str(self.crashes), "new_crash_source.path": str(self.queue_file)}

    def installed(self) -> AbstractContextManager[Installation]:
        return closing(Installation(self.directory))

    def readers(self) -> dict[str, Reader]:
        store = self.destination()
        return {type(store).__name__: store.get_unredacted_processed}

    def facts(self) -> Mapping[str, int]:
        return {**super().facts(), "queue saved by the operator": self.saved_by_the_operator}

    def left_behind(self) -> list[str]:
        copies = map(str, self.queue_file.parent.glob(f"{self.queue_file.name}.rescued-*"))
        return [*super().left_behind(), *files_in([Path(f"{self.queue_file}.owners")]), *copies, *self._unfinished()]

    def _unfinished(self) -> Iterator[str]:
        """Yield the files of killed writers that are still in the store after their time."""
        long_ago = time.time() - 2 * LEFT_OVER_AGE
        store = self.destination()
        for path in self.crashes.rglob(f".*{TEMPORARY_SUFFIX}"):
            os.utime(path, (long_ago, long_ago))
            if path.is_relative_to(self.crashes / "v2"):
                # The next raw crash beside it removes it: a crash of the same day whose id begins with the same digits.
                crash_id = path.name[1:4] + new_crash_id()[3:-6] + path.name[31:37]
                store.save_raw_crash({}, {}, crash_id)
                store.remove(crash_id)
        store.check()
        yield from map(str, self.crashes.rglob(f".*{TEMPORARY_SUFFIX}"))
