"""Submit crashes as a collector does: raw crash and dumps into the source store, then the crash id into a queue."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import CrashQueueBase, QueueName
from socorro_processor.crashstorage.base import MAIN_DUMP, CrashStorageBase, RawCrash
from socorro_processor.errors import CrashQueueError, CrashStorageError, SocorroError
from socorro_processor.stackwalk.modules import MINIDUMP
from socorro_processor.untrusted import plain

Dumps = Mapping[str, Path]
"""The files of a crash's dumps, by their names."""


class NotQueued(SocorroError):
    """The crash was saved, but the queue did not take its id."""


def new_raw_crash(annotations: Mapping[str, Any]) -> RawCrash:
    """Return the raw crash that a collector would make now from these annotations; its ``uuid`` is a new crash id."""
    now = datetime.now(UTC)
    return {"submitted_timestamp": now.isoformat(), **annotations, "uuid": new_crash_id(now.date())}


def check_minidumps(dumps: Dumps) -> None:
    """Raise SocorroError if a dump for the stackwalker is not a minidump."""
    for name, path in dumps.items():
        if not name.startswith(MAIN_DUMP):
            continue
        try:
            with path.open("rb") as file:
                beginning = file.read(len(MINIDUMP))
        except OSError as error:
            raise SocorroError(f"cannot read {plain(str(path))}: {error.strerror}") from error
        if beginning != MINIDUMP:
            reason = f"it begins with {beginning!r}, not with {MINIDUMP!r}" if beginning else "it is empty"
            raise SocorroError(f"{plain(str(path))} is not a minidump: {reason}")


def submit(
    store: CrashStorageBase, queue: CrashQueueBase, raw_crash: RawCrash, dumps: Dumps, queue_name: QueueName
) -> None:
    """Save a crash and queue its id; return once neither can be lost.

    Raises CrashStorageError, and then leaves nothing of the crash in the store, and NotQueued.
    """
    crash_id = raw_crash["uuid"]
    try:
        store.save_raw_crash(raw_crash, dumps, crash_id)
    except CrashStorageError:
        # Nobody knows this id, so what was saved would stay forever.
        with suppress(CrashStorageError):
            if store.can("remove"):
                store.remove(crash_id)
        raise
    try:
        queue.submit(crash_id, queue_name)
    except CrashQueueError as error:
        raise NotQueued(
            f"{crash_id} is in the store, but in no queue (`socorro process {crash_id}` does without): {error}"
        ) from error
