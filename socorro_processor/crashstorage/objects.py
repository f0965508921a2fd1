"""The base of stores that keep a crash as a few objects, each under a key: S3, a directory, memory."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
    DatePrefixKeyBuilder,
    KeyBuilder,
    decode_dump_names,
    dump_key,
    dump_names_key,
    processed_crash_id,
    processed_crash_key,
)
from socorro_processor.crashstorage.redactor import Redactor, redactor_options
from socorro_processor.errors import (
    CrashIDNotFound,
    InvalidCrashID,
    MalformedCrash,
    PermanentStorageError,
    TransientStorageError,
)
from socorro_processor.serialization import Note, NotJSON, decode, encode, ignore

logger = logging.getLogger(__name__)

T = TypeVar("T")


MAXIMUM_DUMPS = 50
"""Dumps of a crash that are fetched at most: a client sends up to five, so more are an attack."""

_MAXIMUM_DUMP_NAMES_SIZE = 1_000_000


class NoSuchObject(Exception):
    """There is no object under this key, although the place for objects can be reached."""


class ObjectTooLarge(PermanentStorageError):
    """The object under this key is larger than may be read."""


class ObjectCrashStorage(CrashStorageBase):
    """Makes the methods of a store from six methods on objects; for the layout see the module ``keys``.

    A backend implements ``put``, ``get``, ``fetch``, ``delete``, ``are_absent`` and ``list_folder``; these translate
    the exceptions of its service. The processor's result is saved without the raw crash, which came from such a store.
    """

    required_config = Namespace()
    required_config.update(redactor_options())
    required_config.add_option(
        "maximum_dump_size",
        default=500_000_000,
        doc="maximum size of a dump in bytes; a larger one is left out when its crash is fetched",
        from_string_converter=WholeNumber(1),
    )
    required_config.add_option(
        "maximum_total_dump_size",
        default=1_000_000_000,
        doc="maximum size of all dumps of a crash in bytes; a dump that would exceed it is left out",
        from_string_converter=WholeNumber(1),
    )
    required_config.add_option(
        "maximum_raw_crash_size",
        default=16_000_000,
        doc="maximum size of a raw crash in bytes; a larger one is not saved, and its crash is parked: in memory it "
        "takes up to 35 times as much",
        from_string_converter=WholeNumber(1),
    )
    required_config.add_option(
        "maximum_processed_crash_size",
        default=64_000_000,
        doc="maximum size of a processed crash in bytes; a larger one is neither saved nor read",
        from_string_converter=WholeNumber(1),
    )

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._redactor: Redactor = config.redactor_class(config)
        self._keys: KeyBuilder = DatePrefixKeyBuilder()

    def put(self, key: str, content: Dump) -> None:
        """Store an object, as a whole or not at all, in place of any earlier one."""
        raise NotImplementedError

    def get(self, key: str, maximum_size: int | None = None) -> bytes:
        """Return an object. Raises NoSuchObject, and ObjectTooLarge over ``maximum_size`` bytes."""
        raise NotImplementedError

    def fetch(self, key: str, path: Path, maximum_size: int) -> None:
        """Write an object to a file, without keeping it in memory. Raises as ``get`` does."""
        raise NotImplementedError

    def delete(self, key: str) -> bool:
        """Remove an object. Return False if there was none."""
        raise NotImplementedError

    def are_absent(self, keys: Iterable[str]) -> Iterator[bool]:
        """Yield, for each key, True if no object is under it. Raises if the place for objects is missing."""
        raise NotImplementedError

    def list_folder(self, folder: str) -> Iterator[str]:
        """Yield the names of the objects directly in a folder, in ascending order; none if there is no such folder.

        If ``*`` stands for an inner folder, yield the names in each such folder, one folder after the other.
        """
        raise NotImplementedError

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        # Everything is checked before anything is written.
        encoded = self._encode(raw_crash, crash_id, "raw crash")
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
        self.put(self._keys.raw_crash_keys(crash_id)[0], encoded)

    def save_processed(self, processed_crash: ProcessedCrash) -> None:
        crash_id = processed_crash_id(processed_crash)
        self.put(processed_crash_key(crash_id), self._encode(processed_crash, crash_id, "processed crash"))

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        self.save_processed(processed_crash)

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        what = f"the raw crash of {crash_id}"
        try:
            return _decode(self._raw_crash(crash_id), what, MalformedCrash, note)
        except ObjectTooLarge as error:
            raise MalformedCrash(f"{what} is too large: {error} (maximum_raw_crash_size)") from None

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        key = dump_key(crash_id, name)
        return self._get(key, f"dump {name or MAIN_DUMP} of {crash_id}", "maximum_dump_size")

    def get_raw_dumps(self, crash_id: str) -> dict[str, bytes]:
        return self._dumps(crash_id, ignore, lambda name, key, limit: self.get(key, limit), len)

    def get_raw_dumps_as_files(self, crash_id: str, directory: Path, note: Note = ignore) -> dict[str, Path]:
        def fetch(name: str, key: str, limit: int) -> Path:
            path = directory / f"{crash_id}.{name}.dump"
            self.fetch(key, path, limit)
            return path

        return self._dumps(crash_id, note, fetch, lambda path: path.stat().st_size)

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        return self._redactor.redact(self.get_unredacted_processed(crash_id))

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        what = f"processed crash {crash_id}"
        data = self._get(processed_crash_key(crash_id), what, "maximum_processed_crash_size")
        return _decode(data, f"the {what} in {self}", PermanentStorageError)

    def raw_crash_ids(self, day: date) -> Iterator[str]:
        merged = heapq.merge(*map(self.list_folder, self._keys.raw_crash_folders(day)))
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
        existed = [self.delete(key) for key in self._parts(crash_id)]
        if not any(existed):
            raise CrashIDNotFound(f"{self} has no crash {crash_id}")

    def _parts(self, crash_id: str) -> dict[str, str]:
        """Return the keys that parts of the crash may be under, each with the name of the part."""
        return {
            **dict.fromkeys(self._keys.raw_crash_keys(crash_id), "raw crash"),
            processed_crash_key(crash_id): "processed crash",
            **{dump_key(crash_id, name): f"dump {name}" for name in [MAIN_DUMP, *self._earlier_dump_names(crash_id)]},
            dump_names_key(crash_id): "names of the dumps",
        }

    def _encode(self, crash: Mapping[str, Any], crash_id: str, what: str) -> bytes:
        """Encode a crash. Raises PermanentStorageError if it is too large to be read again."""
        data = encode(crash, lambda note: logger.warning("%s of crash %s in %s", note, crash_id, self))
        option = f"maximum_{what.replace(' ', '_')}_size"
        if len(data) > (maximum := self.config[option]):
            raise PermanentStorageError(
                f"cannot save the {what} {crash_id} in {self}: {len(data)} bytes, more than {maximum} ({option})"
            )
        return data

    def _get(self, key: str, what: str, option: str) -> bytes:
        """Return an object, which may have as many bytes as ``option`` allows."""
        try:
            return self.get(key, self.config[option])
        except NoSuchObject:
            raise CrashIDNotFound(f"{self} has no {what}") from None
        except ObjectTooLarge as error:
            raise ObjectTooLarge(f"the {what} in {self} is too large: {error} ({option})") from None

    def _raw_crash(self, crash_id: str) -> bytes:
        for key in self._keys.raw_crash_keys(crash_id):
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
            note(f"only {MAXIMUM_DUMPS} of {len(names)} dumps are looked for")
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
                note(f"dump {name} is listed but missing")
            except ObjectTooLarge as error:
                note(f"dump {name} is left out: {error} ({option})")
        return dumps


def _decode(data: bytes, what: str, error_class: type[PermanentStorageError], note: Note = ignore) -> dict[str, Any]:
    try:
        crash = decode(data, note)
    except NotJSON as error:
        raise error_class(f"{what} is {error}") from None
    if not isinstance(crash, dict):
        raise error_class(f"{what} is a JSON {type(crash).__name__}, not an object")
    return crash


@contextmanager
def local_file_errors(doing: str, path: Path) -> Iterator[None]:
    """Raise TransientStorageError for an OSError: a file of a dump on this machine is at fault, not the crash."""
    try:
        yield
    except OSError as error:
        raise TransientStorageError(f"cannot {doing} {path}: {error.strerror or error}") from error
