"""A command of ``socorro``: its help, its own arguments and its work."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from socorro_processor.configuration import Configuration
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.errors import ConfigurationError

_MAXIMUM_WIDTH = 100  # columns
_SHARED = ("resource", "secrets")
"""The sections of values that others share."""
_EXIT_CODES = {0: "done", 1: "not done", 2: "wrong arguments or configuration", 130: "interrupted"}


@dataclass(frozen=True)
class Command:
    """A command, or a family of commands."""

    name: str
    summary: str
    example: str
    run: Callable[[argparse.Namespace, Configuration], int]
    """Do the work; return the exit code."""
    add_arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    sections: tuple[str, ...] = ()
    """The sections of the configuration that it uses, but for shared values; all where none is named."""
    description: str = ""
    """Paragraphs that follow the summary in the help."""
    exit_codes: Mapping[int, str] = field(default_factory=dict)
    """The meaning of exit codes, where it is another one than that of most commands."""
    is_service: bool = False
    """It goes on also where nobody reads its output."""
    subcommands: Mapping[str, Command] = field(default_factory=dict)
    """The commands of a family, by the word that follows its name."""

    def parser(self) -> argparse.ArgumentParser:
        """Return a parser of the command's own arguments; it does not know those of the configuration."""
        parser = argparse.ArgumentParser(
            prog=f"socorro {self.name}",
            usage=f"socorro {self.name} COMMAND ..." if self.subcommands else None,
            description="\n\n".join(filter(None, (self.summary, self.description))),
            formatter_class=_Formatter,
            add_help=False,
            allow_abbrev=False,
        )
        parser.add_argument("-h", "--help", action="store_true", help="show this text")
        parser.add_argument("--help-config", nargs="?", metavar="SECTION", help=argparse.SUPPRESS)
        self.add_arguments(parser)
        return parser

    def help(self) -> str:
        """Return the text of ``--help``."""
        names = f"\n`socorro {self.name} COMMAND --help` says more of each."
        parts = {
            "commands": [*_rows({name: each.summary for name, each in self.subcommands.items()}), names],
            "example": [f"  {line}" for line in self.example.splitlines()],
            "exit codes": _rows({str(code): text for code, text in sorted({**_EXIT_CODES, **self.exit_codes}.items())}),
        }
        if not self.subcommands:
            del parts["commands"]
        texts = ("\n".join([f"{title}:", *lines, ""]) for title, lines in parts.items())
        configuration = "--help-config [SECTION] lists the options of the configuration."
        return "\n".join([self.parser().format_help(), *texts, configuration])

    def uses(self, section: str) -> bool:
        """Return True if the command uses a section of the configuration, or may."""
        return not self.sections or section in ("admin", *self.sections, *_SHARED)


def family(name: str, summary: str, example: str, subcommands: Mapping[str, Command], description: str = "") -> Command:
    """Return a command whose next word is one of ``subcommands``."""

    def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
        raise ConfigurationError(f"{name} needs a command: {', '.join(subcommands)}")

    sections = dict.fromkeys(section for command in subcommands.values() for section in command.sections)
    return Command(
        name, summary, example, run, sections=tuple(sections), description=description, subcommands=subcommands
    )


class _Formatter(argparse.HelpFormatter):
    """Wraps each paragraph of a description on its own."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width())

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(super(_Formatter, self)._fill_text(each, width, indent) for each in text.split("\n\n"))


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _MAXIMUM_WIDTH)


def _rows(texts: Mapping[str, str]) -> list[str]:
    """Lines: each name with its text beside it, wrapped."""
    indent = max(map(len, texts), default=0) + 4
    return [
        line
        for name, text in texts.items()
        for line in textwrap.wrap(
            text, _width(), initial_indent=f"  {name}".ljust(indent), subsequent_indent=" " * indent
        )
    ]


def build(component: str, configuration: Configuration) -> Any:
    """Return the component that a section names: ``build("source", configuration)`` is the source store."""
    return class_of(component, configuration)(configuration.values[component])


def queue_to_look(configuration: Configuration) -> CrashQueueBase:
    """Return the queue, for a command that looks first, and may have nothing to write."""
    queue: CrashQueueBase = class_of("new_crash_source", configuration).to_look(configuration.values.new_crash_source)
    return queue


def class_of(component: str, configuration: Configuration) -> Any:
    """Return the class of the component that a section names."""
    name = {"new_crash_source": "new_crash_source_class", "processor": "processor_class"}.get(
        component, "crashstorage_class"
    )
    return configuration.values[component][name]
