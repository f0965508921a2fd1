"""The five lists with which operators decide which frames make a signature.

Each is a text file with one entry on a line: a regular expression that is compared with the beginning of a frame, or,
in the list of sentinels, a whole frame. ``#`` begins a comment at the beginning of a line and after white space;
within a word it stands for itself, because frames contain it too: ``{lambda(int)#1}``, ``main.c#12``.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import logging
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from weakref import WeakValueDictionary

from socorro_processor.errors import ConfigurationError, is_of_this_machine
from socorro_processor.machine.regular_file import read_regular_file

logger = logging.getLogger(__name__)

IRRELEVANT = "irrelevant_signature_re.txt"
PREFIX = "prefix_signature_re.txt"
SENTINELS = "signature_sentinels.txt"
LINE_NUMBERS = "signatures_with_line_numbers_re.txt"
TRIM_DLL = "trim_dll_signature_re.txt"
FILES = (IRRELEVANT, PREFIX, SENTINELS, LINE_NUMBERS, TRIM_DLL)

_BYTES_SHOWN = 100

_COMMENT = re.compile(r"(?:^|\s)#.*")
_STAYS_ALONE = re.compile(r"\\[1-9]|\(\?[P(#]")
"""Groups by number or name, and comments, which may hold half a bracket."""
_OPENS_GROUP = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^]\\])*\])|\((?!\?)", re.DOTALL)
"""A parenthesis that opens a group; or an escape or a set of characters, in which it stands for itself."""


@dataclass(frozen=True)
class Entry:
    """One entry of a list, with its file and line."""

    file: str
    line: int
    text: str


class PatternList:
    """Entries that are regular expressions. Raises ConfigurationError, which names each entry that is not."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._patterns = _compiled(self.entries)
        self._combined = _combined(self._patterns)

    def matches(self, frame: str) -> bool:
        """Return True if the beginning of ``frame`` matches an entry."""
        return any(pattern.match(frame) for pattern in self._combined)

    def entry_for(self, frame: str) -> Entry | None:
        """Return the first entry that the beginning of ``frame`` matches; None if there is none."""
        # Most frames match none, which the combined expressions tell much sooner.
        if not self.matches(frame):
            return None
        for entry, pattern in zip(self.entries, self._patterns, strict=True):
            if pattern.match(frame):
                return entry
        return None


@dataclass(frozen=True)
class SigLists:
    """A snapshot of all five lists. It never changes, so threads share it."""

    irrelevant: PatternList
    """Frames that say nothing, wherever they are."""
    prefix: PatternList
    """Frames that say something only together with the next one."""
    sentinels: tuple[Entry, ...]
    """Frames at which a signature begins."""
    line_numbers: PatternList
    """Functions so large that a signature needs the line number."""
    trim_dll: PatternList
    """Modules whose names count, but not their offsets."""
    version: str
    """A hash of the text of the files."""

    @classmethod
    def load(cls, directory: Path) -> SigLists:
        """Read and compile the lists. Raises ConfigurationError with file, number and reason of every bad line."""
        contents, mistakes = _read_all(directory)
        lists = {}
        for name in FILES:
            try:
                lists[name] = PatternList([] if name == SENTINELS else _entries(directory / name, contents[name]))
            except ConfigurationError as error:
                mistakes[name] += str(error).splitlines()
        if any(mistakes.values()):
            raise ConfigurationError("\n".join(chain.from_iterable(mistakes.values())))
        return cls(
            irrelevant=lists[IRRELEVANT],
            prefix=lists[PREFIX],
            sentinels=tuple(_entries(directory / SENTINELS, contents[SENTINELS])),
            line_numbers=lists[LINE_NUMBERS],
            trim_dll=lists[TRIM_DLL],
            version=_version(contents),
        )

    @cached_property
    def sentinel_frames(self) -> frozenset[str]:
        return frozenset(entry.text for entry in self.sentinels)


class SigListsInUse:
    """The lists of a directory, read again on demand while other threads use them."""

    def __init__(self, directory: Path) -> None:
        """Read the lists. Raises ConfigurationError: without lists there are no signatures."""
        self._directory = directory
        self._reloading = threading.Lock()
        self.current = SigLists.load(directory)
        """The present lists. Read this once for each crash: a reload replaces it."""

    def reload(self) -> None:
        """Read the lists again. Raises ConfigurationError if they are bad, and keeps the old ones."""
        with self._reloading:
            before = self.current
            # Each rule that shares the lists calls this, so they are compiled again only if they have changed.
            if _version(_contents(self._directory)) == before.version:
                return
            self.current = SigLists.load(self._directory)
            logger.info(
                "signature lists of %s: version %s, was %s", self._directory, self.current.version, before.version
            )


