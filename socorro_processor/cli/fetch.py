"""``socorro fetch`` copies the raw files of a crash into a directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from socorro_processor.cli.command import Command, build_component
from socorro_processor.cli.crash_ids import FORMS, crash_id_of
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.errors import SocorroError
from socorro_processor.serialization import encode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("crash_id", metavar="CRASH_ID", help=f"a crash in the source store: {FORMS}")
    parser.add_argument("directory", metavar="DIR", type=Path, help="directory for its files; created if it is missing")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    crash_id = crash_id_of(arguments.crash_id)
    directory: Path = arguments.directory

    store = build_component("source", configuration)
    try:
        raw_crash = store.get_raw_crash(crash_id, say)
        directory.mkdir(parents=True, exist_ok=True)
        raw_crash_file = directory / "raw_crash.json"
        raw_crash_file.write_bytes(encode(raw_crash))
        files = [raw_crash_file, *store.get_raw_dumps_as_files(crash_id, directory, say).values()]
        if reason := store.dumps_removed(crash_id):
            say(f"the dumps and attachments of {crash_id} were removed {reason}")
    except OSError as error:
        raise SocorroError(f"cannot write to {directory}: {error.strerror}") from error
    finally:
        store.close()
    for file in files:
        print(file)
    return 0


COMMAND = Command(
    name="fetch",
    summary="Copy the raw crash and the dumps of a crash into a directory; print their paths.",
    exit_codes={0: "copied", 1: "there is no such crash, or it could not be copied"},
    example="socorro fetch 0bba61c5-dfc3-43e7-dead-8afd20161123 here/",
    run=run,
    add_arguments=add_arguments,
    sections=("source",),
)
