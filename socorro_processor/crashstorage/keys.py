"""Keys of the parts of a crash: one layout for S3 and for directories.

| thing | key |
|---|---|
| raw crash | ``v2/raw_crash/{first 3 of id}/{yyyymmdd}/{id}``; earlier ``v1/raw_crash/{id}``; see ``KeyBuilder`` |
| dump names | ``v1/dump_names/{id}``, a JSON list |
| dump | ``v1/{dump name}/{id}``; the main one ``v1/dump/{id}`` |
| processed crash | ``v1/processed_crash/{id}`` |
| why dumps were removed | ``v1/dumps_removed/{id}``, in words; only if they were, and the crash stays |
| crash report (a subset, for telemetry) | ``v1/crash_report/{yyyymmdd}/{id}`` |

Every function raises InvalidCrashID if its argument is not a crash id, so each key is safe as a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from socorro_processor.crash_id import check_crash_id, crash_date
from socorro_processor.crashstorage.base import MAIN_DUMP, check_dump_name
from socorro_processor.errors import InvalidCrashID, PermanentStorageError
from socorro_processor.serialization import Note, NotJSON, decode

_MAIN_DUMP_KEY = "dump"
_RESERVED = frozenset((_MAIN_DUMP_KEY, "crash_report", "dump_names", "dumps_removed", "processed_crash", "raw_crash"))
"""Names of other objects: a dump with such a name would replace one."""

_NAMES_IN_NOTE = 3


def raw_crash_keys(crash_id: str) -> tuple[str, ...]:
    """Return the key that a raw crash is written to, then the key where an old one may be."""
    return (
        f"v2/raw_crash/{crash_id[:3]}/{crash_date(crash_id):%Y%m%d}/{crash_id}",
        f"v1/raw_crash/{crash_id}",
    )


def raw_crash_folders(day: date) -> tuple[str, ...]:
    """Return the folders of the raw crashes of a day; ``*`` is the first 3 characters of their ids."""
    return (f"v2/raw_crash/*/{day:%Y%m%d}",)


class KeyBuilder:
    """Makes the keys of raw crashes, which collectors of different times put in different places.

    This class uses the oldest place.
    """

    def raw_crash_keys(self, crash_id: str) -> tuple[str, ...]:
        """Return the key that a raw crash is written to, then the other keys where one may be."""
        return raw_crash_keys(crash_id)[::-1]

    def raw_crash_folders(self, day: date) -> tuple[str, ...]:
        """Return the folders where raw crashes of a day may be. Here one folder has the crashes of all days."""
        return ("v1/raw_crash", *raw_crash_folders(day))


class DatePrefixKeyBuilder(KeyBuilder):
    """The layout above: the first digits of the ids spread a day's crashes over the bucket's partitions."""

    raw_crash_keys = staticmethod(raw_crash_keys)
    raw_crash_folders = staticmethod(raw_crash_folders)


class SimpleDatePrefixKeyBuilder(KeyBuilder):
    """The layout ``v1/raw_crash/{yyyymmdd}/{id}`` of later collectors."""

    def raw_crash_keys(self, crash_id: str) -> tuple[str, ...]:
        return (f"v1/raw_crash/{crash_date(crash_id):%Y%m%d}/{crash_id}", *raw_crash_keys(crash_id))

    def raw_crash_folders(self, day: date) -> tuple[str, ...]:
        return (f"v1/raw_crash/{day:%Y%m%d}", *raw_crash_folders(day))


def crash_report_key(crash_id: str) -> str:
    return f"v1/crash_report/{crash_date(crash_id):%Y%m%d}/{crash_id}"


def dump_names_key(crash_id: str) -> str:
    return f"v1/dump_names/{check_crash_id(crash_id)}"


def dumps_removed_key(crash_id: str) -> str:
    return f"v1/dumps_removed/{check_crash_id(crash_id)}"


def dump_key(crash_id: str, name: str | None) -> str:
    """Return the key of one dump; without a name, of the main one.

    Raises PermanentStorageError for an impossible name, or that of another object.
    """
    check_crash_id(crash_id)
    if name in (None, "", MAIN_DUMP):
        return f"v1/{_MAIN_DUMP_KEY}/{crash_id}"
    if check_dump_name(name) in _RESERVED:
        raise PermanentStorageError(f"{name!r} cannot be the name of a dump: crash stores keep something else under it")
    return f"v1/{name}/{crash_id}"


def processed_crash_key(crash_id: str) -> str:
    return f"v1/processed_crash/{check_crash_id(crash_id)}"


def processed_crash_id(processed_crash: Mapping[str, Any]) -> str:
    """Return the crash id within a processed crash. Raises InvalidCrashID if there is none."""
    crash_id = processed_crash.get("uuid")
    if not isinstance(crash_id, str):
        raise InvalidCrashID(f"the uuid of a processed crash is of type {type(crash_id).__name__}, not a crash id")
    return check_crash_id(crash_id)


def decode_dump_names(data: bytes, crash_id: str, note: Note) -> list[str]:
    """Return the names in a stored list; the main dump has its full name.

    Clients chose the names: an impossible one is left out, with a note.
    """
    try:
        stored = decode(data, note)
    except NotJSON:
        stored = None
    if not isinstance(stored, list):
        note("the list of dump names cannot be read: only the main dump is looked for")
        return [MAIN_DUMP]
    names: dict[str, None] = {}
    impossible: list[str] = []
    for item in stored:
        try:
            if not isinstance(item, (str, type(None))):
                raise PermanentStorageError(f"a dump name of type {type(item).__name__}")
            dump_key(crash_id, item)
            names[item or MAIN_DUMP] = None
        except PermanentStorageError:
            impossible.append(repr(item)[:60])
    if impossible:
        note(
            f"dumps left out because of impossible names ({len(impossible)}): {', '.join(impossible[:_NAMES_IN_NOTE])}"
        )
    return list(names)
