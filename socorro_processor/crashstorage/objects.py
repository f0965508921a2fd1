"""Stores that keep a crash as a handful of objects, each under a key: S3, a directory, memory."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from socorro_processor.configuration import DotDict, Namespace, WholeNumber
from socorro_processor.crash_id import check_crash_id, crash_date
from socorro_processor.crashstorage.base import (
    MAIN_DUMP,
    CrashStorageBase,
    Dump,
    ProcessedCrash,
    RawCrash,
    check_dump_name,
)
from socorro_processor.crashstorage.keys import (
    decode_dump_names,
    dump_key,
    dump_names_key,
    processed_crash_id,
    processed_crash_key,
    raw_crash_folders,
    raw_crash_keys,
)
from socorro_processor.crashstorage.redactor import Redactor, redactor_options
from socorro_processor.errors import CrashIDNotFound, InvalidCrashID, MalformedCrash, PermanentStorageError
from socorro_processor.serialization import Note, NotJSON, decode, encode, ignore

logger = logging.getLogger(__name__)

T = TypeVar("T")


MAXIMUM_DUMPS = 50
"""The number of dumps of a crash that are fetched: a client sends up to five, so more are an attack."""

_MAXIMUM_DUMP_NAMES_SIZE = 1_000_000


class NoSuchObject(Exception):
    """There is no object under this key, although the place for objects can be reached."""


class ObjectTooLarge(PermanentStorageError):
    """The object under this key is larger than may be read."""


class ObjectCrashStorage(CrashStorageBase):
    """Makes the methods of a store from six methods on objects; for the layout see ``keys``.

    A backend implements ``put``, ``get``, ``fetch``, ``delete``, ``are_absent`` and ``list_folder``; these translate
    the exceptions of its service. The processor's result is saved without the raw crash, which came from such a store.
    """

    required_config = Namespace()
    required_config.update(redactor_options())
    required_config.add_option(
        "maximum_dump_size",
        default=500_000_000,
        doc="bytes; a larger dump is left out when its crash is fetched",
        from_string_converter=WholeNumber(1),
    )
    required_config.add_option(
        "maximum_total_dump_size",
        default=1_000_000_000,
        doc="bytes; of the dumps of a crash those are left out that would make them more than this in all",
        from_string_converter=WholeNumber(1),
    )
    required_config.add_option(
        "maximum_raw_crash_size",
        default=16_000_000,
        doc="bytes; a crash whose annotations are larger is not saved, and parked: as objects in memory they take up "
        "to 35 times as much",
        from_string_converter=WholeNumber(1),
    )
    required_config.add_option(
        "maximum_processed_crash_size",
        default=64_000_000,
        doc="bytes; a larger processed crash is neither saved nor read",
        from_string_converter=WholeNumber(1),
    )

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._redactor: Redactor = config.redactor_class(config)

    def put(self, key: str, content: Dump) -> None:
        """Store an object, as a whole or not at all, in place of the one that may be there."""
        raise NotImplementedError

    def get(self, key: str, maximum_size: int | None = None) -> bytes:
        """Return an object. Raises NoSuchObject, and ObjectTooLarge over ``maximum_size`` bytes."""
        raise NotImplementedError

    def fetch(self, key: str, path: Path, maximum_size: int) -> None:
        """Write an object to a file, without holding it in memory. Raises as ``get`` does."""
        raise NotImplementedError

    def delete(self, key: str) -> bool:
        """Remove an object. Return False if there was none."""
        raise NotImplementedError

    def are_absent(self, keys: Iterable[str]) -> Iterator[bool]:
        """Yield for each key True if there is no object under it. Raises if the place for objects is not there."""
        raise NotImplementedError

    def list_folder(self, folder: str) -> Iterator[str]:
        """Yield the names of the objects directly in a folder, in ascending order; none if there is no such folder.

        If ``*`` stands for an inner folder, the names in all of these follow each other.
        """
        raise NotImplementedError

    def raw_crash_folders(self, day: date) -> tuple[str, ...]:
        """Return the folders where raw crashes of a day may be, for ``list_folder``."""
        return raw_crash_folders(day)

    def raw_crash_keys(self, crash_id: str) -> tuple[str, ...]:
        """Return the key that a raw crash is written to, then the other keys where one may be."""
        return raw_crash_keys(crash_id)

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        # All is checked before anything is written.
        encoded = self._encoded(raw_crash, crash_id, "raw crash")
        objects = {dump_key(crash_id, check_dump_name(name)): dump for name, dump in dumps.items()}
        # A dump of an earlier save is deleted while it is still in the list of names; a new one is written once it
        # is in the list. So `remove` finds all of them, wherever this process dies. The raw crash comes last: a
        # reader that sees it sees its dumps.
        for name in self._earlier_dump_names(crash_id):
            if (key := dump_key(crash_id, name)) not in objects:
                self.delete(key)
        self.put(dump_names_key(crash_id), encode(list(dumps)))
        for key, dump in objects.items():
            self.put(key, dump)
        self.put(self.raw_crash_keys(crash_id)[0], encoded)

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        crash_id = processed_crash_id(processed_crash)
        self.put(processed_crash_key(crash_id), self._encoded(processed_crash, crash_id, "processed crash"))

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        self.save_processed(processed_crash)

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        try:
            raw_crash = decode(self._raw_crash(crash_id), note)
        except ObjectTooLarge as error:
            raise MalformedCrash(
                f"the raw crash of {crash_id} is too large: {error} (maximum_raw_crash_size)"
            ) from None
        except NotJSON as error:
            raise MalformedCrash(f"the raw crash of {crash_id} is {error}") from None
        if not isinstance(raw_crash, dict):
            raise MalformedCrash(f"the raw crash of {crash_id} is a JSON {type(raw_crash).__name__}, not an object")
        return raw_crash

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        key = dump_key(crash_id, name)
        try:
            return self.get(key, self.config.maximum_dump_size)
        except NoSuchObject:
            raise CrashIDNotFound(f"{self} has no dump {name or MAIN_DUMP} of {crash_id}") from None
        except ObjectTooLarge as error:
            raise ObjectTooLarge(
                f"the dump {name or MAIN_DUMP} of {crash_id} is too large: {error} (maximum_dump_size)"
            ) from None

    def get_raw_dumps(self, crash_id: str) -> dict[str, bytes]:
        return self._dumps(crash_id, ignore, lambda name, key, limit: self.get(key, limit), len)

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        def fetched(name: str, key: str, limit: int) -> Path:
            path = directory / f"{crash_id}.{name}.dump"
            self.fetch(key, path, limit)
            return path

        return self._dumps(crash_id, note, fetched, lambda path: path.stat().st_size)

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        return self._redactor.redact(self.get_unredacted_processed(crash_id))

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        try:
            processed_crash = decode(self.get(processed_crash_key(crash_id), self.config.maximum_processed_crash_size))
        except NoSuchObject:
            raise CrashIDNotFound(f"{self} has no processed crash {crash_id}") from None
        except ObjectTooLarge as error:
            raise ObjectTooLarge(
                f"the processed crash {crash_id} in {self} is too large: {error} (maximum_processed_crash_size)"
            ) from None
        except NotJSON as error:
            raise PermanentStorageError(f"the processed crash {crash_id} in {self} is {error}") from None
        if not isinstance(processed_crash, dict):
            raise PermanentStorageError(f"the processed crash {crash_id} in {self} is not a JSON object")
        return processed_crash

    def raw_crash_ids(self, day: date) -> Iterator[str]:
        merged = heapq.merge(*map(self.list_folder, self.raw_crash_folders(day)))
        for name, _ in groupby(merged):
            # Any other object there is being written, or is not ours.
            with suppress(InvalidCrashID):
                if crash_date(name) == day:
                    yield name

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        absent = self.are_absent(map(processed_crash_key, crash_ids))
        return {crash_id for crash_id, is_absent in zip(crash_ids, absent, strict=True) if is_absent}

    def held(self, crash_id: str) -> list[str]:
        objects = self._parts(crash_id)
        absent = self.are_absent(objects)
        return [what for what, is_absent in zip(objects.values(), absent, strict=True) if not is_absent]

    def remove(self, crash_id: str) -> None:
        # The raw crash goes first, so that nobody begins to read it. The names of the dumps go last, so that a
        # removal that was interrupted can be done again.
        found = [self.delete(key) for key in self._parts(crash_id)]
        if not any(found):
            raise CrashIDNotFound(f"{self} has no crash {crash_id}")

    def _parts(self, crash_id: str) -> dict[str, str]:
        """Return the keys that parts of the crash may be under, each with the name of the part."""
        return {
            **dict.fromkeys(self.raw_crash_keys(crash_id), "raw crash"),
            processed_crash_key(crash_id): "processed crash",
            **{dump_key(crash_id, name): f"dump {name}" for name in [MAIN_DUMP, *self._earlier_dump_names(crash_id)]},
            dump_names_key(crash_id): "names of the dumps",
        }

    def _encoded(self, crash: Mapping[str, Any], crash_id: str, what: str) -> bytes:
        """Encode a crash. Raises PermanentStorageError if it is too large to be read again."""
        data = encode(crash, lambda note: logger.warning("%s of crash %s in %s", note, crash_id, self))
        option = f"maximum_{what.replace(' ', '_')}_size"
        if len(data) > (maximum := self.config[option]):
            raise PermanentStorageError(
                f"the {what} {crash_id} is not saved in {self}, which could not read it again: {len(data)} bytes, more "
                f"than {maximum} ({option})"
            )
        return data

    def _raw_crash(self, crash_id: str) -> bytes:
        for key in self.raw_crash_keys(crash_id):
            try:
                return self.get(key, self.config.maximum_raw_crash_size)
            except NoSuchObject:
                continue
        raise CrashIDNotFound(f"{self} has no raw crash {crash_id}")

    def _earlier_dump_names(self, crash_id: str) -> list[str]:
        try:
            return decode_dump_names(self.get(dump_names_key(crash_id)), crash_id, ignore)
        except NoSuchObject:
            return []

    def _dump_names(self, crash_id: str, note: Note) -> list[str]:
        try:
            data = self.get(dump_names_key(crash_id), _MAXIMUM_DUMP_NAMES_SIZE)
        except NoSuchObject:
            self._raw_crash(check_crash_id(crash_id))
            note("there is no list of dump names: only the main dump is looked for")
            return [MAIN_DUMP]
        except ObjectTooLarge as error:
            note(f"the list of dump names is too large ({error}): only the main dump is looked for")
            return [MAIN_DUMP]
        names = decode_dump_names(data, crash_id, note)
        if len(names) > MAXIMUM_DUMPS:
            note(f"of {len(names)} dumps {MAXIMUM_DUMPS} are looked for, the others left out")
            names = [name for name in names if name == MAIN_DUMP] + [name for name in names if name != MAIN_DUMP]
        return names[:MAXIMUM_DUMPS]

    def _dumps(
        self, crash_id: str, note: Note, read: Callable[[str, str, int], T], size: Callable[[T], int]
    ) -> dict[str, T]:
        dumps: dict[str, T] = {}
        room = self.config.maximum_total_dump_size
        for name in self._dump_names(crash_id, note):
            limit, option = self.config.maximum_dump_size, "maximum_dump_size"
            if room < limit:
                limit, option = room, "the rest of maximum_total_dump_size"
            try:
                dumps[name] = read(name, dump_key(crash_id, name), limit)
                room -= size(dumps[name])
            except NoSuchObject:
                note(f"dump {name} is named but not there")
            except ObjectTooLarge as error:
                note(f"dump {name} is left out: {error} ({option})")
        return dumps
