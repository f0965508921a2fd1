"""``socorro queue``: what waits, what is in work, what was put aside."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from socorro_processor.cli.command import Command, build
from socorro_processor.configuration import Configuration
from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, Depths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("status",), help="status: how many crash ids are where")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    queue: CrashQueueBase = build("new_crash_source", configuration)
    try:
        depths = queue.depths()
    finally:
        queue.close()
    if arguments.json:
        print(json.dumps(asdict(depths)))
    else:
        _print_table(depths)
    return 0


def _print_table(depths: Depths) -> None:
    table = Table("queue", box=None, pad_edge=False)
    for column in ("waiting", "delayed", "in work"):
        table.add_column(column, justify="right")
    for name in QUEUES:
        depth = depths.queues[name]
        table.add_row(name, str(depth.waiting), str(depth.delayed), str(depth.in_flight))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"parked: {depths.parked}, rejected: {depths.rejected}")


COMMAND = Command(
    name="queue",
    summary="Look at the queues.",
    example="socorro queue status",
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source", "resource"),
)
