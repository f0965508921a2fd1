"""``socorro queue status``: how many crash ids are where, once or again and again."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from socorro_processor.cli.command import Command, build
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration, Seconds, argument
from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, Depths
from socorro_processor.errors import CrashQueueError

_INTERVAL = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=argument(Seconds(above=True)),
        const=_INTERVAL,
        help=f"look again every so many seconds ({_INTERVAL:g}), until Ctrl-C: on a terminal in one place, in a pipe "
        "one table after the other",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object, each time on a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    queue: CrashQueueBase = build("new_crash_source", configuration)
    with closing(queue):
        if arguments.watch is None:
            depths = queue.depths()
            if arguments.json:
                print(json.dumps(asdict(depths)))
            else:
                _console().print(_shown(depths, None))
            return 0
        with suppress(KeyboardInterrupt):
            _watch(queue, arguments.watch, arguments.json)
    return 0


def _console() -> Console:
    return Console(highlight=False)


def _watch(queue: CrashQueueBase, interval: float, as_json: bool) -> None:
    """For ever. A queue that is away is said, and looked for again."""
    console = _console()
    if as_json:
        _look_for_ever(queue, interval, lambda moment, found, _: _print_json(moment, found))
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            _look_for_ever(queue, interval, lambda *seen: live.update(_titled(*seen), refresh=True))
    else:
        _look_for_ever(queue, interval, lambda *seen: _print_lines(console, *seen))


def _look_for_ever(
    queue: CrashQueueBase,
    interval: float,
    show: Callable[[datetime, Depths | CrashQueueError, Depths | None], None],
) -> None:
    """``show`` is given what was found, and what the first look had found."""
    first: Depths | None = None
    while True:
        moment = datetime.now(UTC)
        found: Depths | CrashQueueError
        try:
            found = queue.depths()
        except CrashQueueError as error:
            found = error
        else:
            first = first or found
        show(moment, found, first)
        time.sleep(interval)


def _print_json(moment: datetime, found: Depths | CrashQueueError) -> None:
    words = {"error": str(found)} if isinstance(found, CrashQueueError) else asdict(found)
    print(json.dumps({"time": moment.isoformat(timespec="seconds")} | words), flush=True)


def _print_lines(console: Console, moment: datetime, found: Depths | CrashQueueError, first: Depths | None) -> None:
    console.print(_titled(moment, found, first))
    console.print()
    console.file.flush()


def _titled(moment: datetime, found: Depths | CrashQueueError, first: Depths | None) -> RenderableType:
    title = Text(moment.isoformat(sep=" ", timespec="seconds"), "dim")
    if isinstance(found, CrashQueueError):
        return Group(title, Text(plain(str(found)), "bold red"))
    return Group(title, _shown(found, first))


def _shown(depths: Depths, first: Depths | None) -> RenderableType:
    """``first``: how it was when the watch began, for what has changed since."""
    columns = Table("queue", box=None, pad_edge=False)
    for heading in ("waiting", "delayed", "in work", *(["since the start"] if first else [])):
        columns.add_column(heading, justify="right")
    for name in QUEUES:
        depth = depths.queues[name]
        row = [str(depth.waiting), str(depth.delayed), str(depth.in_flight)]
        if first:
            before = first.queues[name]
            row.append(f"{depth.waiting + depth.delayed - before.waiting - before.delayed:+}")
        columns.add_row(name, *row)
    aside = Text(f"parked: {depths.parked}, rejected: {depths.rejected}, suspect: {depths.suspect}")
    if depths.parked or depths.suspect:
        aside.stylize("yellow")
    return Group(columns, aside)


COMMAND = Command(
    name="queue status",
    summary="Say how many crash ids are where.",
    description=(
        "Say how many crash ids wait, are delayed until their next attempt, and are in work; and how many were put\n"
        "aside. With RabbitMQ, what processors have taken is in no number. With --json there is the age of the oldest\n"
        "id of each queue, too, in seconds; null where it is not known, as with RabbitMQ, which does not tell it.\n\n"
        "With --watch the last column says by how much more, or less, waits or is delayed than at the start; a queue\n"
        "that is away is said, and looked for again.\n\n"
        "Exit code: 0 done; 1 the queue is away; 2 wrong arguments or configuration."
    ),
    example="socorro queue status --watch=5",
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source", "resource", "secrets"),
)
