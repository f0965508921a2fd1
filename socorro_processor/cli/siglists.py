"""``socorro siglists check``: whether the signature lists can be used; ``preview``: what others would change."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from socorro_processor.cli import siglists_preview
from socorro_processor.cli.command import Command
from socorro_processor.cli.signature import signature_rules
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.errors import ConfigurationError
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


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    raise ConfigurationError("siglists what? There are check and preview; `socorro siglists check --help` says more")


def check(arguments: argparse.Namespace, configuration: Configuration) -> int:
    mistakes = 0
    for directory in arguments.directories or _configured(configuration):
        found = mistakes_in(directory)
        for mistake in found:
            print(f"socorro: {plain(mistake)}", file=sys.stderr)
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


_CHECK = Command(
    name="siglists check",
    summary="Check the signature lists: every bad entry, by file, line and reason.",
    description=(
        "Check the signature lists: every bad entry, by file, line and reason.\n\n"
        "Exit code: 0 they can be used; 1 they cannot; 2 wrong arguments or configuration."
    ),
    example="socorro siglists check siglists/",
    run=check,
    add_arguments=add_arguments,
    sections=("processor", "resource"),
)

COMMAND = Command(
    name="siglists",
    summary="Check the signature lists, or see what changed ones would change.",
    description=(
        "Check the signature lists, or see what changed ones would change:\n\n"
        f"  check    {_CHECK.summary}\n"
        f"  preview  {siglists_preview.COMMAND.summary}\n\n"
        "`socorro siglists check --help` and `socorro siglists preview --help` say more."
    ),
    example="socorro siglists check siglists/",
    run=run,
    subcommands={"check": _CHECK, "preview": siglists_preview.COMMAND},
    sections=("processor", "resource"),
)
