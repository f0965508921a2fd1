"""Several stores behind one: every crash is saved to each of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TypeVar

from socorro_processor.configuration import DotDict, Namespace, classes_in_namespaces
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.keys import processed_crash_id
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import (
    ConfigurationError,
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
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.serialization import Note, ignore

logger = logging.getLogger(__name__)

T = TypeVar("T")


class PolyCrashStorage(CrashStorageBase):
    """Saves to each of its stores in order, even if one of them fails.

        storage_classes = my.FirstStore, my.SecondStore
        [storage0]
        root = crashes

    Then one PolyStorageError names all that failed. A read returns the result of the first store that has one.
    """

    required_config = Namespace()
    required_config.add_option(
        "storage_classes",
        default="",
        doc="the stores, in the order in which they are saved to; the options of each are in storage0, storage1, ...",
        from_string_converter=classes_in_namespaces("storage%d", "crashstorage_class"),
    )

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        namespaces: list[str] = config.storage_classes.namespaces
        if not namespaces:
            raise ConfigurationError("storage_classes names no store: every crash would be lost")
        self._stores: dict[str, CrashStorageBase] = {
            name: config[name].crashstorage_class(config[name]) for name in namespaces
        }
        for name in self._stores:
            METRICS.expect("save", store=name)

    @property
    def stores(self) -> Mapping[str, CrashStorageBase]:
        """Each store by the name of its section, in order."""
        return self._stores

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        check_crash_id(crash_id)
        self._each(lambda name, store: store.save_raw_crash(raw_crash, dumps, crash_id))

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        processed_crash_id(processed_crash)
        self._each(lambda name, store: store.save_processed(processed_crash))

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        check_crash_id(crash_id)
        processed_crash_id(processed_crash)

        def save(name: str, store: CrashStorageBase) -> None:
            with METRICS.timer("save", store=name):
                store.save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)

        self._each(save)

    def save_again(
        self,
        raw_crash: RawCrash,
        dumps: Mapping[str, Dump],
        processed_crash: ProcessedCrash,
        crash_id: str,
        unsaved: Collection[str],
    ) -> None:
        named = self._by_store(unsaved)
        if not named:
            self.save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)
            return
        check_crash_id(crash_id)
        processed_crash_id(processed_crash)

        def save(name: str, store: CrashStorageBase) -> None:
            with METRICS.timer("save", store=name):
                store.save_again(raw_crash, dumps, processed_crash, crash_id, named[name])

        self._each(save, only=named)

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        return self._first(lambda store: store.get_raw_crash(crash_id, note))

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        return self._first(lambda store: store.get_raw_dump(crash_id, name))

    def get_raw_dumps(self, crash_id: str) -> dict[str, bytes]:
        return self._first(lambda store: store.get_raw_dumps(crash_id))

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        return self._first(lambda store: store.get_raw_dumps_as_files(crash_id, directory, note))

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        return self._first(lambda store: store.get_processed(crash_id))

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        return self._first(lambda store: store.get_unredacted_processed(crash_id))

    def raw_crash_ids(self, day: date) -> Iterator[str]:
        return self._first(lambda store: store.raw_crash_ids(day))

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[CrashSummary]:
        return self._first(lambda store: store.newest(limit, signature, product))

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        """Return the crash ids that are missing in at least one of the stores that can tell."""
        told: list[set[str]] = []
        for store in self._stores.values():
            with suppress(NotImplementedError):
                told.append(store.missing_processed(crash_ids))
        if not told:
            raise NotImplementedError(f"none of {', '.join(self._stores)} says which processed crashes it has")
        return set().union(*told)

    def held(self, crash_id: str) -> list[str]:
        """Name what each store that can tell holds, after the name of the store."""
        check_crash_id(crash_id)
        found: list[str] = []

        def look(name: str, store: CrashStorageBase) -> None:
            with suppress(NotImplementedError):
                found.extend(f"{name}: {what}" for what in store.held(crash_id))

        self._each(look)
        return found

    def remove(self, crash_id: str) -> None:
        """Remove the crash from every store that can. Raises CrashIDNotFound if none of them has it."""
        check_crash_id(crash_id)
        removed: list[str] = []

        def remove(name: str, store: CrashStorageBase) -> None:
            try:
                store.remove(crash_id)
                removed.append(name)
            except (CrashIDNotFound, NotImplementedError):
                pass

        self._each(remove)
        if not removed:
            raise CrashIDNotFound(f"none of {', '.join(self._stores)} has a crash {crash_id} to remove")

    def setup(self) -> None:
        self._each(lambda name, store: store.setup())

    def check(self) -> None:
        self._each(lambda name, store: store.check())

    def places(self) -> set[str]:
        return set().union(*(store.places() for store in self._stores.values()))

    def __str__(self) -> str:
        return ", ".join(map(str, self._stores.values()))

    def store_names(self) -> list[str]:
        """Return the names of all stores, with dots where one is behind another: ``storage1.storage0``."""
        names: list[str] = []
        for name, store in self._stores.items():
            names += [f"{name}.{within}" for within in store.store_names()] or [name]
        return names

    def check_some(self, names: Collection[str]) -> None:
        named = self._by_store(names)
        self._each(lambda name, store: store.check_some(named.get(name, [])), only=named or None)

    def close(self) -> None:
        """Close every store; raises nothing."""
        for name, store in self._stores.items():
            try:
                store.close()
            except Exception as error:
                _log_bug(name, store, error)

    def _by_store(self, names: Collection[str]) -> dict[str, list[str]]:
        """Return each of these stores with the names within it; empty if one of the names is not ours.

        Such a name came from another configuration, so nothing is known about it.
        """
        named: dict[str, list[str]] = {}
        for name in names:
            store, _, within = name.partition(".")
            if store not in self._stores:
                return {}
            named.setdefault(store, []).extend([within] if within else [])
        return named

    def _each(self, do: Callable[[str, CrashStorageBase], None], only: Collection[str] | None = None) -> None:
        failures: dict[str, CrashStorageError] = {}
        for name, store in self._stores.items():
            if only is not None and name not in only:
                continue
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

    def _first(self, read: Callable[[CrashStorageBase], T]) -> T:
        """Return the result of the first store that has one.

        If none has, raise the most hopeful error: a transient one, else one other than CrashIDNotFound.
        """
        errors: list[CrashStorageError] = []
        for store in self._stores.values():
            try:
                return read(store)
            except CrashStorageError as error:
                errors.append(without_frames(error))
            except NotImplementedError:
                continue
        if not errors:
            raise NotImplementedError(f"none of {', '.join(self._stores)} gives that back")
        hopeful = min(errors, key=lambda error: (not error.transient, isinstance(error, CrashIDNotFound)))
        try:
            raise hopeful
        finally:
            # The error holds this frame, so this frame must not hold the error.
            del hopeful, errors


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
