"""``socorro process``: the same steps as the daemon's, in the foreground."""

from __future__ import annotations

import argparse
import sys

from socorro_processor.app.fetch_transform_save import FetchTransformSaveApp
from socorro_processor.cli.command import Command
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.crash_id import check_crash_id
from socorro_processor.errors import SocorroError
from socorro_processor.log import set_up_logging


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("crash_ids", metavar="CRASH_ID", nargs="+", help="a crash in the source store")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    set_up_logging(configuration.values.logging)
    app = FetchTransformSaveApp(configuration.values)
    failed = 0
    try:
        # A stackwalker that is none would make each crash an empty one, over what was made of it before.
        app.pipeline.check()
        for crash_id in arguments.crash_ids:
            try:
                result = app.steps.run(check_crash_id(crash_id.strip().lower()))
            except SocorroError as error:
                failed += 1
                print(f"socorro: {crash_id}: {error}", file=sys.stderr)
            else:
                print(f"{crash_id} {plain(result.signature)}")
    finally:
        app.close()
    return 1 if failed else 0


COMMAND = Command(
    name="process",
    summary="Process crashes in the foreground, without a queue; print the signature of each.",
    example="socorro process 0bba61c5-dfc3-43e7-dead-8afd20161123",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "processor", "app", "logging", "resource"),
)
