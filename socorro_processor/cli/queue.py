"""``socorro queue``: what waits, what is in work, what was put aside and how to put it back."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, time

from rich.console import Console
from rich.table import Table

from socorro_processor.cli.command import Command, build
from socorro_processor.cli.layout import Row, table
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration, read_day
from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, Depths, KeptCrash, KeptState
from socorro_processor.errors import ConfigurationError

_SHARES = (0.25, 0.15, 0.1, 0.05, 0.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=("status", "parked", "rejected", "requeue"),
        help="status: how many crash ids are where; parked, rejected: those put aside, oldest first; "
        "requeue: put parked ones back into the queue they came from",
    )
    parser.add_argument("crash_ids", metavar="CRASH_ID", nargs="*", help="only these crashes")
    parser.add_argument("--reason", metavar="TEXT", default="", help="only crashes in whose reason this text is")
    parser.add_argument("--queue", choices=QUEUES, help="only crashes that came from this queue")
    parser.add_argument(
        "--since", metavar="DATE", type=read_day, help="only crashes put aside on this day (UTC) or later"
    )
    parser.add_argument("--rejected", action="store_true", help="requeue: rejected ones, not parked ones")
    parser.add_argument("--all", action="store_true", help="requeue: all that are put aside")
    parser.add_argument("--dry-run", action="store_true", help="requeue: only say how many")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    chosen = any((arguments.crash_ids, arguments.reason, arguments.queue, arguments.since))
    if arguments.action == "requeue" and not chosen and not arguments.all:
        raise ConfigurationError("requeue which? Name crash ids, --reason, --queue or --since, or say --all")
    queue: CrashQueueBase = build("new_crash_source", configuration)
    with closing(queue):
        if arguments.action == "status":
            return _status(queue, arguments.json)
        if arguments.action == "requeue":
            return _requeue(queue, arguments)
        return _list(_kept(queue, arguments.action, arguments), arguments.json)


def _status(queue: CrashQueueBase, as_json: bool) -> int:
    depths = queue.depths()
    if as_json:
        print(json.dumps(asdict(depths)))
    else:
        _print_table(depths)
    return 0


def _kept(queue: CrashQueueBase, state: KeptState, arguments: argparse.Namespace) -> Iterator[KeptCrash]:
    """Those put aside, as the arguments choose among them."""
    crash_ids = {crash_id.strip() for crash_id in arguments.crash_ids}
    since = arguments.since and datetime.combine(arguments.since, time.min, UTC)
    for crash in queue.kept(state):
        if (
            (not crash_ids or crash.crash_id in crash_ids)
            and arguments.reason in crash.reason
            and arguments.queue in (None, crash.queue)
            and (since is None or crash.time >= since)
        ):
            yield crash


def _requeue(queue: CrashQueueBase, arguments: argparse.Namespace) -> int:
    state: KeptState = "rejected" if arguments.rejected else "parked"
    chosen = list(_kept(queue, state, arguments))
    requeued = len(chosen) if arguments.dry_run else sum(queue.requeue(crash) for crash in chosen)
    if arguments.json:
        print(json.dumps({"state": state, "requeued": requeued, "dry_run": arguments.dry_run}))
    else:
        print(f"{requeued} {state} crashes {'would be' if arguments.dry_run else 'were'} put back")
    missing = {*arguments.crash_ids} - {crash.crash_id for crash in chosen}
    for crash_id in sorted(missing):
        print(f"{plain(crash_id)} is not {state}")
    return 1 if missing else 0


def _list(kept: Iterable[KeptCrash], as_json: bool) -> int:
    if as_json:
        for crash in kept:
            print(json.dumps(asdict(crash) | {"time": crash.time.isoformat()}))
        return 0
    rows: list[Row] = [
        [
            (plain(crash.crash_id), ""),
            (crash.time.isoformat(timespec="seconds"), ""),
            (crash.queue, ""),
            (str(crash.attempts), ""),
            (plain(crash.reason), ""),
        ]
        for crash in kept
    ]
    console = Console(highlight=False, soft_wrap=True)
    if rows:
        rows.insert(0, [(heading, "dim") for heading in ("crash id", "since", "queue", "attempts", "reason")])
    for line in table(rows, _SHARES, console.width if console.is_terminal else None):
        console.print(line)
    return 0


def _print_table(depths: Depths) -> None:
    columns = Table("queue", box=None, pad_edge=False)
    for column in ("waiting", "delayed", "in work"):
        columns.add_column(column, justify="right")
    for name in QUEUES:
        depth = depths.queues[name]
        columns.add_row(name, str(depth.waiting), str(depth.delayed), str(depth.in_flight))
    console = Console(highlight=False)
    console.print(columns)
    console.print(f"parked: {depths.parked}, rejected: {depths.rejected}, suspect: {depths.suspect}")


COMMAND = Command(
    name="queue",
    summary="Look at the queues, and at what was put aside; put it back.",
    description=(
        "Look at the queues, and at what was put aside; put it back.\n\n"
        "A parked crash failed of its own in every attempt; a rejected one is none, or was not found. Both stay until "
        "they are put back (of rejected ones the oldest go in the end). A suspect one was in work when processors "
        "died, and is tried alone.\n\n"
        "Exit code: 0 done; 1 not done, or not for all crash ids that were named; 2 wrong arguments or configuration."
    ),
    example="socorro queue requeue --reason='too large' --since=2016-11-23",
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source", "resource", "secrets"),
)
