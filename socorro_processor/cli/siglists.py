"""``socorro siglists check`` checks signature lists; ``preview`` shows what changed lists would change."""

from __future__ import annotations

import argparse
from pathlib import Path

from socorro_processor.cli import siglists_preview
from socorro_processor.cli.command import Command, family
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.signature.dead_entries import dead_entries
from socorro_processor.signature.siglists import (
    IRRELEVANT,
    LINE_NUMBERS,
    PREFIX,
    TRIM_DLL,
    SigLists,
    mistakes_in,
)
from socorro_processor.signing.signer import lists_in_use, tool_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directories", metavar="DIR", nargs="*", type=Path, help="lists to check; by default those of the rules"
    )


def check(arguments: argparse.Namespace, configuration: Configuration) -> int:
    mistakes = 0
    processor = configuration.values.processor
    for directory in arguments.directories or lists_in_use(processor):
        directory_mistakes = mistakes_in(directory)
        for mistake in directory_mistakes:
            say(mistake)
        mistakes += len(directory_mistakes)
        if not directory_mistakes:
            tool = tool_for(processor, directory)
            lists = tool.lists.current
            for entry in dead_entries(tool, lists):
                say(str(entry))
            print(f"{directory}: version {lists.version}, {_counts(lists)}")
    return 1 if mistakes else 0


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
    summary="Check the signature lists, or preview the effect of changed ones.",
    example="socorro siglists check siglists/",
    subcommands={
        "check": Command(
            name="siglists check",
            summary="Check the signature lists; print every bad entry with file, line and reason.",
            description=(
                "An entry that can match no frame, because the normal form takes away what it names, is printed too, "
                "but the lists can be used with it. The normal form is that of the configured algorithm, or, for the "
                "project's own lists, of theirs."
            ),
            exit_codes={0: "the lists can be used", 1: "they cannot"},
            example="socorro siglists check siglists/",
            run=check,
            add_arguments=add_arguments,
            sections=("processor",),
        ),
        "preview": siglists_preview.COMMAND,
    },
)
