"""Find a processed crash in the stores that may have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing

from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash
from socorro_processor.errors import CrashIDNotFound, CrashStorageError, SocorroError
from socorro_processor.serialization import Note


def find_processed(
    crash_id: str, stores: Iterable[Callable[[], CrashStorageBase]], note: Note, *, redacted: bool = False
) -> ProcessedCrash:
    """Return the processed crash from the first store that has it. Raises SocorroError if none has.

    ``stores`` are functions that build the stores; none is built after one that has the crash. ``note`` receives the
    failures of the stores before it.
    """
    reasons: list[str] = []
    searched: dict[str, None] = {}
    for build_store in stores:
        try:
            with closing(build_store()) as store:
                if not store.can("get_processed" if redacted else "get_unredacted_processed"):
                    continue
                place = str(store)
                crash = store.get_processed(crash_id) if redacted else store.get_unredacted_processed(crash_id)
        except CrashIDNotFound:
            searched[place] = None
            continue
        except CrashStorageError as error:
            # Destination and source are often one store.
            if str(error) not in reasons:
                reasons.append(str(error))
            continue
        for reason in reasons:
            note(reason)
        return crash
    reasons = reasons or [f"if the source store has its raw crash, `socorro process {crash_id}` makes one"]
    places = f" in {', '.join(searched)}" if searched else ""
    raise SocorroError("; ".join([f"no processed crash {crash_id} was found{places}", *reasons]))
