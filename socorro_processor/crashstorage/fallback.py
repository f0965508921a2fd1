"""Two stores behind one: a new one with the old one behind it, or a second one for crashes that can wait."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, class_converter
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import (
    ConfigurationError,
    CrashIDNotFound,
    CrashStorageError,
    PolyStorageError,
    without_frames,
)
from socorro_processor.serialization import Note, ignore

T = TypeVar("T")


def _add_store_option(namespace: Namespace, doc: str) -> None:
    namespace.add_option("storage_class", default=None, doc=doc, from_string_converter=class_converter)


class _TwoStores(CrashStorageBase):
    """Reads from the first store, and from the second one if the first says that it does not have the crash."""

    names: tuple[str, str]
    """The namespaces of the two; each has a ``storage_class`` and that class's options."""

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._first, self._second = (self._built(name) for name in self.names)

    @property
    def stores(self) -> Mapping[str, CrashStorageBase]:
        """Each store by the name of its section, in order."""
        return dict(zip(self.names, (self._first, self._second), strict=True))

    def _built(self, name: str) -> CrashStorageBase:
        storage_class = self.config[name].storage_class
        if storage_class is None:
            raise ConfigurationError(f"{name}.storage_class names no store: {type(self).__name__} needs two")
        store: CrashStorageBase = storage_class(self.config[name])
        return store

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        return self._read(lambda store: store.get_raw_crash(crash_id, note))

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        return self._read(lambda store: store.get_raw_dump(crash_id, name))

    def get_raw_dumps(self, crash_id: str) -> dict[str, bytes]:
        return self._read(lambda store: store.get_raw_dumps(crash_id))

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        return self._read(lambda store: store.get_raw_dumps_as_files(crash_id, directory, note))

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        return self._read(lambda store: store.get_processed(crash_id))

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        return self._read(lambda store: store.get_unredacted_processed(crash_id))

    def raw_crash_ids(self, day: date) -> Iterator[str]:
        merged = heapq.merge(self._first.raw_crash_ids(day), self._second.raw_crash_ids(day))
        return (crash_id for crash_id, _ in groupby(merged))

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[CrashSummary]:
        """Return the newest crashes of the first store; of the second if the first does not list its crashes."""
        try:
            return self._first.newest(limit, signature, product)
        except NotImplementedError:
            return self._second.newest(limit, signature, product)

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        missing = self._first.missing_processed(crash_ids)
        return self._second.missing_processed(sorted(missing)) if missing else missing

    def held(self, crash_id: str) -> list[str]:
        """Name what each store holds, after the name of the store."""
        return [f"{name}: {what}" for name, store in self.stores.items() for what in store.held(crash_id)]

    def remove(self, crash_id: str) -> None:
        """Remove the crash from both, even if one of them fails. Raises CrashIDNotFound if neither has it."""
        removed: list[CrashStorageBase] = []

        def remove(store: CrashStorageBase) -> None:
            with suppress(CrashIDNotFound):
                store.remove(crash_id)
                removed.append(store)

        self._both(remove)
        if not removed:
            raise CrashIDNotFound(f"neither {' nor '.join(self.names)} has a crash {crash_id} to remove")

    def places(self) -> set[str]:
        return self._first.places() | self._second.places()

    def __str__(self) -> str:
        return f"{self._first}, {self._second}"

    def setup(self) -> None:
        self._both(lambda store: store.setup())

    def check(self) -> None:
        self._both(lambda store: store.check())

    def close(self) -> None:
        try:
            self._first.close()
        finally:
            self._second.close()

    def _both(self, do: Callable[[CrashStorageBase], None]) -> None:
        """Do it with both, even if the first fails; then raise one PolyStorageError with all failures."""
        failures: dict[str, CrashStorageError] = {}
        for name, store in self.stores.items():
            try:
                do(store)
            except CrashStorageError as error:
                failures[name] = without_frames(error)
        if failures:
            raise PolyStorageError(failures)

    def _read(self, read: Callable[[CrashStorageBase], T]) -> T:
        try:
            return read(self._first)
        except CrashIDNotFound:
            return read(self._second)


class FallbackCrashStorage(_TwoStores):
    """Moves from one store to another: everything is saved to the new one, ``primary``.

    A crash that it does not have is read from the old one, ``secondary``.
    """

    names = ("primary", "secondary")

    required_config = Namespace()
    required_config.namespace("primary", doc="the store that crashes are saved to")
    _add_store_option(required_config.primary, "the store that crashes are saved to, and read from first")
    required_config.namespace("secondary", doc="the store that is read from only")
    _add_store_option(required_config.secondary, "the store that is asked for what the primary one does not have")

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        self._first.save_raw_crash(raw_crash, dumps, crash_id)

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        self._first.save_processed(processed_crash)

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        self._first.save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)

    def save_again(
        self,
        raw_crash: RawCrash,
        dumps: Mapping[str, Dump],
        processed_crash: ProcessedCrash,
        crash_id: str,
        unsaved: Collection[str],
    ) -> None:
        self._first.save_again(raw_crash, dumps, processed_crash, crash_id, unsaved)

    def places(self) -> set[str]:
        return self._first.places()

    def store_names(self) -> list[str]:
        return self._first.store_names()

    def check_some(self, names: Collection[str]) -> None:
        self._first.check_some(names)


class LegacyProcessing(RequiredConfig):
    """Defers the crashes that the collector's throttling marked as not to be processed at once."""

    required_config = Namespace()

    def __init__(self, config: DotDict) -> None:
        pass

    def __call__(self, crash: Mapping[str, Any]) -> bool:
        """Return True if ``legacy_processing`` is there and is neither 0 (accepted) nor false."""
        return crash.get("legacy_processing") not in (None, False, 0, "", "0")


class PrimaryDeferredStorage(_TwoStores):
    """Saves crashes that can wait to ``deferred``, all others to ``primary``; reads from either.

    ``predicate_class`` is built with this store's configuration. It is called with a raw crash, or with the
    processed crash if only that is saved, and says whether the crash is deferred.
    """

    names = ("primary", "deferred")

    required_config = Namespace()
    required_config.add_option(
        "predicate_class",
        default=LegacyProcessing,
        doc="what says of a crash whether it is deferred",
        from_string_converter=class_converter,
    )
    required_config.namespace("primary", doc="the store of crashes that are processed at once")
    _add_store_option(required_config.primary, "the store of crashes that are processed at once")
    required_config.namespace("deferred", doc="the store of crashes that can wait")
    _add_store_option(required_config.deferred, "the store of crashes that can wait")

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._is_deferred: Callable[[Mapping[str, Any]], bool] = config.predicate_class(config)

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        self._store_of(raw_crash).save_raw_crash(raw_crash, dumps, crash_id)

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        self._store_of(processed_crash).save_processed(processed_crash)

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        self._store_of(raw_crash).save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)

    def save_again(
        self,
        raw_crash: RawCrash,
        dumps: Mapping[str, Dump],
        processed_crash: ProcessedCrash,
        crash_id: str,
        unsaved: Collection[str],
    ) -> None:
        self._store_of(raw_crash).save_again(raw_crash, dumps, processed_crash, crash_id, unsaved)

    def _store_of(self, crash: Mapping[str, Any]) -> CrashStorageBase:
        return self._second if self._is_deferred(crash) else self._first
