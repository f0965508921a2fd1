"""A collector: submits crashes at a steady rate, from a process of its own.

    python -m tests.chaos.submitter JOURNAL RATE SEED

Each line of its standard input is a kind of crash that it submits beside the others; the end of it is its end. Each
line of the journal is a crash that store and queue have said they have, and what is to become of it.
"""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

from socorro_processor.cli.command import build
from socorro_processor.configuration import Configuration
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, QueueName
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.errors import CrashQueueError, CrashStorageError
from tests.chaos import walks
from tests.chaos.poison import ANNOTATION, POISONS
from tests.shared import REPOSITORY
from tests.system.daemon import configuration, eventually

Fate = Literal["saved", "parked", "rejected"]

HEALTHY, TWICE, MALFORMED, UNKNOWN, NONSENSE = "healthy", "submitted twice", "malformed", "unknown id", "no crash id"
FATES: dict[str, Fate] = {
    HEALTHY: "saved",
    TWICE: "saved",
    MALFORMED: "parked",
    **dict.fromkeys((f"poison: {poison}" for poison in POISONS), cast(Fate, "parked")),
    UNKNOWN: "rejected",
    NONSENSE: "rejected",
}
"""What must become of a crash of each kind."""

_QUEUE_SHARES = {"normal": 7, "priority": 2, "reprocessing": 1}
_DELAY = 0.2
_ENDS_WITHIN = 120.0


@dataclass(frozen=True)
class Submitted:
    crash_id: str
    kind: str
    dump: str = ""
    """Which it has, of those in ``walks``."""

    @property
    def fate(self) -> Fate:
        return FATES[self.kind]


class Submitter:
    """The process, from its first crash to the end of a ``with``."""

    def __init__(self, environment: Mapping[str, str], journal: Path, rate: float, seed: int) -> None:
        self._environment = dict(environment)
        self._journal = journal
        self._arguments = (str(journal), str(rate), str(seed))

    def __enter__(self) -> Self:
        self._journal.touch()
        with self._journal.with_suffix(".log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.submitter", *self._arguments],
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        eventually(self.submitted, lambda: f"nothing was submitted: see {self._journal}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def submit_too(self, kind: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind}\n")
        self._process.stdin.flush()

    def stop(self) -> list[str]:
        """Return once what it began to submit is submitted; what went wrong, where that could not be."""
        self._process.communicate(timeout=_ENDS_WITHIN)
        code = self._process.returncode
        return [f"the submitter ended with {code}: see {self._journal.with_suffix('.log')}"] if code else []

    def submitted(self) -> list[Submitted]:
        """All until now."""
        # The last line may be half written.
        whole, _, _ = self._journal.read_text().rpartition("\n")
        return [Submitted(**json.loads(line)) for line in whole.splitlines()]


def main(journal: Path, rate: float, seed: int) -> None:
    configured, shares = configuration(os.environ), walks.dumps()
    chance = random.Random(seed)
    store, queue = build("source", configured), _Queue(configured)
    with journal.open("a", buffering=1) as lines:
        for kind in _kinds(1 / rate):
            name = cast(QueueName, *chance.choices(QUEUES, [_QUEUE_SHARES[name] for name in QUEUES]))
            crash_id = new_crash_id()
            dump = chance.choices(list(shares), list(shares.values()))[0]
            if kind == NONSENSE:
                crash_id = f"../{crash_id}\0"
            elif kind != UNKNOWN:
                raw_crash, dumps = _crash(kind, crash_id, dump)
                _until_done(store.save_raw_crash, raw_crash, dumps, crash_id)
            for _ in range(2 if kind == TWICE else 1):
                _until_done(queue.submit, crash_id, name)
            lines.write(json.dumps(asdict(Submitted(crash_id, kind, dump))) + "\n")
    queue.close()
    store.close()


class _Queue:
    """The queue; opened anew once it is lost to this process."""

    def __init__(self, configured: Configuration) -> None:
        self._configured = configured
        self._queue: CrashQueueBase = build("new_crash_source", configured)

    def submit(self, crash_id: str, name: QueueName) -> None:
        if self._queue.lost():
            self._queue = build("new_crash_source", self._configured)
        self._queue.submit(crash_id, name)

    def close(self) -> None:
        self._queue.close()


def _kinds(interval: float) -> Iterator[str]:
    """A healthy one each ``interval``, and in between what is asked for, until standard input ends."""
    due = time.monotonic()
    while True:
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], max(0.0, due - time.monotonic()))
        if not readable:
            due += interval
            yield HEALTHY
            continue
        # What is read at once, or `select` would not see it.
        read = os.read(sys.stdin.fileno(), 65536)
        if not read:
            return
        yield from read.decode().splitlines()


def _crash(kind: str, crash_id: str, dump: str) -> tuple[Any, dict[str, Path]]:
    if kind == MALFORMED:
        return ["no", "object"], {}
    raw_crash = walks.annotations(dump)
    raw_crash |= {"submitted_timestamp": datetime.now(UTC).isoformat(), "uuid": crash_id}
    if kind.startswith("poison: "):
        raw_crash[ANNOTATION] = kind.removeprefix("poison: ")
    return raw_crash, {MAIN_DUMP: walks.dump_file(dump)}


def _until_done(do: Any, *arguments: Any) -> None:
    """A collector keeps a crash until it is taken from it."""
    while True:
        try:
            do(*arguments)
            return
        except CrashStorageError as error:
            if not error.transient:
                raise
        except CrashQueueError:
            pass
        time.sleep(_DELAY)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
