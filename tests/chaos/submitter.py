"""A collector: submits crashes at a steady rate, from its own process.

    python -m tests.chaos.submitter JOURNAL RATE SEED

Each line of its standard input is a kind of crash that it also submits; it ends when the input ends. Each line of the
journal is a crash that store and queue have confirmed, and the end that it must come to.
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
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self, cast

from socorro_processor.cli.command import build_component
from socorro_processor.configuration import Configuration
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import CrashQueueBase, QueueName
from socorro_processor.crashqueue.history import FORCE
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.errors import CrashQueueError, CrashStorageError
from tests.chaos import walks
from tests.chaos.poison import ANNOTATION, POISONS
from tests.shared import REPOSITORY
from tests.system.daemon import configuration, eventually

Fate = Literal["saved", "parked", "rejected"]

HEALTHY, TWICE, MALFORMED, UNKNOWN, NONSENSE = "healthy", "submitted twice", "malformed", "unknown id", "no crash id"
AGAIN, AGAIN_BY_FORCE = "processed again", "processed again by force"
FATES: dict[str, Fate] = {
    HEALTHY: "saved",
    TWICE: "saved",
    AGAIN: "saved",
    AGAIN_BY_FORCE: "saved",
    MALFORMED: "parked",
    **dict.fromkeys((f"poison: {poison}" for poison in POISONS), cast(Fate, "parked")),
    UNKNOWN: "rejected",
    NONSENSE: "rejected",
}
"""The end that a crash of each kind must come to."""

_QUEUE_SHARES: Mapping[QueueName, int] = {"normal": 7, "priority": 2, "reprocessing": 1}
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
    """The process of the submitter, within a ``with``."""

    module: ClassVar = "tests.chaos.submitter"

    def __init__(self, environment: Mapping[str, str], journal: Path, rate: float, seed: int, *more: str) -> None:
        """``more`` are further arguments of the module."""
        self._environment = dict(environment)
        self._journal = journal
        self._arguments = (str(journal), str(rate), str(seed), *more)

    def __enter__(self) -> Self:
        self._journal.touch()
        with self._journal.with_suffix(".log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self._arguments],
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
        """Wait until it has submitted all that it began. Return the error if it could not."""
        self._process.communicate(timeout=_ENDS_WITHIN)
        code = self._process.returncode
        return [f"the submitter ended with {code}: see {self._journal.with_suffix('.log')}"] if code else []

    def submitted(self) -> list[Submitted]:
        """Return all crashes until now."""
        # The last line may be half written.
        whole, _, _ = self._journal.read_text().rpartition("\n")
        return [Submitted(**json.loads(line)) for line in whole.splitlines()]


def main(journal: Path, rate: float, seed: int) -> None:
    configured = configuration(os.environ)
    store, queue = build_component("source", configured), RunQueue(configured)
    collector = _Collector(store, queue, random.Random(seed))
    with journal.open("a", buffering=1) as lines:
        for kind in requested_kinds(1 / rate):
            lines.write(json.dumps(asdict(collector.submit(kind))) + "\n")
    queue.close()
    store.close()


class _Collector:
    """Submits crashes of each kind."""

    def __init__(self, store: Any, queue: RunQueue, chance: random.Random) -> None:
        self._store, self._queue, self._chance = store, queue, chance
        self._healthy: list[Submitted] = []

    def submit(self, kind: str) -> Submitted:
        if kind in (AGAIN, AGAIN_BY_FORCE) and self._healthy:
            return self._submit_again(kind)
        name = self._one_of(_QUEUE_SHARES)
        crash = Submitted(new_crash_id(), kind, self._one_of(walks.dumps()))
        if kind == NONSENSE:
            crash = replace(crash, crash_id=f"../{crash.crash_id}\0")
        elif kind != UNKNOWN:
            raw_crash, dumps = _crash(kind, crash.crash_id, crash.dump)
            until_done(self._store.save_raw_crash, raw_crash, dumps, crash.crash_id)
        for _ in range(2 if kind == TWICE else 1):
            until_done(self._queue.submit, crash.crash_id, name)
        if kind == HEALTHY:
            self._healthy.append(crash)
        return crash

    def _submit_again(self, kind: str) -> Submitted:
        crash = replace(self._chance.choice(self._healthy), kind=kind)
        until_done(self._queue.submit, crash.crash_id, "reprocessing", FORCE if kind == AGAIN_BY_FORCE else "")
        return crash

    def _one_of(self, shares: Mapping[Any, int]) -> Any:
        return self._chance.choices(list(shares), list(shares.values()))[0]


class RunQueue:
    """Return the queue, which is opened anew after a loss."""

    def __init__(self, configured: Configuration) -> None:
        self._configured = configured
        self._queue: CrashQueueBase = build_component("new_crash_source", configured)

    def submit(self, crash_id: str, name: QueueName, work: str = "") -> None:
        if self._queue.lost():
            self._queue = build_component("new_crash_source", self._configured)
        self._queue.submit(crash_id, name, work)

    def close(self) -> None:
        self._queue.close()


def requested_kinds(interval: float) -> Iterator[str]:
    """Submit a healthy crash each ``interval``, and requested ones in between, until standard input ends."""
    due = time.monotonic()
    while True:
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], max(0.0, due - time.monotonic()))
        if not readable:
            due += interval
            yield HEALTHY
            continue
        # Unbuffered: `select` would not see buffered lines.
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


def until_done(do: Any, *arguments: Any) -> None:
    """Keep trying, as a collector keeps a crash until it is accepted."""
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
