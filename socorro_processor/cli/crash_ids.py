"""Read crash ids from arguments, files or standard input, in any form in which people copy them:

6eeb8ac5-9a8e-4b6c-8f31-1f2d40161123
bp-6eeb8ac5-9a8e-4b6c-8f31-1f2d40161123
https://crash-stats.example.com/report/index/6eeb8ac5-9a8e-4b6c-8f31-1f2d40161123
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from socorro_processor.cli.standard_error import say
from socorro_processor.crash_id import check_crash_id
from socorro_processor.errors import ConfigurationError, InvalidCrashID

STANDARD_INPUT = "-"
_SHOWN_CHARACTERS = 60
_NAMED_MISTAKES = 20
"""The number of words that are named as no crash ids: a wrong file has thousands."""

FORMS = "its id, bp-ID, or the address of its report"
"""For the help of an argument."""

_ID = "(?:bp-)?([0-9a-f-]{36})"
_FORMS = re.compile(rf"{_ID}|https?://[^\s/?#]+/(?:[^\s?#]*/)?{_ID}/?(?:[?#]\S*)?", re.ASCII)


def crash_id_of(word: str) -> str:
    """Return the crash id in a word: bare, after ``bp-``, or at the end of the path of a report's address.

    It is in lower case. ``bp-`` comes from Breakpad's clients. Raises InvalidCrashID.
    """
    text = word.strip().lower()
    form = _FORMS.fullmatch(text)
    return check_crash_id((form[1] or form[2]) if form else text)


@dataclass
class CrashIDs:
    """Distinct crash ids, in the order in which they came, and the number of words that were not crash ids."""

    valid: dict[str, None] = field(default_factory=dict)
    refused: int = 0

    def add(self, words: Iterable[str]) -> None:
        """Add the crash ids among ``words``; say why a word is not one."""
        for word in words:
            try:
                self.valid[crash_id_of(word)] = None
            except InvalidCrashID as error:
                self.refused += 1
                if self.refused <= _NAMED_MISTAKES:
                    say(f"{word[:_SHOWN_CHARACTERS]}: {error}")
                elif self.refused == _NAMED_MISTAKES + 1:
                    say("there are more words that are not crash ids")


def add_crash_id_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "crash_ids", metavar="CRASH_ID", nargs="*", help=f"a crash: {FORMS}; - reads crash ids from standard input"
    )
    parser.add_argument(
        "--file",
        metavar="FILE",
        action="append",
        default=[],
        type=Path,
        help="read crash ids from a file, separated by blanks or line ends; may be given more than once",
    )


def read_crash_ids(arguments: argparse.Namespace) -> CrashIDs:
    """Read the crash ids that the arguments of ``add_crash_id_arguments`` name.

    Raises ConfigurationError if a file cannot be read.
    """
    crash_ids = CrashIDs()
    for argument in arguments.crash_ids:
        crash_ids.add(_words(sys.stdin.buffer) if argument == STANDARD_INPUT else argument.split())
    for path in arguments.file:
        try:
            with path.open("rb") as lines:
                crash_ids.add(_words(lines))
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    return crash_ids


def _words(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        yield from line.decode("utf-8", "replace").split()
