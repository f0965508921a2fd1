"""A collector with the store and the queue of an embedded installation, and uploads for it."""

from __future__ import annotations

import errno
import hashlib
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socorro_processor.collector.acceptance import Answer
from socorro_processor.collector.collector import Collector
from socorro_processor.collector.disk import Disk
from socorro_processor.collector.spool import SpoolFile, no_step
from socorro_processor.collector.submission import StoredFile, Submission
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import CrashQueueError, TransientStorageError

MOMENT = datetime(2026, 11, 23, 12, tzinfo=UTC)
REPORT = "1c0ffee0-0000-4000-8000-00000000000a"


def report_id(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


class AwayStore(FileSystemCrashStorage):
    """A store that can be taken away, and that counts what it saves."""

    is_away = False
    refuses: Callable[[str], bool] = staticmethod(lambda crash_id: False)

    def __init__(self, config) -> None:
        super().__init__(config)
        self.saved: list[str] = []

    def get_raw_crash(self, crash_id, note=lambda text: None):
        self._check()
        return super().get_raw_crash(crash_id, note)

    def save_raw_crash(self, raw_crash, dumps, crash_id):
        self._check()
        if self.refuses(crash_id):
            raise TransientStorageError(f"{crash_id} is refused")
        super().save_raw_crash(raw_crash, dumps, crash_id)
        self.saved.append(crash_id)

    def _check(self) -> None:
        if self.is_away:
            raise TransientStorageError("the store is away")


class AwayQueue(SQLiteCrashQueue):
    """A queue that can be taken away, and that lists what was submitted."""

    is_away = False

    def __init__(self, config) -> None:
        super().__init__(config)
        self.submitted: list[str] = []

    def submit(self, crash_id, queue="normal", work=""):
        if self.is_away:
            raise CrashQueueError("the queue is away")
        super().submit(crash_id, queue, work)
        self.submitted.append(crash_id)


class FailingDisk(Disk):
    """A disk whose operations fail when a test says so."""

    def __init__(self) -> None:
        self.room: int | None = None
        """The bytes that can still be written; None: any number."""
        self.fails: dict[str, int] = {}
        """The error number of an operation, by its name."""
        self.done: list[str] = []

    def create(self, path: Path) -> int:
        self._do("create")
        return super().create(path)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._do("write")
        if self.room is not None:
            if self.room == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: self.room]
            self.room -= len(data)
        return super().write(descriptor, data)

    def synchronize(self, descriptor: int) -> None:
        self._do("synchronize")
        super().synchronize(descriptor)

    def rename(self, path: Path, target: Path) -> None:
        self._do("rename")
        super().rename(path, target)

    def synchronize_directory(self, directory: Path) -> None:
        self._do("synchronize directory")
        super().synchronize_directory(directory)

    def _do(self, name: str) -> None:
        if number := self.fails.get(name):
            raise OSError(number, os.strerror(number))
        self.done.append(name)


def write_submission(file: SpoolFile, dumps: dict[str, bytes] | None = None, **values: Any) -> Submission:
    """Write files as a reader does, and return what it returns."""
    files = []
    for name, data in ({MAIN_DUMP: b"MDMP dump"} if dumps is None else dumps).items():
        kind = "dump" if name.startswith(MAIN_DUMP) else "attachment"
        start = file.size
        file.write(data)
        files.append(StoredFile(name, kind, f"{name}.dmp", start, len(data), hashlib.sha256(data).hexdigest()))
    values = {"annotations": {"ProductName": "Browser"}, "client": "crashpad", "report_id": ""} | values
    values = {"client_uuid": "", "notes": []} | values
    return Submission(files=files, **values)


class Site:
    """An installation below ``directory``. ``restart`` ends the collector and starts another."""

    def __init__(self, directory: Path, *, disk: Disk | None = None, step=no_step, **options: str) -> None:
        self.directory = directory
        self.options = {"spool": str(directory / "spool"), "reserve": "0"} | options
        self._disk = disk
        self._step = step
        self._stack = ExitStack()
        self._is_running = False
        self.store = AwayStore(defaults(AwayStore, root=str(directory / "crashes")))
        self._stack.callback(self.store.close)
        queue = defaults(AwayQueue, path=str(directory / "queue.sqlite"), idle_delay=0.01)
        self.queue = self._stack.enter_context(closing(AwayQueue(queue)))
        self.collector = self._new_collector()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    def stop(self) -> None:
        """Stop the collector, if it runs."""
        if self._is_running:
            self._is_running = False
            self.collector.stop()

    def _new_collector(self) -> Collector:
        config = defaults(Collector, **self.options)
        collector = Collector(config, self.store, self.queue, disk=self._disk, step=self._step)
        self._is_running = True
        return collector

    def restart(self, **options: str) -> None:
        self.stop()
        self.options |= options
        self.collector = self._new_collector()

    def send(
        self, dumps: dict[str, bytes] | None = None, *, moment: datetime = MOMENT, key: str = "", **values: Any
    ) -> Answer:
        """Send an upload; ``values`` are those of its Submission."""
        file = self.collector.begin()
        return self.collector.accept(write_submission(file, dumps, **values), file, moment, key)

    def hand_over(self) -> None:
        """Run the collector's thread until the spool is empty, and then another collector."""
        self.collector.start()
        self.wait_until(lambda: not self.collector.status().crashes)
        self.restart()

    @staticmethod
    def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, "it takes too long"
            time.sleep(0.01)

    def stored(self) -> Counter[str]:
        """Return the ids of the crashes in the store."""
        # A name with a dot at its beginning is that of a file that a killed store was writing.
        return Counter(path.name for path in (self.directory / "crashes").glob("v2/raw_crash/*/*/[!.]*"))

    def queued(self) -> list[str]:
        """Take all ids from the queue, in order."""
        taken = []
        for delivery in self.queue.new_crashes():
            if delivery is None:
                return taken
            self.queue.ack(delivery)
            taken.append(delivery.crash_id)
        raise AssertionError("the queue ended")

    def files(self, name: str) -> list[str]:
        """Return the names in a directory of the spool."""
        return sorted(path.name for path in (self.directory / "spool" / name).iterdir())
