"""``socorro search index`` builds or completes the search index from the crashes in the stores."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from socorro_processor.cli.command import Command, build_component
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.errors import ConfigurationError
from socorro_processor.layout import counted
from socorro_processor.monitoring.log import set_up_logging
from socorro_processor.search.crash_search import NO_INDEX, index_place
from socorro_processor.search.sqlite.building import Built, IndexBuilder
from socorro_processor.search.stored_crashes import StoredCrashes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--anew", action="store_true", help="build all of it anew, even if it works")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    place = index_place(configuration.values)
    if place is None:
        raise ConfigurationError(f"there is no search index to build: {NO_INDEX}")
    set_up_logging(configuration.values.logging)
    with closing(build_component("destination", configuration)) as destination, progress_bar() as progress:
        task = progress.add_task("")

        def show(doing: str, done: int, total: int) -> None:
            progress.update(task, description=doing, completed=done, total=total)

        built = IndexBuilder(*place, StoredCrashes(destination)).build(show, anew=arguments.anew)
    print(json.dumps(asdict(built)) if arguments.json else _words(built, place[0]))
    if not built.is_complete:
        say("the index may lack crashes that came meanwhile: run the command again")
    return 0 if built.is_complete and not built.unreadable else 1


def _words(built: Built, place: Path) -> str:
    """Return the result as a line."""
    made = "a new search index" if built.is_new else "the search index"
    parts = [f"{built.added} added", f"{built.removed} removed"]
    if built.unreadable:
        parts.append(f"{counted(built.unreadable, 'crash', 'crashes')} could not be read")
    return f"{made} in {place.absolute()} has {counted(built.crashes, 'crash', 'crashes')}: {', '.join(parts)}"


COMMAND = Command(
    name="search index",
    summary="Build or complete the search index from the processed crashes in the stores.",
    description=(
        "An index that works gets the crashes that it lacks, and loses those that the stores do not have any more. A "
        "missing or damaged one is built anew, and takes the place of the one before when it is whole.\n\n"
        "Processors go on meanwhile. If it is interrupted, the next run goes on where it ended."
    ),
    exit_codes={0: "the index has all crashes", 1: "failed, or some crashes could not be read"},
    example="socorro search index\nsocorro search index --anew --admin.conf=processor.ini",
    run=run,
    add_arguments=add_arguments,
    sections=("destination", "logging"),
)
