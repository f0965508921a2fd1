"""Find a processed crash in the stores that may have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash
from socorro_processor.errors import (
    CrashIDNotFound,
    CrashStorageError,
    PermanentStorageError,
    TransientStorageError,
)
from socorro_processor.serialization import Note


def find_processed(
    crash_id: str,
    stores: Iterable[Callable[[], AbstractContextManager[CrashStorageBase]]],
    note: Note,
    *,
    redacted: bool = False,
    on_terminal: bool = True,
) -> ProcessedCrash:
    """Return the processed crash from the first store that has it. Raises CrashStorageError if none has.

    ``stores`` are functions that open the stores; none is opened after one that has the crash. ``note`` receives the
    failures of the stores before it. The error is CrashIDNotFound only if every store could be asked; ``on_terminal``,
    it names the command that may help.
    """
    failures: dict[str, CrashStorageError] = {}
    searched: dict[str, None] = {}
    for open_store in stores:
        try:
            with open_store() as store:
                if not store.can("get_processed" if redacted else "get_unredacted_processed"):
                    continue
                place = str(store)
                crash = store.get_processed(crash_id) if redacted else store.get_unredacted_processed(crash_id)
        except CrashIDNotFound:
            searched[place] = None
            continue
        except CrashStorageError as error:
            # Destination and source are often one store.
            failures.setdefault(str(error), error)
            continue
        for reason in failures:
            note(reason)
        return crash
    reasons = list(failures)
    if not reasons and on_terminal:
        reasons = [f"if the source store has its raw crash, `socorro process {crash_id}` makes one"]
    places = f" in {', '.join(searched)}" if searched else ""
    message = "; ".join([f"no processed crash {crash_id} was found{places}", *reasons])
    if not failures:
        raise CrashIDNotFound(message)
    is_away = any(error.transient for error in failures.values())
    raise (TransientStorageError if is_away else PermanentStorageError)(message)