def lists_in_use(directory: Path) -> SigListsInUse:
    """Return the lists of a directory, the same object for all callers: read once, and again on each reload.

    Raises ConfigurationError.
    """
    key = directory.resolve()
    with _IN_USE_LOCK:
        lists = _IN_USE.get(key)
        if lists is None:
            lists = _IN_USE[key] = SigListsInUse(directory)
        return lists


_IN_USE: WeakValueDictionary[Path, SigListsInUse] = WeakValueDictionary()
_IN_USE_LOCK = threading.Lock()


def default_directory() -> Path:
    """Return the directory of the project's own lists: beside the package in a checkout, within it if installed."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "siglists"
    return installed if installed.is_dir() else package.parent / "siglists"


def default_directory_of_2026() -> Path:
    """Return the directory of the project's own lists for names in the normal form of 2026."""
    return default_directory() / "2026"


def mistakes_in(directory: Path) -> list[str]:
    """Return every mistake in the lists with file, line and reason: those that ``load`` refuses, and entries that
    match every frame."""
    contents, mistakes = _read_all(directory)
    for name in FILES:
        for entry in () if name == SENTINELS else _entries(directory / name, contents[name]):
            try:
                if _compile(entry).match(""):
                    mistakes[name].append(f"{_describe_entry(entry)} matches every frame")
            except ConfigurationError as error:
                mistakes[name].append(str(error))
    return list(chain.from_iterable(mistakes.values()))


def _read(path: Path) -> tuple[str, list[str]]:
    """Return the text of a list, and its mistakes; a line that is not UTF-8 counts as an empty one.

    Raises ConfigurationError if the machine is at fault, and not the list.
    """
    try:
        data = read_regular_file(path)
    except OSError as error:
        mistake = f"cannot read signature list {path}: {error.strerror}"
        if is_of_this_machine(error):
            raise ConfigurationError(mistake) from error
        return "", [mistake]
    lines, mistakes = [], []
    # An editor may have put a byte order mark in front.
    data = data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError as error:
            lines.append("")
            mistakes.append(f"{path}, line {number}: {line[:_BYTES_SHOWN]!r} is not UTF-8 text: {error.reason}")
    return "\n".join(lines), mistakes


def _read_all(directory: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the text of each list, and its mistakes, by the name of its file."""
    if not directory.is_dir():
        reason = os.strerror(errno.ENOTDIR if directory.exists() else errno.ENOENT)
        mistakes = [f"cannot read signature lists {directory}: {reason}"]
        return dict.fromkeys(FILES, ""), {name: mistakes if name == FILES[0] else [] for name in FILES}
    lists = {name: _read(directory / name) for name in FILES}
    return {name: text for name, (text, _) in lists.items()}, {name: mistakes for name, (_, mistakes) in lists.items()}


def _contents(directory: Path) -> dict[str, str]:
    contents, mistakes = _read_all(directory)
    if any(mistakes.values()):
        raise ConfigurationError("\n".join(chain.from_iterable(mistakes.values())))
    return contents


def _entries(path: Path, content: str) -> list[Entry]:
    stripped = ((number, _COMMENT.sub("", line).strip()) for number, line in enumerate(content.split("\n"), start=1))
    return [Entry(str(path), number, text) for number, text in stripped if text]


def _version(contents: dict[str, str]) -> str:
    digest = hashlib.sha256()
    for name in FILES:
        digest.update(f"{name}\n{len(contents[name])}\n{contents[name]}".encode())
    return digest.hexdigest()[:12]


def _compiled(entries: Sequence[Entry]) -> list[re.Pattern[str]]:
    patterns, mistakes = [], []
    for entry in entries:
        try:
            patterns.append(_compile(entry))
        except ConfigurationError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
    return patterns


def _compile(entry: Entry) -> re.Pattern[str]:
    try:
        return re.compile(entry.text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigurationError(f"{_describe_entry(entry)} is not a regular expression: {error}") from error


def _describe_entry(entry: Entry) -> str:
    return f"{entry.file}, line {entry.line}: {entry.text!r}"


def _combined(patterns: Sequence[re.Pattern[str]]) -> list[re.Pattern[str]]:
    """Return as few expressions as possible that match the same.

    An expression that refers to its groups, or has flags, stays alone: joined to others, the numbers of its groups
    would shift, and its flags would apply to all. Groups of the others capture nothing: that halves the time.
    """
    joined = [p.pattern for p in patterns if p.flags == re.UNICODE and not _STAYS_ALONE.search(p.pattern)]
    alone = [p for p in patterns if p.pattern not in joined]
    return [re.compile("|".join(f"(?:{_without_captures(each)})" for each in joined)), *alone] if joined else alone


def _without_captures(pattern: str) -> str:
    return _OPENS_GROUP.sub(lambda found: found[1] or "(?:", pattern)
