"""The contract of every crash store: raw crashes, dumps and processed crashes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import PermanentStorageError
from socorro_processor.serialization import Note, ignore

RawCrash = dict[str, Any]
ProcessedCrash = dict[str, Any]
Dump = bytes | PathLike[str]
"""A dump's content, or the file that contains it."""

MAIN_DUMP = "upload_file_minidump"

Ability = Literal[
    "get_raw_crash",
    "get_raw_dump",
    "get_raw_dumps",
    "get_raw_dumps_as_files",
    "get_processed",
    "get_unredacted_processed",
    "new_crashes",
    "raw_crash_ids",
    "newest",
    "missing_processed",
    "held",
    "remove",
    "check",
    "examine",
]
"""A method that not every store implements."""

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
    """A store of crashes. A subclass implements what it can; a save that it does not implement does nothing.

    Ask ``can`` before you call a method in ``Ability``: if the store does not implement it, it raises
    NotImplementedError.

    - Every save is *idempotent*: saving a crash again replaces it.
    - Every save is *atomic*: a reader never sees half an object.
    - No store changes the crash that is passed to it: the next store still sees all of it.
    - Every method may be called from any thread, by several at once.
    - Crash ids and dump names come from strangers: both are checked before they become a path or
      a key (InvalidCrashID, PermanentStorageError).
    - A failure is CrashIDNotFound, a TransientStorageError (the store's fault) or a
      PermanentStorageError (this crash's content), and nothing else.
    """

    required_config = Namespace()

    def __init__(self, config: DotDict) -> None:
        self.config = config

    def can(self, ability: Ability) -> bool:
        """Return True if this store, or one of the stores behind it, implements the method."""
        return getattr(type(self), ability) is not getattr(CrashStorageBase, ability)

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

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        """Return the annotations. Raises MalformedCrash if the stored object is not a JSON object.

        ``note`` is called with what had to be mended.
        """
        raise NotImplementedError

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        """Return one dump; without a name, the main one."""
        raise NotImplementedError

    def get_raw_dumps(self, crash_id: str) -> dict[str, bytes]:
        """Return all dumps, by name."""
        raise NotImplementedError

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        """Copy all dumps into ``directory``, which the caller owns and removes. Return the files by name.

        A dump is left out, with a note, if it is listed but missing, has an impossible name, is larger than
        ``maximum_dump_size`` or is one too many: the crash is processed without it.
        """
        raise NotImplementedError

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        """Return the processed crash without the keys that the redactor removes."""
        raise NotImplementedError

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        """Return all of the processed crash."""
        raise NotImplementedError

    def new_crashes(self) -> Iterator[str]:
        """Return the ids of the raw crashes that have no processed crash in this store."""
        raise NotImplementedError

    def raw_crash_ids(self, day: date) -> Iterator[str]:
        """Return the ids of the raw crashes here that are dated this day, each once, in ascending order.

        A crash that is saved or removed meanwhile may or may not be among them. Raw crashes where only old collectors
        put them are left out.
        """
        raise NotImplementedError

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[CrashSummary]:
        """Return the newest ``limit`` crashes, the newest first: by the day of the crash id, then by arrival.

        With a ``signature`` or a ``product``, return only processed crashes with exactly that. No more than ``limit``
        crashes, or a few thousand, are in memory.
        """
        raise NotImplementedError

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        """Return those of about a thousand crash ids that have no processed crash here.

        A store that is away, or has lost its bucket or tables, raises TransientStorageError; it never reports all
        crashes as missing.
        """
        raise NotImplementedError

    def held(self, crash_id: str) -> list[str]:
        """Return, for people, the names of what the store has of a crash: ``raw crash``, ``dump``; empty if nothing."""
        raise NotImplementedError

    def remove(self, crash_id: str) -> None:
        """Remove everything that the store has of a crash. Raises CrashIDNotFound if it has nothing."""
        raise NotImplementedError

    def dumps_removed(self, crash_id: str) -> str:
        """Return why the dumps of a crash were removed, in words; empty if they were not, or the store cannot tell.

        The crash itself is still there. Raises a CrashStorageError if the store cannot be read.
        """
        return ""

    def setup(self) -> None:
        """Make the bucket, schema or template that the store needs. Safe to run again."""

    def check(self) -> None:
        """Raise a CrashStorageError if the store cannot be used now."""

    def examine(self) -> str:
        """Check the store without writing anything, even if ``check`` writes. Return what will be made when needed.

        Raises a CrashStorageError if the store cannot be used now.
        """
        self.check()
        return ""

    def check_before_retry(self) -> None:
        """Raise a CrashStorageError if a crash that could not be saved still cannot be saved."""
        self.check()

    @property
    def stores(self) -> Mapping[str, CrashStorageBase]:
        """The stores behind this one, by the name of their section, in order; empty for a single store."""
        return {}

    def places(self) -> set[str]:
        """Return the places where crashes are saved; two stores with the same places are one.

        By default a store has one place, which is this object.
        """
        return {f"{type(self).__name__} {id(self)}"}

    def __str__(self) -> str:
        """Return the store and its place, for people: ``FileSystemCrashStorage in /srv/crashes``."""
        return type(self).__name__

    def store_names(self) -> list[str]:
        """Return the names of the stores behind this one that a crash is saved to; empty for a single store."""
        return []

    def limited_to(self, names: Collection[str]) -> CrashStorageBase:
        """Return this store with only the stores in ``names`` behind it, to save again what those did not save.

        ``names`` are as in ``store_names``. If there are none, or one is not known, the whole store is returned. The
        stores are shared, so close only the whole store.
        """
        return self

    def close(self) -> None:
        """Release connections. Called once, at the end."""


def each_store(stores: Mapping[str, CrashStorageBase], within: str = "") -> Iterator[tuple[str, CrashStorageBase]]:
    """Yield each store that has no others behind it, after its section: ``destination.storage0``."""
    for name, store in stores.items():
        if store.stores:
            yield from each_store(store.stores, f"{within}{name}.")
        else:
            yield f"{within}{name}", store
