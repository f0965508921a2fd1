"""What a command of ``socorro`` is made of."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from socorro_processor.configuration import Configuration
from socorro_processor.crashqueue.base import CrashQueueBase


@dataclass(frozen=True)
class Command:
    """One command: what its help says, its own arguments, and what it does."""

    name: str
    summary: str
    example: str
    run: Callable[[argparse.Namespace, Configuration], int]
    """Does it; returns the exit code: 0 done, 1 not done."""
    add_arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    sections: tuple[str, ...] = ()
    """The sections of the configuration that it uses; all where none is named."""
    description: str = ""
    is_service: bool = False
    """It goes on also where nobody reads its output."""
    subcommands: Mapping[str, Command] = field(default_factory=dict)
    """What it is instead where the next word is one of these."""

    def parser(self) -> argparse.ArgumentParser:
        """Of its own arguments; those of the configuration are none of them."""
        parser = argparse.ArgumentParser(
            prog=f"socorro {self.name}",
            description=self.description or self.summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
        )
        parser.add_argument("-h", "--help", action="store_true", help="show this, and the configuration in force")
        self.add_arguments(parser)
        return parser


def build(component: str, configuration: Configuration) -> Any:
    """The component that a section names: ``build("source", configuration)`` is the source store."""
    return class_of(component, configuration)(configuration.values[component])


def queue_to_look(configuration: Configuration) -> CrashQueueBase:
    """The queue, for a command that looks first, and may have nothing to write."""
    queue: CrashQueueBase = class_of("new_crash_source", configuration).to_look(configuration.values.new_crash_source)
    return queue


def class_of(component: str, configuration: Configuration) -> Any:
    """The class of the component that a section names."""
    name = {"new_crash_source": "new_crash_source_class", "processor": "processor_class"}.get(
        component, "crashstorage_class"
    )
    return configuration.values[component][name]
