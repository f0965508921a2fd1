"""The base of stores that have other stores behind them."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

from socorro_processor.configuration import DotDict
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashstorage.base import Ability, CrashStorageBase, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import (
    CrashIDNotFound,
    CrashStorageError,
    PermanentStorageError,
    PolyStorageError,
    ProcessingEnvironmentError,
    TransientStorageError,
    raise_if_of_this_machine,
    without_frames,
)
from socorro_processor.monitoring.log import stack_of
from socorro_processor.serialization import Note, ignore

logger = logging.getLogger(__name__)

T = TypeVar("T")


class CompositeCrashStorage(CrashStorageBase):
    """A store with several behind it. It calls each that implements a method, even if one of them fails.

    Then one PolyStorageError names all that failed.
    """

    def __init__(self, config: DotDict, stores: Mapping[str, CrashStorageBase]) -> None:
        super().__init__(config)
        self._stores = stores

    @property
    def stores(self) -> Mapping[str, CrashStorageBase]:
        """Each store by the name of its section, in order."""
        return self._stores

    def can(self, ability: Ability) -> bool:
        return super().can(ability) and bool(self._able(ability))

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        return self._read("get_raw_crash", lambda store: store.get_raw_crash(crash_id, note))

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        return self._read("get_raw_dump", lambda store: store.get_raw_dump(crash_id, name))

    def get_raw_dumps(self, crash_id: str) -> dict[str, bytes]:
        return self._read("get_raw_dumps", lambda store: store.get_raw_dumps(crash_id))

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        return self._read(
            "get_raw_dumps_as_files", lambda store: store.get_raw_dumps_as_files(crash_id, directory, note)
        )

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        return self._read("get_processed", lambda store: store.get_processed(crash_id))

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        return self._read("get_unredacted_processed", lambda store: store.get_unredacted_processed(crash_id))

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[CrashSummary]:
        return self._read("newest", lambda store: store.newest(limit, signature, product))

    def held(self, crash_id: str) -> list[str]:
        """Return what each store that can tell has, after the name of the store."""
        check_crash_id(crash_id)
        parts: list[str] = []
        self._each(
            lambda name, store: parts.extend(f"{name}: {part}" for part in store.held(crash_id)), self._able("held")
        )
        return parts

    def remove(self, crash_id: str) -> None:
        """Remove the crash from every store that can. Raises CrashIDNotFound if none of them has it."""
        check_crash_id(crash_id)
        removed: list[str] = []

        def remove(name: str, store: CrashStorageBase) -> None:
            with suppress(CrashIDNotFound):
                store.remove(crash_id)
                removed.append(name)

        self._each(remove, self._able("remove"))
        if not removed:
            raise CrashIDNotFound(f"none of {', '.join(self._stores)} has a crash {crash_id} to remove")

    def dumps_removed(self, crash_id: str) -> str:
        return next(filter(None, (store.dumps_removed(crash_id) for store in self._stores.values())), "")

    def setup(self) -> None:
        self._each(lambda name, store: store.setup())

    def check(self) -> None:
        self._each(lambda name, store: store.check())

    def check_before_retry(self) -> None:
        self._each(lambda name, store: store.check_before_retry())

    def places(self) -> set[str]:
        return set().union(*(store.places() for store in self._stores.values()))

    def __str__(self) -> str:
        return ", ".join(map(str, self._stores.values()))

    def close(self) -> None:
        """Close every store; raises nothing."""
        for name, store in self._stores.items():
            try:
                store.close()
            except Exception as error:
                _log_bug(name, store, error)

    def _with_stores(self, stores: Mapping[str, CrashStorageBase]) -> Self:
        """Return this store with only ``stores`` behind it; itself if it has no others."""
        if stores == self._stores:
            return self
        part = copy.copy(self)
        part._stores = stores
        return part

    def _able(self, ability: Ability) -> dict[str, CrashStorageBase]:
        """Return the stores with this ability, in order."""
        return {name: store for name, store in self._stores.items() if store.can(ability)}

    def _read(self, ability: Ability, read: Callable[[CrashStorageBase], T]) -> T:
        """Return the result of the first store that has this ability and the crash."""
        if not (able := self._able(ability)):
            raise NotImplementedError
        return self._read_first(list(able.values()), read)

    def _read_first(self, stores: Sequence[CrashStorageBase], read: Callable[[CrashStorageBase], T]) -> T:
        raise NotImplementedError

    def _each(
        self, do: Callable[[str, CrashStorageBase], object], stores: Mapping[str, CrashStorageBase] | None = None
    ) -> None:
        """Call ``do`` with each store, then raise one PolyStorageError with all failures."""
        failures: dict[str, CrashStorageError] = {}
        for name, store in (self._stores if stores is None else stores).items():
            try:
                do(name, store)
            except CrashStorageError as error:
                failures[name] = without_frames(error)
            except (MemoryError, OSError, ProcessingEnvironmentError) as error:
                failures[name] = TransientStorageError(f"{type(error).__name__} on this machine: {error}")
            except Exception as error:
                failures[name] = _unexpected(name, store, error)
        if failures:
            raise PolyStorageError(failures)


def _unexpected(name: str, store: CrashStorageBase, error: Exception) -> CrashStorageError:
    try:
        raise_if_of_this_machine(error, type(store).__name__)
    except ProcessingEnvironmentError as lack:
        return TransientStorageError(str(lack))
    _log_bug(name, store, error)
    return PermanentStorageError(
        f"{type(store).__name__} failed with {type(error).__name__}, which is a bug in it: see the log"
    )


def _log_bug(name: str, store: CrashStorageBase, error: Exception) -> None:
    logger.error("%s (%s) has a bug: %s", name, type(store).__name__, stack_of(error))
