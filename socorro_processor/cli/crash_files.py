"""Crashes as commands are given them in files: minidumps, directories of them, annotations."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socorro_processor.cli.standard_error import say
from socorro_processor.cli.untrusted import plain
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP, RawCrash, check_dump_name
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.serialization import NotJSON, decode

Dumps = Mapping[str, Path]
"""The files of a crash's dumps, by their names."""

_MAGIC = b"MDMP"
"""A minidump begins with it: the Signature of its MINIDUMP_HEADER (Microsoft, minidumpapiset.h)."""
_SUFFIX = ".dmp"


def add_annotations_argument(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--raw-crash", metavar="FILE", type=Path, help="the crash's annotations, a JSON object; of several, of each"
    )


def crashes_in(words: Sequence[str]) -> list[Dumps]:
    """Return the crashes that arguments name: each file is one, and so is each ``*.dmp`` below a directory.

    With NAME=FILE among them all are dumps of one crash, the file without a name its main one. Raises
    ConfigurationError where that says too much, and SocorroError for what is not there.
    """
    named = [word for word in words if _is_named(word)]
    if not named:
        return [{MAIN_DUMP: path} for word in words for path in _files(Path(word))]
    unnamed = [Path(word) for word in words if not _is_named(word)]
    if len(unnamed) > 1 or any(path.is_dir() for path in unnamed):
        raise ConfigurationError(
            f"{plain(named[0])} names a dump of one crash, which has at most one file without a name, its main dump"
        )
    dumps = dict(zip((MAIN_DUMP,), unnamed, strict=False))
    for name, _, file in (word.partition("=") for word in named):
        if check_dump_name(name) in dumps:
            raise SocorroError(f"two dumps have the same name, {name}; name the further ones: NAME=FILE")
        dumps[name] = Path(file)
    for path in dumps.values():
        _check_file(path)
    return [dumps]


def names_files(word: str) -> bool:
    """Return True if a word is a file or a directory, or NAME= and a file."""
    _, equals, file = word.partition("=")
    return _exists(word) or (bool(equals) and _exists(file))


def check_minidumps(dumps: Dumps) -> None:
    """Raise SocorroError where a dump for the stackwalker is not a minidump."""
    for name, path in dumps.items():
        if not name.startswith(MAIN_DUMP):
            continue
        try:
            with path.open("rb") as file:
                beginning = file.read(len(_MAGIC))
        except OSError as error:
            raise SocorroError(f"cannot read {plain(str(path))}: {error.strerror}") from error
        if beginning != _MAGIC:
            reason = f"it begins with {beginning!r}, not with {_MAGIC!r}" if beginning else "it is empty"
            raise SocorroError(f"{plain(str(path))} is not a minidump: {reason}")


def new_raw_crash(annotations: Mapping[str, Any]) -> RawCrash:
    """Return what a collector makes of annotations that it receives now; the crash id is its ``uuid``."""
    now = datetime.now(UTC)
    return {"submitted_timestamp": now.isoformat(), **annotations, "uuid": new_crash_id(now.date())}


def read_annotations(path: Path | None) -> dict[str, Any]:
    """Return the JSON object in a file, empty without one. Raises SocorroError."""
    if path is None:
        return {}
    try:
        annotations = decode(path.read_bytes(), lambda note: say(f"{path}: {note}"))
    except OSError as error:
        raise SocorroError(f"cannot read {path}: {error.strerror}") from error
    except NotJSON as error:
        raise SocorroError(f"{path} is {error}") from error
    if not isinstance(annotations, dict):
        raise SocorroError(f"{path} is not a JSON object of annotations by name")
    return annotations


def _exists(name: str) -> bool:
    with suppress(OSError):  # the name is too long for one
        return Path(name).exists()
    return False


def _is_named(word: str) -> bool:
    return "=" in word and not _exists(word)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        _check_file(path)
        yield path
        return
    found = False
    for directory, subdirectories, names in os.walk(path, onerror=_raise):
        subdirectories.sort()
        for name in sorted(names):
            file = Path(directory, name)
            if name.lower().endswith(_SUFFIX) and file.is_file():
                found = True
                yield file
    if not found:
        raise SocorroError(f"there is no *{_SUFFIX} below {plain(str(path))}")


def _check_file(path: Path) -> None:
    if not path.is_file():
        reason = "it is not a regular file" if path.exists() else "no such file"
        raise SocorroError(f"cannot read {plain(str(path))}: {reason}")


def _raise(error: OSError) -> None:
    raise SocorroError(f"cannot read {plain(str(error.filename))}: {error.strerror}") from error
