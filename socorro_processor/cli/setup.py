"""``socorro setup``: queues, bucket, schema, index template, reference data."""

from __future__ import annotations

import argparse
import sys

from socorro_processor.cli.command import Command, build
from socorro_processor.configuration import Configuration, class_name
from socorro_processor.errors import SocorroError
from socorro_processor.reference.provider import set_up_providers

_PARTS = ("new_crash_source", "source", "destination", "processor")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    failed = 0
    for name in _PARTS:
        try:
            component = _set_up(name, configuration)
        except SocorroError as error:
            failed += 1
            print(f"socorro: {name}: {error}", file=sys.stderr)
        else:
            print(f"{name}: {component} has what it needs")
    return 1 if failed else 0


def _set_up(name: str, configuration: Configuration) -> str:
    """The name of what has been set up."""
    if name == "processor":
        # It cannot be built before its reference data are there.
        set_up_providers(configuration.values.processor)
        return class_name(configuration.values.processor.processor_class).rpartition(".")[2]
    part = build(name, configuration)
    try:
        part.setup()
    finally:
        part.close()
    return class_name(type(part)).rpartition(".")[2]


COMMAND = Command(
    name="setup",
    summary="Make what queues, stores and rules need: queues, bucket, schema and partitions, index template.",
    description=(
        "Make what queues, stores and rules need: queues, bucket, schema and partitions, index template, tables of "
        "reference data. Nothing that is there is lost; run it again after each upgrade.\n\n"
        "Exit code: 0 all is there; 1 not all could be made; 2 wrong arguments or configuration."
    ),
    example="socorro setup --admin.conf=config/processor-production.ini",
    run=run,
    sections=(*_PARTS, "resource", "secrets"),
)
