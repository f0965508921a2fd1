"""Every ``socorro`` line in a literal block of the docs is accepted by the command."""

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from socorro_processor.cli.all_options import all_options
from socorro_processor.cli.commands import COMMANDS, load
from socorro_processor.configuration import Configuration, read_ini, split_command_line
from tests.shared import REPOSITORY

PAGES = [REPOSITORY / "README.rst", *sorted((REPOSITORY / "docs").rglob("*.rst"))]
_LITERAL = re.compile(r"(?:::|\.\. code-block::.*)$")


def literal_lines(page: Path) -> Iterator[str]:
    """Yield the lines of literal blocks; one that ends in a backslash goes on with the next."""
    indent: int | None = None
    begun = ""
    for line in page.read_text().splitlines():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        if indent is not None and depth > indent:
            begun += line.strip()
            if begun.endswith("\\"):
                begun = begun[:-1]
            else:
                yield begun
                begun = ""
        else:
            indent = depth if _LITERAL.search(line.rstrip()) else None


def words_of(line: str) -> list[str]:
    """Return the words after ``socorro``, up to the shell's own."""
    words = shlex.shlex(line, posix=True, punctuation_chars="|;<>&")
    words.whitespace_split = True
    return [*takewhile(lambda word: word.strip("|;<>&"), words)][1:]


COMMAND_LINES = sorted(
    {
        (str(page.relative_to(REPOSITORY)), line.removeprefix("$ "))
        for page in PAGES
        for line in literal_lines(page)
        if line.removeprefix("$ ").startswith("socorro ")
    }
)


@pytest.fixture(scope="module")
def known_keys() -> set[str]:
    """The keys of the configurations that come with the project."""
    keys = {"admin.conf", "admin.print_conf", "admin.dump_conf"}
    for name in ("processor.ini", "processor-production.ini"):
        ini = read_ini(REPOSITORY / "config" / name)
        keys |= {key for key, _ in Configuration(all_options(), [ini]).options()}
    return keys


def test_many_commands_are_quoted():
    assert len(COMMAND_LINES) > 30


@pytest.mark.parametrize(("page", "line"), COMMAND_LINES)
def test_each_quoted_command_line_is_accepted(page, line, known_keys):
    first, *words = words_of(line)
    if first in ("--help", "--version"):
        return
    assert first in COMMANDS
    command = load(first)
    if words and command.subcommands:
        if words[0] == "JOB":
            words[0] = next(iter(command.subcommands))
        if not command.takes_words or words[0] in command.subcommands:
            command = command.subcommands[words.pop(0)]
    configured, own = split_command_line(words)
    assert configured.unknown(known_keys) == set()
    # If the line is wrong, argparse says why, and exits.
    command.parser().parse_intermixed_args(own)
