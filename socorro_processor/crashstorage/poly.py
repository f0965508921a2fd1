"""Several stores behind one: every crash is saved to each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import TypeVar

from socorro_processor.configuration import DotDict, Namespace, classes_in_namespaces
from socorro_processor.configuration.components import create
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.composite import CompositeCrashStorage
from socorro_processor.crashstorage.keys import processed_crash_id
from socorro_processor.errors import ConfigurationError, CrashIDNotFound, CrashStorageError, without_frames
from socorro_processor.monitoring.metrics import METRICS

T = TypeVar("T")


class PolyCrashStorage(CompositeCrashStorage):
    """Saves to each of its stores in order, even if one fails; one PolyStorageError then names all that failed.

        storage_classes = my.FirstStore, my.SecondStore
        [storage0]
        root = crashes

    A read returns the result of the first store that has one.
    """

    required_config = Namespace()
    required_config.add_option(
        "storage_classes",
        default="",
        doc="the stores, in the order in which they are saved to; the options of each are in storage0, storage1, ...",
        from_string_converter=classes_in_namespaces("storage%d", "crashstorage_class"),
    )

    def __init__(self, config: DotDict) -> None:
        namespaces: list[str] = config.storage_classes.namespaces
        if not namespaces:
            raise ConfigurationError("storage_classes is empty: every crash would be lost")
        super().__init__(config, {name: create(config[name].crashstorage_class, config[name]) for name in namespaces})
        for name in namespaces:
            METRICS.expect("save", store=name)

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

    def raw_crash_ids(self, day: date) -> Iterator[str]:
        return self._read("raw_crash_ids", lambda store: store.raw_crash_ids(day))

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        """Return the crash ids that are missing in at least one of the stores that can tell."""
        if not (able := self._able("missing_processed")):
            raise NotImplementedError
        return set().union(*(store.missing_processed(crash_ids) for store in able.values()))

    def store_names(self) -> list[str]:
        """Return the names of all stores; a dot means that one is behind another: ``storage1.storage0``."""
        names: list[str] = []
        for name, store in self._stores.items():
            names += [f"{name}.{within}" for within in store.store_names()] or [name]
        return names

    def limited_to(self, names: Collection[str]) -> CrashStorageBase:
        parts: dict[str, list[str]] = {}
        for name in names:
            store, _, within = name.partition(".")
            if store not in self._stores:
                return self  # the name came from another configuration, so nothing is known about it
            parts.setdefault(store, []).extend([within] if within else [])
        if not parts:
            return self
        return self._with_stores(
            {name: store.limited_to(parts[name]) for name, store in self._stores.items() if name in parts}
        )

    def _read_first(self, stores: Sequence[CrashStorageBase], read: Callable[[CrashStorageBase], T]) -> T:
        """Return the result of the first store that has one.

        If none has, raise the most hopeful error: a transient one, or at least one other than CrashIDNotFound.
        """
        errors: list[CrashStorageError] = []
        for store in stores:
            try:
                return read(store)
            except CrashStorageError as error:
                errors.append(without_frames(error))
        hopeful = min(errors, key=lambda error: (not error.transient, isinstance(error, CrashIDNotFound)))
        try:
            raise hopeful
        finally:
            # The error holds this frame, so this frame must not hold the error.
            del hopeful, errors
