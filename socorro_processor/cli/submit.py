"""``socorro submit`` submits crashes from the shell, as a collector does."""

from __future__ import annotations

import argparse
import json
from contextlib import closing

from rich.progress import MofNCompleteColumn, TimeRemainingColumn

from socorro_processor.app.submission import Dumps, NotQueued, check_minidumps, new_raw_crash, submit
from socorro_processor.cli.command import Command, build_component
from socorro_processor.cli.crash_files import add_annotations_argument, crashes_in, read_annotations
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.crashqueue.base import QUEUES
from socorro_processor.errors import CrashStorageError, SocorroError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dumps",
        metavar="DUMP",
        nargs="+",
        help="a minidump, or a directory with *.dmp below it: each file is a crash of its own. If a crash has more "
        "dumps than its main one, name the others as NAME=FILE: then all files are dumps of one crash",
    )
    add_annotations_argument(parser)
    parser.add_argument("--any-file", action="store_true", help="also submit files that are not minidumps")
    parser.add_argument("--queue", choices=QUEUES, default="normal", help="the queue (default: normal)")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON object for each crash instead of the bare crash id"
    )


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    crashes = crashes_in(arguments.dumps)
    annotations = read_annotations(arguments.raw_crash)
    submitted = refused = 0
    with (
        closing(build_component("source", configuration)) as store,
        closing(build_component("new_crash_source", configuration)) as queue,
        progress_bar(MofNCompleteColumn(), TimeRemainingColumn()) as progress,
    ):
        for dumps in progress.track(crashes, description="submitted"):
            raw_crash = new_raw_crash(annotations)
            try:
                _check(dumps, any_file=arguments.any_file)
                submit(store, queue, raw_crash, dumps, arguments.queue)
            except SocorroError as error:
                if isinstance(error, NotQueued) or (isinstance(error, CrashStorageError) and error.transient):
                    _report_progress(submitted, crashes, dumps)
                    raise
                refused += 1
                say(str(error))
            else:
                submitted += 1
                _print(raw_crash["uuid"], dumps, arguments)
    return 1 if refused else 0


def _check(dumps: Dumps, *, any_file: bool) -> None:
    if not any_file:
        check_minidumps(dumps)
        return
    for path in dumps.values():
        if path.stat().st_size == 0:
            say(f"{path} is empty")


def _print(crash_id: str, dumps: Dumps, arguments: argparse.Namespace) -> None:
    files = {name: str(path) for name, path in dumps.items()}
    line = json.dumps({"crash_id": crash_id, "queue": arguments.queue, "dumps": files}) if arguments.json else crash_id
    # Flushed at once: it must be known even if the next crash takes long, or the command is ended.
    print(line, flush=True)


def _report_progress(submitted: int, crashes: list[Dumps], dumps: Dumps) -> None:
    if len(crashes) > 1:
        path = next(iter(dumps.values()))
        say(f"{submitted} of {len(crashes)} crashes were submitted; the first that was not: {path}")


COMMAND = Command(
    name="submit",
    summary="Put minidumps into the store and their crash ids into the queue; print the crash ids.",
    description=(
        "Each file is a crash of its own, and so is each *.dmp below a directory. With NAME=FILE all files are dumps "
        "of one crash. A file that is not a minidump (does not begin with MDMP) is refused; the others are submitted."
    ),
    exit_codes={0: "all crashes were submitted", 1: "some were not"},
    example=(
        "socorro submit crash.dmp --raw-crash=crash.json\n"
        "socorro submit dumps/ more.dmp > crash_ids.txt\n"
        "socorro submit plugin.dmp upload_file_minidump_browser=browser.dmp"
    ),
    run=run,
    add_arguments=add_arguments,
    sections=("source", "new_crash_source"),
)
