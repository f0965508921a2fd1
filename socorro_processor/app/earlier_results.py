"""Find the earlier result of a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.errors import DESTINATION, CrashIDNotFound, CrashStorageError, NoStoreYetError, failed_stores


class EarlierResults:
    """Asks the stores that may have a result of a crash, one after the other.

    If results are saved to the source too, it has all that the others have, unless it lost some. Otherwise its results
    are another installation's, or old: they count only if no other store has any.
    """

    def __init__(self, source: CrashStorageBase, destination: CrashStorageBase) -> None:
        self._source = source
        self._destinations = dict(_named_stores(destination))
        self._source_has_all = not source.places().isdisjoint(destination.places())

    def find(
        self, crash_id: str, note: Callable[[str], object], *, everywhere: bool = True
    ) -> tuple[ProcessedCrash | None, dict[str, CrashStorageError]]:
        """Return the earlier result and, by name, the destination stores that could not be asked.

        With ``everywhere`` the others are asked even if the source, which should have everything, has nothing.
        ``note`` receives a message about a result that cannot be read or is another crash's, which does not count.
        Raises TransientStorageError if the source is away.
        """
        away: dict[str, CrashStorageError] = {}
        for name, store in self._in_order(everywhere):
            if not store.can("get_unredacted_processed"):
                continue
            try:
                earlier = store.get_unredacted_processed(crash_id)
            except CrashIDNotFound:
                continue
            except CrashStorageError as error:
                if not error.transient:
                    note("the earlier result cannot be read")
                elif store is self._source:
                    raise
                elif not isinstance(error, NoStoreYetError):
                    away |= failed_stores(error, name)
            else:
                # A result is saved under its own ``uuid``, which must be this crash's.
                if isinstance(earlier, dict) and earlier.get("uuid") == crash_id:
                    return earlier, {}
                note("the earlier result is another crash's")
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


def _named_stores(store: CrashStorageBase, prefix: str = "") -> Iterator[tuple[str, CrashStorageBase]]:
    """Yield each store inside ``store``, with the name by which a failed save reports it."""
    if not isinstance(store, PolyCrashStorage):
        yield prefix or DESTINATION, store
        return
    for name, inner in store.stores.items():
        yield from _named_stores(inner, f"{prefix}.{name}" if prefix else name)
