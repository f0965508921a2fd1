"""What every crash store does: the contract of raw crashes, dumps and processed crashes."""

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
    """Return ``name`` where it is safe as a part of a path or a key; else PermanentStorageError.

    Names come from clients: ``../x``, ``/etc/passwd``, a NUL or 300 characters are refused.
    """
    if not _DUMP_NAME.fullmatch(name):
        raise PermanentStorageError(
            f"{name[:60]!r} is no dump name: up to 100 letters, digits, '_', '-' and '.', not beginning with '-' or '.'"
        )
    return name


class CrashStorageBase(RequiredConfig):
    """A place for crashes. A store implements what it can; the other saves do nothing.

    - Every save is *idempotent*: saving a crash again replaces it.
    - Every save is *atomic*: a reader never sees half an object.
    - No store changes what it is given: the next store still sees all of it.
    - Every method may be called from any thread, by several at once.
    - Crash ids and dump names are strangers' words: both are checked before they become a path or
      a key (InvalidCrashID, PermanentStorageError).
    - A failure is CrashIDNotFound, a TransientStorageError (the store's fault) or a
      PermanentStorageError (this crash's content), and nothing else.
    """

    required_config = Namespace()

    def __init__(self, config: DotDict) -> None:
        self.config = config

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        """Store what a collector received: annotations and dumps by name."""

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        """Store a processed crash; its id is ``processed_crash["uuid"]``."""

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        """What the processor calls once a crash is processed."""
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
        """``save_raw_and_processed`` after an attempt that did not save it everywhere.

        ``unsaved``: those of ``store_names`` that lack it; the others need not be written again. Empty, or with a
        name that is not known here: all of them.
        """
        self.save_raw_and_processed(raw_crash, dumps, processed_crash, crash_id)

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        """The annotations. MalformedCrash where what is stored is no JSON object.

        ``note`` is told what had to be mended in it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not give back raw crashes")

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        """One dump: the main one where no name is given."""
        raise NotImplementedError(f"{type(self).__name__} does not give back dumps")

    def get_raw_dumps(self, crash_id: str) -> dict[str, bytes]:
        """All dumps, by name."""
        raise NotImplementedError(f"{type(self).__name__} does not give back dumps")

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        """Copy all dumps into ``directory``, which the caller owns and removes; the files by name.

        A dump that is named but not there, has an impossible name, is larger than ``maximum_dump_size``
        or one too many is left out, and ``note`` is told: the crash goes on without it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not give back dumps")

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        """The processed crash without what its redactor forbids."""
        raise NotImplementedError(f"{type(self).__name__} does not give back processed crashes")

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        """All of the processed crash."""
        raise NotImplementedError(f"{type(self).__name__} does not give back processed crashes")

    def new_crashes(self) -> Iterator[str]:
        """The ids of the raw crashes that have no processed crash in this store."""
        raise NotImplementedError(f"{type(self).__name__} does not list its crashes")

    def raw_crash_ids(self, day: date) -> Iterator[str]:
        """The ids of the raw crashes here that are dated this day, each once, in ascending order.

        A crash that is saved or removed meanwhile may be among them or not. Those that lie where only
        collectors of former times put them are left out.
        """
        raise NotImplementedError(f"{type(self).__name__} does not list its raw crashes")

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[CrashSummary]:
        """So many of the newest crashes, the newest first: by the day of the crash id, then by when they came.

        With a ``signature``, to the letter, or a ``product``: only such processed crashes. However many crashes there
        are, no more than ``limit``, or a few thousand, are in memory.
        """
        raise NotImplementedError(f"{type(self).__name__} does not list its newest crashes")

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        """Those of a thousand crash ids or so of which there is no processed crash here.

        A store that is not there, or lost its bucket or tables, says so (TransientStorageError), and never
        that all crashes are missing.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which processed crashes it has")

    def held(self, crash_id: str) -> list[str]:
        """What the store holds of this crash, for people: ``raw crash``, ``dump``; nothing where it has none."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it has of a crash")

    def remove(self, crash_id: str) -> None:
        """Remove all that the store holds of this crash; CrashIDNotFound where that is nothing."""
        raise NotImplementedError(f"{type(self).__name__} does not remove crashes")

    def setup(self) -> None:
        """Make what the store needs: bucket, schema, template. Safe to run again."""

    def check(self) -> None:
        """Raise a CrashStorageError where the store cannot be used at this time."""

    def examine(self) -> str:
        """Look at the store for whoever sets it up, and change nothing: what is going to be made once it is needed.

        Raises a CrashStorageError where the store cannot be used at this time, NotImplementedError where it cannot
        tell. A store whose ``check`` writes does not do so here.
        """
        if type(self).check is CrashStorageBase.check:
            raise NotImplementedError(f"{type(self).__name__} has no check")
        self.check()
        return ""

    @property
    def stores(self) -> Mapping[str, CrashStorageBase]:
        """The stores behind this one by the name of its section, in order; empty where it is a store itself."""
        return {}

    def places(self) -> set[str]:
        """Where what is saved here lies; two stores are one where these are the same.

        Of a store that does not say it, this object alone is such a place.
        """
        return {f"{type(self).__name__} {id(self)}"}

    def __str__(self) -> str:
        """Where crashes are looked for, for people: ``FileSystemCrashStorage in /srv/crashes``."""
        return type(self).__name__

    def store_names(self) -> list[str]:
        """The names of the stores behind this one that a crash is saved to; empty where it is a store itself."""
        return []

    def check_some(self, names: Collection[str]) -> None:
        """Check only the stores behind this one that have these names; all of them where a name is not known."""
        self.check()

    def close(self) -> None:
        """Release connections. Called once, at the end."""


def each_store(stores: Mapping[str, CrashStorageBase], within: str = "") -> Iterator[tuple[str, CrashStorageBase]]:
    """Each store that is not made of others, by its section: ``destination.storage0``."""
    for name, store in stores.items():
        if store.stores:
            yield from each_store(store.stores, f"{within}{name}.")
        else:
            yield f"{within}{name}", store
