"""Stores with two others behind them: a new and an old one, or one for crashes that can wait and one for the rest."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from itertools import groupby
from typing import Any, TypeVar

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, class_converter
from socorro_processor.configuration.components import create
from socorro_processor.crashstorage.base import Ability, CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.composite import CompositeCrashStorage
from socorro_processor.errors import ConfigurationError, CrashIDNotFound

T = TypeVar("T")

_OF_BOTH = frozenset(("held", "missing_processed", "raw_crash_ids"))
"""The abilities that need both stores, because one cannot tell alone."""


def _add_store(namespace: Namespace, name: str, doc: str) -> None:
    namespace.namespace(name, doc=doc)
    namespace[name].add_option("storage_class", default=None, doc=doc, from_string_converter=class_converter)


class _TwoStores(CompositeCrashStorage):
    """Reads from the first store, or from the second one if the first does not have the crash."""

    names: tuple[str, str]
    """The namespaces of the two stores; each has a ``storage_class`` and that class's options."""

    def __init__(self, config: DotDict) -> None:
        for name in self.names:
            if config[name].storage_class is None:
                raise ConfigurationError(f"{name}.storage_class is empty: {type(self).__name__} needs two stores")
        super().__init__(config, {name: create(config[name].storage_class, config[name]) for name in self.names})

    @property
    def _first(self) -> CrashStorageBase:
        return self._stores[self.names[0]]

    @property
    def _second(self) -> CrashStorageBase:
        return self._stores[self.names[1]]

    def can(self, ability: Ability) -> bool:
        return super().can(ability) and (ability not in _OF_BOTH or len(self._able(ability)) == len(self.names))

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        self._store_of(raw_crash).save_raw_crash(raw_crash, dumps, crash_id)

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        self._store_of(processed_crash).save_processed(processed_crash)

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        self._store_of(raw_crash).save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)

    def raw_crash_ids(self, day: date) -> Iterator[str]:
        merged = heapq.merge(self._first.raw_crash_ids(day), self._second.raw_crash_ids(day))
        return (crash_id for crash_id, _ in groupby(merged))

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        missing = self._first.missing_processed(crash_ids)
        return self._second.missing_processed(sorted(missing)) if missing else missing

    def _store_of(self, crash: Mapping[str, Any]) -> CrashStorageBase:
        """Return the store that a raw or processed crash is saved to."""
        raise NotImplementedError

    def _read_first(self, stores: Sequence[CrashStorageBase], read: Callable[[CrashStorageBase], T]) -> T:
        for store in stores[:-1]:
            with suppress(CrashIDNotFound):
                return read(store)
        return read(stores[-1])


class FallbackCrashStorage(_TwoStores):
    """Moves from one store to another: everything is saved to the new one, ``primary``.

    A crash that is not there is read from the old one, ``secondary``.
    """

    names = ("primary", "secondary")

    required_config = Namespace()
    _add_store(required_config, "primary", "the store that crashes are saved to, and read from first")
    _add_store(required_config, "secondary", "the store that is asked for what the primary one does not have")

    def places(self) -> set[str]:
        return self._first.places()

    def store_names(self) -> list[str]:
        return self._first.store_names()

    def limited_to(self, names: Collection[str]) -> CrashStorageBase:
        return self._first.limited_to(names)  # crashes are saved to no other

    def _store_of(self, crash: Mapping[str, Any]) -> CrashStorageBase:
        return self._first


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
        doc="the class whose instances, called with a crash, return True if it is deferred",
        from_string_converter=class_converter,
    )
    _add_store(required_config, "primary", "the store of crashes that are processed at once")
    _add_store(required_config, "deferred", "the store of crashes that can wait")

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._is_deferred: Callable[[Mapping[str, Any]], bool] = config.predicate_class(config)

    def limited_to(self, names: Collection[str]) -> CrashStorageBase:
        return self._with_stores({name: store.limited_to(names) for name, store in self._stores.items()})

    def _store_of(self, crash: Mapping[str, Any]) -> CrashStorageBase:
        return self._second if self._is_deferred(crash) else self._first
