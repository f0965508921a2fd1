"""Find the earlier result of a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import DESTINATION, CrashIDNotFound, CrashStorageError, NoStoreYetError, failed_stores


class EarlierResults:
    """Asks the stores that may have a result of a crash, one after the other.

    If the source is among the stores that results are saved to, it has what the others have, unless it lost it. Else
    its results are of another installation, or of former times: they count if no other store has one.
    """

    def __init__(self, source: CrashStorageBase, destination: CrashStorageBase) -> None:
        self._source = source
        self._destinations = dict(_by_name(destination))
        self._source_has_all = not source.places().isdisjoint(destination.places())

    def find(
        self, crash_id: str, note: Callable[[str], object], *, everywhere: bool = True
    ) -> tuple[ProcessedCrash | None, dict[str, CrashStorageError]]:
        """Return the earlier result, and the stores of the destination, by name, that could not be asked.

        ``everywhere``: also those that have nothing if the source has nothing. ``note`` is told of a result that cannot
        be read: it counts as none. Raises TransientStorageError where the source is away.
        """
        away: dict[str, CrashStorageError] = {}
        for name, store in self._in_order(everywhere):
            try:
                earlier = store.get_unredacted_processed(crash_id)
            except (CrashIDNotFound, NotImplementedError):
                continue
            except CrashStorageError as error:
                if not error.transient:
                    note("the earlier processed crash cannot be read")
                elif store is self._source:
                    raise
                elif not isinstance(error, NoStoreYetError):
                    away |= failed_stores(error, name)
            else:
                # It is saved by the id that is in it.
                if isinstance(earlier, dict) and earlier.get("uuid") == crash_id:
                    return earlier, {}
                note("the earlier processed crash is not of this crash")
        return None, away

    def _in_order(self, everywhere: bool) -> Iterator[tuple[str, CrashStorageBase]]:
        """Yield each store with its name."""
        source = ("source", self._source)
        if not self._source_has_all:
            yield from self._destinations.items()
            yield source
            return
        yield source
        if everywhere:
            here = self._source.places()
            yield from ((name, store) for name, store in self._destinations.items() if here.isdisjoint(store.places()))


def _by_name(store: CrashStorageBase, prefix: str = "") -> Iterator[tuple[str, CrashStorageBase]]:
    """Yield each store within, with the name that it has when a save fails."""
    if not isinstance(store, PolyCrashStorage):
        yield prefix or DESTINATION, store
        return
    for name, within in store.stores.items():
        yield from _by_name(within, f"{prefix}.{name}" if prefix else name)
