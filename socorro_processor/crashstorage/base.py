"""The contract of every crash store: raw crashes, dumps and processed crashes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from os import PathLike
from pathlib import Path
from typing import Any

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import PermanentStorageError
from socorro_processor.serialization import Note, ignore

RawCrash = dict[str, Any]
ProcessedCrash = dict[str, Any]
Dump = bytes | PathLike[str]
"""A dump's content, or the file that holds it."""

MAIN_DUMP = "upload_file_minidump"

_DUMP_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)


def check_dump_name(name: str) -> str:
    """Return ``name`` if it is safe as a part of a path or a key. Raises PermanentStorageError.

    Names come from clients: ``../x``, ``/etc/passwd``, a NUL or 300 characters are refused.
    """
    if not _DUMP_NAME.fullmatch(name):
        raise PermanentStorageError(
            f"{name[:60]!r} is not a dump name: up to 100 letters, digits, '_', '-' and '.', "
            "not beginning with '-' or '.'"
        )
    return name


class CrashStorageBase(RequiredConfig):
    """A store of crashes. A subclass implements what it can; the other saves do nothing.

    - Every save is *idempotent*: saving a crash again replaces it.
    - Every save is *atomic*: a reader never sees half an object.
    - No store changes a crash that it is given: the next store still sees all of it.
    - Every method may be called from any thread, by several at once.
    - Crash ids and dump names come from strangers: both are checked before they become a path or
      a key (InvalidCrashID, PermanentStorageError).
    - A failure is CrashIDNotFound, a TransientStorageError (the store's fault) or a
      PermanentStorageError (this crash's content), and nothing else.
    """

    required_config = Namespace()

    def __init__(self, config: DotDict) -> None:
        self.config = config

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        """Store a crash as a collector received it: its annotations, and its dumps by name."""

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        """Store a processed crash; its id is ``processed_crash["uuid"]``."""

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        """Store all of a crash. The processor calls this once the crash is processed."""
        self.save_raw_crash(raw_crash, dumps, crash_id)
        self.save_processed(processed_crash)

    def save_again(
        self,
        raw_crash: RawCrash,
        dumps: Mapping[str, Dump],
        processed_crash: ProcessedCrash,
        crash_id: str,
        unsaved: Collection[str],
    ) -> None:
        """Store all of a crash after an attempt that did not save it everywhere.

        ``unsaved``: the stores of ``store_names`` that lack it; the others need not be written again. If it is empty,
        or has a name that is not known here, all of them are written.
        """
        self.save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        """Return the annotations. Raises MalformedCrash if the stored object is not a JSON object.

        ``note`` is told what had to be mended in it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not give back raw crashes")

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        """Return one dump; without a name, the main one."""
        raise NotImplementedError(f"{type(self).__name__} does not give back dumps")

    def get_raw_dumps(self, crash_id: str) -> dict[str, bytes]:
        """Return all dumps, by name."""
        raise NotImplementedError(f"{type(self).__name__} does not give back dumps")

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        """Copy all dumps into ``directory``, which the caller owns and removes. Return the files by name.

        A dump is left out, and ``note`` is told, if it is named but not there, has an impossible name, is larger than
        ``maximum_dump_size`` or is one too many: the crash goes on without it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not give back dumps")

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        """Return the processed crash without the keys that the redactor removes."""
        raise NotImplementedError(f"{type(self).__name__} does not give back processed crashes")

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        """Return all of the processed crash."""
        raise NotImplementedError(f"{type(self).__name__} does not give back processed crashes")

    def new_crashes(self) -> Iterator[str]:
        """Return the ids of the raw crashes that have no processed crash in this store."""
        raise NotImplementedError(f"{type(self).__name__} does not list its crashes")

    def raw_crash_ids(self, day: date) -> Iterator[str]:
        """Return the ids of the raw crashes here that are dated this day, each once, in ascending order.

        A crash that is saved or removed meanwhile may be among them or not. Raw crashes that lie where only
        collectors of former times put them are left out.
        """
        raise NotImplementedError(f"{type(self).__name__} does not list its raw crashes")

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[CrashSummary]:
        """Return the newest ``limit`` crashes, the newest first: by the day of the crash id, then by arrival.

        With a ``signature`` or a ``product``, only processed crashes that have exactly that. However many crashes
        there are, no more than ``limit``, or a few thousand, are in memory.
        """
        raise NotImplementedError(f"{type(self).__name__} does not list its newest crashes")

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        """Return the crash ids, of about a thousand, that have no processed crash here.

        A store that is not there, or has lost its bucket or tables, raises TransientStorageError; it never says
        that all crashes are missing.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which processed crashes it has")

    def held(self, crash_id: str) -> list[str]:
        """Name for people what the store holds of this crash: ``raw crash``, ``dump``; empty if it has nothing."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it has of a crash")

    def remove(self, crash_id: str) -> None:
        """Remove all that the store holds of this crash. Raises CrashIDNotFound if that is nothing."""
        raise NotImplementedError(f"{type(self).__name__} does not remove crashes")

    def setup(self) -> None:
        """Make the bucket, schema or template that the store needs. Safe to run again."""

    def check(self) -> None:
        """Raise a CrashStorageError if the store cannot be used at this time."""

    def examine(self) -> str:
        """Look at the store without changing anything. Return what will be made once it is needed.

        Raises a CrashStorageError if the store cannot be used at this time, and NotImplementedError if it cannot
        tell. Here even a store whose ``check`` writes something writes nothing.
        """
        if type(self).check is CrashStorageBase.check:
            raise NotImplementedError(f"{type(self).__name__} has no check")
        self.check()
        return ""

    @property
    def stores(self) -> Mapping[str, CrashStorageBase]:
        """The stores behind this one, by the name of their section, in order; empty for a single store."""
        return {}

    def places(self) -> set[str]:
        """Return the places where crashes are saved; two stores with the same places are one.

        A store that does not name its places has one of its own, this object.
        """
        return {f"{type(self).__name__} {id(self)}"}

    def __str__(self) -> str:
        """Name the store and its place, for people: ``FileSystemCrashStorage in /srv/crashes``."""
        return type(self).__name__

    def store_names(self) -> list[str]:
        """Return the names of the stores behind this one that a crash is saved to; empty for a single store."""
        return []

    def check_some(self, names: Collection[str]) -> None:
        """Check only the stores behind this one that have these names; check all if a name is not known."""
        self.check()

    def close(self) -> None:
        """Release connections. Called once, at the end."""


def each_store(stores: Mapping[str, CrashStorageBase], within: str = "") -> Iterator[tuple[str, CrashStorageBase]]:
    """Yield each store that is not made of others, with its section: ``destination.storage0``."""
    for name, store in stores.items():
        if store.stores:
            yield from each_store(store.stores, f"{within}{name}.")
        else:
            yield f"{within}{name}", store
