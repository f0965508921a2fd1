"""A command of ``socorro``: its help, its own arguments and its work."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from socorro_processor.configuration import Configuration
from socorro_processor.configuration.components import create
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.errors import ConfigurationError

_MAXIMUM_WIDTH = 100  # columns
_SHARED = ("resource", "secrets")
"""The sections whose values other sections share."""
_CLASS_OPTIONS = {"new_crash_source": "new_crash_source_class", "processor": "processor_class"}
"""The options that name classes, by section; in other sections ``crashstorage_class``."""
_EXIT_CODES = {0: "done", 1: "failed", 2: "wrong arguments or configuration", 130: "interrupted"}


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
    """The sections of the configuration that it uses, besides the shared ones; if empty, all."""
    description: str = ""
    """Paragraphs that follow the summary in the help."""
    exit_codes: Mapping[int, str] = field(default_factory=dict)
    """The exit codes that mean something else than for most commands."""
    is_service: bool = False
    """True if it goes on even if nobody reads its output."""
    subcommands: Mapping[str, Command] = field(default_factory=dict)
    """The commands of a family, by the second word of their names."""
    takes_words: bool = False
    """True if it has subcommands, and does something of its own with other words."""

    def parser(self) -> argparse.ArgumentParser:
        """Return a parser of the command's own arguments, without the configuration's."""
        parser = argparse.ArgumentParser(
            prog=f"socorro {self.name}",
            usage=f"socorro {self.name} COMMAND ..." if self.subcommands and not self.takes_words else None,
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
        parts = {
            "example": [f"  {line}" for line in self.example.splitlines()],
            "exit codes": _rows({str(code): text for code, text in sorted({**_EXIT_CODES, **self.exit_codes}.items())}),
        }
        if self.subcommands:
            hint = f"\n`socorro {self.name} COMMAND --help` shows more about each command."
            rows = _rows({name: each.summary for name, each in self.subcommands.items()})
            parts = {"commands": [*rows, hint]} | parts
        texts = ("\n".join([f"{title}:", *lines, ""]) for title, lines in parts.items())
        configuration = "--help-config [SECTION] lists the configuration options."
        return "\n".join([self.parser().format_help(), *texts, configuration])

    def uses(self, section: str) -> bool:
        """Return True if the command may use a section of the configuration."""
        return not self.sections or section in ("admin", *self.sections, *_SHARED)


def family(name: str, summary: str, example: str, subcommands: Mapping[str, Command], description: str = "") -> Command:
    """Return a command that is followed by the name of one of ``subcommands``."""

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
    """Return lines with each name and its text beside it, wrapped."""
    indent = max(map(len, texts), default=0) + 4
    return [
        line
        for name, text in texts.items()
        for line in textwrap.wrap(
            text, _width(), initial_indent=f"  {name}".ljust(indent), subsequent_indent=" " * indent
        )
    ]


def build_component(component: str, configuration: Configuration) -> Any:
    """Return a new component, such as the store of the section ``source``."""
    return create(component_class(component, configuration), configuration.values[component])


def queue_for_reading(configuration: Configuration) -> CrashQueueBase:
    """Return the queue for reading; its file is made only when something is written."""
    queue: CrashQueueBase = component_class("new_crash_source", configuration).without_creating(
        configuration.values.new_crash_source
    )
    return queue


def component_class(component: str, configuration: Configuration) -> Any:
    """Return the class of the component that a section names."""
    return configuration.values[component][_CLASS_OPTIONS.get(component, "crashstorage_class")]
