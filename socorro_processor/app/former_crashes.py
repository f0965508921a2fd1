"""Warn of stored crashes whose signatures were made by the algorithm of 2015, if no configuration keeps that one."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice

from socorro_processor.crashstorage.base import CrashStorageBase, each_store
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import CrashIDNotFound, CrashStorageError, PermanentStorageError
from socorro_processor.fields import follows_table

_LOOKED_AT = 10_000
"""Crashes of whose ids the days are compared."""
_READ = 10
"""Crashes that are read of the earliest days, and as many of the last ones."""


def former_crash_warning(destination: CrashStorageBase) -> str:
    """Return a warning if a store in files holds crashes of 2015; empty if it holds none, or cannot be read."""
    for _, store in each_store({"destination": destination}):
        if isinstance(store, FileSystemCrashStorage) and _holds_crash_of_2015(store):
            return (
                f"{store} holds crashes that were signed by the algorithm of 2015; new ones are signed by that of "
                "2026, because the configuration names none. To keep 2015, set processor.processor_class to "
                "socorro_processor.pipeline.mozilla_2015.MozillaProcessorAlgorithm2015; `socorro siglists preview "
                "--algorithm=2015` shows the signatures of both"
            )
    return ""


def _holds_crash_of_2015(store: FileSystemCrashStorage) -> bool:
    with suppress(CrashStorageError):
        by_day = sorted(islice(store.processed_ids(), _LOOKED_AT), key=lambda crash_id: crash_id[-6:])
        # The earliest ones are most likely of 2015, unless they have been processed again.
        for crash_id in dict.fromkeys([*by_day[:_READ], *by_day[-_READ:]]):
            with suppress(CrashIDNotFound, PermanentStorageError):
                if not follows_table(store.get_unredacted_processed(crash_id)):
                    return True
    return False
