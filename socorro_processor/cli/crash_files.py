"""Read the crashes that a command line names by files: minidumps, directories of them, annotations."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from socorro_processor.app.submission import Dumps
from socorro_processor.cli.standard_error import say
from socorro_processor.crashstorage.base import MAIN_DUMP, check_dump_name
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.serialization import NotJSON, decode
from socorro_processor.untrusted import plain

_SUFFIX = ".dmp"


def add_annotations_argument(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--raw-crash", metavar="FILE", type=Path, help="the annotations, a JSON object; all crashes get them"
    )


def crashes_in(words: Sequence[str]) -> list[Dumps]:
    """Return the crashes that arguments name: each file is one, and so is each ``*.dmp`` below a directory.

    If one has the form NAME=FILE, all are dumps of one crash, and the file without a name is the main dump. Raises
    ConfigurationError if there are several of those, and SocorroError if a file is missing.
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
    """Return True if a word names a file or a directory, with or without NAME= in front."""
    _, equals, file = word.partition("=")
    return _exists(word) or (bool(equals) and _exists(file))


def read_annotations(path: Path | None) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one without a file. Raises SocorroError."""
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
    with suppress(OSError):  # the name is too long
        return Path(name).exists()
    return False


def _is_named(word: str) -> bool:
    return "=" in word and not _exists(word)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        _check_file(path)
        yield path
        return
    is_empty = True
    for directory, subdirectories, names in os.walk(path, onerror=_raise):
        subdirectories.sort()
        for name in sorted(names):
            file = Path(directory, name)
            if name.lower().endswith(_SUFFIX) and file.is_file():
                is_empty = False
                yield file
    if is_empty:
        raise SocorroError(f"there is no *{_SUFFIX} below {plain(str(path))}")


def _check_file(path: Path) -> None:
    if not path.is_file():
        reason = "it is not a regular file" if path.exists() else "no such file"
        raise SocorroError(f"cannot read {plain(str(path))}: {reason}")


def _raise(error: OSError) -> None:
    raise SocorroError(f"cannot read {plain(str(error.filename))}: {error.strerror}") from error
