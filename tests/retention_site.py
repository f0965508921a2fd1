"""A store with its search index and its queue in a directory, and the part of the program that bounds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from socorro_processor.cli.all_options import all_options
from socorro_processor.configuration import Configuration, Source
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.fields import FieldTable
from socorro_processor.removal import NeededCrashes
from socorro_processor.retention.bounds import Bounds
from socorro_processor.retention.ledger import Ledger
from socorro_processor.retention.retention import LEDGER, Needed, Retention, Round
from socorro_processor.retention.store import RetainedStore
from socorro_processor.retention.survey import Pace
from socorro_processor.search.indexed_filesystem import IndexedFileSystemCrashStorage
from socorro_processor.search.sqlite.crashstorage import SQLiteSearchIndex
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DUMP = b"MDMP" * 5000
"""A dump of five blocks of a disk."""
DUMP_SIZE = 20480


class AuditLines:
    """Keeps what is written for the audit log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Mapping[str, str]]] = []

    def write(self, message: str, fields: Mapping[str, str]) -> None:
        self.lines.append((message, fields))


class RetentionSite:
    """All is closed at the end of a block."""

    def __init__(self, directory: Path, store_class: type[RetainedStore] = RetainedStore) -> None:
        self.root = directory / "crashes"
        self.values = Configuration(
            all_options(),
            [
                Source(
                    {
                        "resource.filesystem.root": str(self.root),
                        "new_crash_source.path": str(directory / "queue.sqlite"),
                        "new_crash_source.idle_delay": "0.01",
                    }
                )
            ],
        ).values
        index = IndexedFileSystemCrashStorage.index_directory(self.values.destination)
        self._closing = ExitStack()
        self.destination = self._open(IndexedFileSystemCrashStorage(self.values.destination))
        self.store = self._open(store_class(self.values.source))
        self.queue = self._open(SQLiteCrashQueue(self.values.new_crash_source))
        self.writer = self._open(SQLiteSearchIndex(self.values.destination, path=index))
        self.index = self._open(SQLiteCrashIndex(index, FieldTable()))
        self.audit = AuditLines()
        self.now = NOW
        self.destination.setup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def crash(
        self,
        age: float = 0.0,
        signature: str | None = "main",
        product: str = "Browser",
        *,
        dumps: Mapping[str, bytes] | None = None,
        processed: bool = True,
        id_age: float | None = None,
    ) -> str:
        """Save a crash that arrived ``age`` days ago; ``id_age``: the age that its id tells, if that differs."""
        crash_id = new_crash_id((self.now - timedelta(days=age if id_age is None else id_age)).date())
        dumps = {"upload_file_minidump": DUMP, "log": b"a line\n"} if dumps is None else dumps
        self.store.save_raw_crash({"ProductName": product, "Version": "1.0"}, dumps, crash_id)
        if processed:
            self.process(crash_id, signature, product, age)
        moment = (self.now - timedelta(days=age)).timestamp()
        for path in self.files(crash_id):
            os.utime(path, (moment, moment))
        return crash_id

    def process(self, crash_id: str, signature: str | None, product: str = "Browser", age: float = 0.0) -> None:
        processed: dict[str, Any] = {
            "uuid": crash_id,
            "signature": signature,
            "product": product,
            "version": "1.0",
            "date_processed": (self.now - timedelta(days=age)).isoformat(),
            "json_dump": {"threads": [{"frames": []}], "crashing_thread": {"frames": [{"function": signature}]}},
            "processing": {"algorithm": 2026},
        }
        self.destination.save_processed(processed)

    def keep(self, bounds: Bounds, *, needed: Needed | None = None, is_trusted: bool = True) -> Round:
        """Let a round keep these bounds."""
        if is_trusted:
            self.trust_clock()
        return self.retention(bounds, needed=needed).run(self.now.timestamp())

    def retention(self, bounds: Bounds, *, needed: Needed | None = None, pace: Pace = lambda: None) -> Retention:
        needed = needed or NeededCrashes(self.queue).among
        return Retention(self.store, bounds, needed, self.audit, index=self.writer, reader=self.index, pace=pace)

    def trust_clock(self) -> None:
        """Let the store have been looked at a moment ago, as if this process had run for long."""
        with closing(Ledger(self.root / LEDGER)) as ledger:
            ledger.set_time("last look", self.now.timestamp())
            ledger.set_time("doubted since", None)

    def files(self, crash_id: str) -> list[Path]:
        return sorted(path for path in self.root.rglob(crash_id) if path.is_file())

    def parts(self, crash_id: str) -> set[str]:
        """Return the names of the folders that have a file of a crash."""
        return {path.relative_to(self.root).parts[1] for path in self.files(crash_id)}

    def indexed(self) -> set[str]:
        return set(self.index.crash_ids())

    def kept(self) -> set[str]:
        """Return the crashes of which anything is left in the store; the index must have the same."""
        stored = {crash_id for crash_id, _ in self.store.seen()}
        assert self.indexed() <= stored
        return stored

    def size_of(self, crash_id: str) -> int:
        return sum(path.stat().st_blocks * 512 for path in self.files(crash_id))

    def _open(self, part: Any) -> Any:
        return self._closing.enter_context(closing(part))
