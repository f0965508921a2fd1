"""``socorro siglists check`` checks the signature lists; ``preview`` shows what others would change."""

from __future__ import annotations

import argparse
from pathlib import Path

from socorro_processor.cli import siglists_preview
from socorro_processor.cli.command import Command, family
from socorro_processor.cli.signature import signature_rules
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.signature.siglists import (
    IRRELEVANT,
    LINE_NUMBERS,
    PREFIX,
    TRIM_DLL,
    SigLists,
    default_directory,
    mistakes_in,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directories", metavar="DIR", nargs="*", type=Path, help="lists to check; without one, those of the rules"
    )


def check(arguments: argparse.Namespace, configuration: Configuration) -> int:
    mistakes = 0
    for directory in arguments.directories or _configured(configuration):
        found = mistakes_in(directory)
        for mistake in found:
            say(mistake)
        mistakes += len(found)
        if not found:
            lists = SigLists.load(directory)
            print(f"{directory}: version {lists.version}, {_counts(lists)}")
    return 1 if mistakes else 0


def _configured(configuration: Configuration) -> list[Path]:
    directories = [
        config.c_signature.siglists_directory for _, config in signature_rules(configuration) if "c_signature" in config
    ]
    return [Path(name) if name else default_directory() for name in dict.fromkeys(directories)]


def _counts(lists: SigLists) -> str:
    counts = {
        IRRELEVANT: lists.irrelevant.entries,
        PREFIX: lists.prefix.entries,
        TRIM_DLL: lists.trim_dll.entries,
        LINE_NUMBERS: lists.line_numbers.entries,
    }
    shown = ", ".join(f"{name} {len(entries)}" for name, entries in counts.items())
    return f"{len(lists.sentinels)} sentinels, {shown}"


COMMAND = family(
    name="siglists",
    summary="Check the signature lists, or see what changed ones would change.",
    example="socorro siglists check siglists/",
    subcommands={
        "check": Command(
            name="siglists check",
            summary="Check the signature lists: every bad entry, by file, line and reason.",
            exit_codes={0: "they can be used", 1: "they cannot"},
            example="socorro siglists check siglists/",
            run=check,
            add_arguments=add_arguments,
            sections=("processor",),
        ),
        "preview": siglists_preview.COMMAND,
    },
)
