"""``socorro setup``: queues, bucket, schema, index template."""

from __future__ import annotations

import argparse
import sys

from socorro_processor.cli.command import Command, build
from socorro_processor.configuration import Configuration, class_name
from socorro_processor.errors import SocorroError

_PARTS = ("new_crash_source", "source", "destination")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    failed = 0
    for name in _PARTS:
        try:
            part = build(name, configuration)
            try:
                part.setup()
            finally:
                part.close()
        except SocorroError as error:
            failed += 1
            print(f"socorro: {name}: {error}", file=sys.stderr)
        else:
            print(f"{name}: {class_name(type(part)).rpartition('.')[2]} has what it needs")
    return 1 if failed else 0


COMMAND = Command(
    name="setup",
    summary="Make what queues and stores need: queues, bucket, schema and partitions, index template.",
    description=(
        "Make what queues and stores need: queues, bucket, schema and partitions, index template. Nothing that is "
        "there is lost; run it again after each upgrade.\n\n"
        "Exit code: 0 all is there; 1 not all could be made; 2 wrong arguments or configuration."
    ),
    example="socorro setup --admin.conf=config/processor-production.ini",
    run=run,
    sections=(*_PARTS, "resource", "secrets"),
)
