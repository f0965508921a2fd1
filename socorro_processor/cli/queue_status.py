"""``socorro queue status`` shows how many crash ids are where, once or repeatedly; and, with ``--ids``, which ones."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext, suppress
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from socorro_processor.cli.command import Command, queue_for_reading
from socorro_processor.configuration import Configuration, Seconds, argument
from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, InFlight, InFlightAt, QueueName
from socorro_processor.crashqueue.status import QueueStatus, count_purgeable
from socorro_processor.errors import CrashQueueError
from socorro_processor.layout import Row, table, titles, width_of
from socorro_processor.untrusted import plain

_INTERVAL = 2.0
_COLUMN_SHARES = (0.25, 0.1, 0.15, 0.2, 0.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ids",
        action="store_true",
        help="also list each crash that is in work, prefetched or delayed: since when, in which process, and why",
    )
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=argument(Seconds(above=True)),
        const=_INTERVAL,
        help=f"repeat every SECONDS (default: {_INTERVAL:g}) until Ctrl-C: in place on a terminal, one table after the "
        "other in a pipe",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one object a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    console = Console(highlight=False)
    with closing(queue_for_reading(configuration)) as queue:
        if arguments.watch is not None:
            with suppress(KeyboardInterrupt):
                _watch(queue, arguments, console)
            return 0
        status = QueueStatus.of(queue, ids=arguments.ids)
        if arguments.json:
            print(json.dumps(status.as_object()))
        else:
            for line in _shown(status, None, width_of(console)):
                console.print(line, soft_wrap=True)
    return 0


def _watch(queue: CrashQueueBase, arguments: argparse.Namespace, console: Console) -> None:
    """Look again and again. If the queue is away, say so and go on."""
    first: QueueStatus | None = None
    in_place = console.is_terminal and not arguments.json
    with Live(console=console, auto_refresh=False) if in_place else nullcontext() as live:
        while True:
            moment = datetime.now(UTC)
            status: QueueStatus | None = None
            failure = ""
            try:
                status = QueueStatus.of(queue, ids=arguments.ids)
            except CrashQueueError as error:
                failure = str(error)
            first = first or status
            if arguments.json:
                shown = status.as_object() if status else {"error": failure}
                print(json.dumps({"time": moment.isoformat(timespec="seconds")} | shown), flush=True)
            else:
                lines = [Text(moment.isoformat(sep=" ", timespec="seconds"), "dim")]
                lines += _shown(status, first, width_of(console)) if status else [Text(plain(failure), "bold red")]
                if live is not None:
                    live.update(Group(*lines), refresh=True)
                else:
                    for line in [*lines, Text()]:
                        console.print(line, soft_wrap=True)
                    console.file.flush()
            time.sleep(arguments.watch)


def _shown(status: QueueStatus, first: QueueStatus | None, width: int | None) -> Iterator[Text]:
    """Yield the lines. ``first`` is the status when the watch began, to show changes since then."""
    depths, in_flight = status.depths, status.in_flight
    prefetches = in_flight.prefetched is not None
    rows = [["queue", "waiting", "delayed", "in work"]]
    if prefetches:
        rows[0].append("prefetched")
    if first:
        rows[0].append("since the start")
    for name in QUEUES:
        row = [name, str(depths.queues[name].waiting), str(depths.queues[name].delayed), status.in_work(name)]
        if prefetches:
            row.append(status.prefetched(name))
        if first:
            row.append(f"{count_purgeable(depths, name) - count_purgeable(first.depths, name):+}")
        rows.append(row)
    cells = [titles(rows[0]), *([(cell, "") for cell in row] for row in rows[1:])]
    yield from table(cells, (0, *(1.0 for _ in row[1:])), width, numbers=range(1, len(row)))
    set_aside = Text(f"parked: {depths.parked}, rejected: {depths.rejected}, suspect: {depths.suspect}")
    if depths.parked or depths.suspect:
        set_aside.stylize("yellow")
    yield set_aside
    if prefetches:
        yield from _processes(in_flight)
    if status.with_ids:
        yield from _crashes(status, width)


def _processes(in_flight: InFlight) -> Iterator[Text]:
    """Yield a line for each process that has a crash or is paused, and one with the number of the others."""
    idle = 0
    for each in in_flight.processes:
        counts = [_counted(each, queue) for queue in QUEUES]
        state = "; ".join(filter(None, [*counts, each.pause and f"takes no crashes now: {plain(each.pause)}"]))
        if state:
            yield Text(f"{plain(each.process)}: {state}", "yellow" if each.pause else "")
        else:
            idle += 1
    if idle:
        yield Text(f"{idle} {'process has' if idle == 1 else 'processes have'} no crash")
    if in_flight.failure:
        yield Text(f"cannot ask the processors for their crashes: {plain(in_flight.failure)}", "bold red")
    if silent := ", ".join(f"{queue} {count}" for queue, count in in_flight.silent.items() if count):
        yield Text(
            f"consumers that did not answer (?): {silent}; they belong to an older processor, to one that hangs or has "
            "just ended, or to another program",
            "yellow",
        )


def _counted(each: InFlightAt, queue: QueueName) -> str:
    counts = ((each.in_work.get(queue, 0), "in work"), (each.prefetched.get(queue, 0), "prefetched"))
    words = ", ".join(f"{count} {what}" for count, what in counts if count)
    return f"{queue} {words}" if words else ""


def _crashes(status: QueueStatus, width: int | None) -> Iterator[Text]:
    rows: list[Row] = [
        [
            (plain(crash.crash_id), ""),
            (crash.queue, ""),
            (crash.since.isoformat(timespec="seconds") if crash.since else "?", ""),
            (plain(crash.process) or "?", ""),
            (plain(status.why(crash)), ""),
        ]
        for crash in status.in_flight.crashes
    ]
    yield Text()
    if rows:
        rows.insert(0, titles(("crash id", "queue", "since", "process", "why")))
    yield from table(rows, _COLUMN_SHARES, width)
    if unknown := ", ".join(f"{count} {where}" for where, count in status.not_listed().items()):
        yield Text(f"not listed: {unknown}", "dim")
    elif not rows:
        yield Text("no crash is in flight or delayed", "dim")


COMMAND = Command(
    name="queue status",
    summary="Show how many crash ids wait, are delayed, are in work and were set set_aside.",
    description=(
        "With RabbitMQ it also shows how many were prefetched: given to a processor that has not taken them yet. The "
        "broker does not tell what processors have, so they are asked, and answer within two seconds. If one does not, "
        "the number is not known: `?`, or `3+?` if the others have three; null in JSON.\n\n"
        "--ids lists each crash that is in work, prefetched or delayed, and why it was tried again, or why its "
        "processor takes none. With RabbitMQ, a delayed crash is listed only while the processor that delayed it "
        "runs.\n\n"
        "JSON also has the age of each queue's oldest id, in seconds; null if it is not known, as with RabbitMQ.\n\n"
        "With --watch the last column is the change since the start in ids that wait or are delayed. If the queue is "
        "away, the command says so and goes on."
    ),
    exit_codes={1: "the queue is away"},
    example="socorro queue status --ids",
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source",),
)
