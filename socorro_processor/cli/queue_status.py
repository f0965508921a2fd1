"""``socorro queue status`` shows how many crash ids are where, once or repeatedly; and which, since when and why."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from socorro_processor.cli.command import Command, queue_to_look
from socorro_processor.cli.layout import Row, table, titles, width_of
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration, Seconds, argument
from socorro_processor.crashqueue.base import (
    QUEUES,
    CrashQueueBase,
    Depths,
    InFlight,
    InFlightAt,
    PendingCrash,
    QueueName,
)
from socorro_processor.errors import CrashQueueError

_INTERVAL = 2.0
_SHARES = (0.25, 0.1, 0.15, 0.2, 0.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ids",
        action="store_true",
        help="list the crashes that are in work, taken or delayed, too: which, since when, at which process, and why",
    )
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=argument(Seconds(above=True)),
        const=_INTERVAL,
        help=f"look again every SECONDS ({_INTERVAL:g}), until Ctrl-C: on a terminal in one place, in a pipe "
        "one table after the other",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object, each time on a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    queue = queue_to_look(configuration)
    with closing(queue):
        if arguments.watch is None:
            status = _look(queue, arguments.ids)
            if arguments.json:
                print(json.dumps(_as_json(status)))
            else:
                console = Console(highlight=False)
                _print(console, _shown(status, None, width_of(console)))
            return 0
        with suppress(KeyboardInterrupt):
            _watch(queue, arguments)
    return 0


@dataclass(frozen=True)
class _Status:
    """The result of one look."""

    depths: Depths
    in_flight: InFlight
    with_ids: bool

    def in_work(self, queue: QueueName) -> str:
        return self._number(self.in_flight.in_work.get(queue, 0), queue)

    def prefetched(self, queue: QueueName) -> str:
        return self._number((self.in_flight.prefetched or {}).get(queue, 0), queue)

    def is_known(self, queue: QueueName) -> bool:
        """Return False where there are processes that did not say what they have of it."""
        return not self.in_flight.silent.get(queue)

    def _number(self, number: int, queue: QueueName) -> str:
        if self.is_known(queue):
            return str(number)
        return f"{number}+?" if number else "?"


def _look(queue: CrashQueueBase, ids: bool) -> _Status:
    # In this order: what is taken between the two is seen twice, and not never.
    depths = queue.depths()
    return _Status(depths, queue.in_flight(ids=ids), ids)


def _print(console: Console, lines: Iterable[Text]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _watch(queue: CrashQueueBase, arguments: argparse.Namespace) -> None:
    """Look for ever. A queue that is away is said, and looked for again."""
    console = Console(highlight=False)
    if arguments.json:
        _look_for_ever(queue, arguments, lambda moment, found, _: _print_json(moment, found))
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            _look_for_ever(queue, arguments, lambda *seen: live.update(Group(*_titled(console, *seen)), refresh=True))
    else:
        _look_for_ever(queue, arguments, lambda *seen: _print_lines(console, *seen))


def _look_for_ever(
    queue: CrashQueueBase,
    arguments: argparse.Namespace,
    show: Callable[[datetime, _Status | CrashQueueError, Depths | None], None],
) -> None:
    """Look for ever; give ``show`` what was found, and what the first look had found."""
    first: Depths | None = None
    while True:
        moment = datetime.now(UTC)
        found: _Status | CrashQueueError
        try:
            found = _look(queue, arguments.ids)
        except CrashQueueError as error:
            found = error
        else:
            first = first or found.depths
        show(moment, found, first)
        time.sleep(arguments.watch)


def _print_json(moment: datetime, found: _Status | CrashQueueError) -> None:
    words = {"error": str(found)} if isinstance(found, CrashQueueError) else _as_json(found)
    print(json.dumps({"time": moment.isoformat(timespec="seconds")} | words), flush=True)


def _as_json(status: _Status) -> dict[str, Any]:
    """Return the status as JSON; a number that is not known is None."""
    found = status.in_flight
    values = asdict(status.depths)
    for queue in QUEUES:
        known = status.is_known(queue)
        values["queues"][queue]["in_flight"] = found.in_work.get(queue, 0) if known else None
        if found.prefetched is not None:
            values["queues"][queue]["prefetched"] = found.prefetched.get(queue, 0) if known else None
    values["processes"] = [
        {
            "process": each.process,
            "in_flight": dict(each.in_work),
            **({"prefetched": dict(each.prefetched)} if found.prefetched is not None else {}),
            "pause": each.pause,
        }
        for each in found.processes
    ]
    values["silent_consumers"] = {queue: count for queue, count in found.silent.items() if count}
    if status.with_ids:
        values["crashes"] = [
            asdict(crash)
            | {"since": crash.since and crash.since.isoformat(), "due": crash.due and crash.due.isoformat()}
            for crash in found.crashes
        ]
    return values


def _print_lines(console: Console, moment: datetime, found: _Status | CrashQueueError, first: Depths | None) -> None:
    _print(console, _titled(console, moment, found, first))
    console.print()
    console.file.flush()


def _titled(console: Console, moment: datetime, found: _Status | CrashQueueError, first: Depths | None) -> list[Text]:
    title = Text(moment.isoformat(sep=" ", timespec="seconds"), "dim")
    if isinstance(found, CrashQueueError):
        return [title, Text(plain(str(found)), "bold red")]
    return [title, *_shown(found, first, width_of(console))]


def _shown(status: _Status, first: Depths | None, width: int | None) -> Iterator[Text]:
    """``first``: how it was when the watch began, for what has changed since."""
    depths, found = status.depths, status.in_flight
    prefetches = found.prefetched is not None
    headings = ["queue", "waiting", "delayed", "in work"]
    if prefetches:
        headings.append("prefetched")
    if first:
        headings.append("since the start")
    rows = [titles(headings)]
    for name in QUEUES:
        depth = depths.queues[name]
        row = [name, str(depth.waiting), str(depth.delayed), status.in_work(name)]
        if prefetches:
            row.append(status.prefetched(name))
        if first:
            before = first.queues[name]
            row.append(f"{depth.waiting + depth.delayed - before.waiting - before.delayed:+}")
        rows.append([(cell, "") for cell in row])
    yield from table(rows, (0, *(1.0 for _ in row[1:])), width, numbers=range(1, len(row)))
    aside = Text(f"parked: {depths.parked}, rejected: {depths.rejected}, suspect: {depths.suspect}")
    if depths.parked or depths.suspect:
        aside.stylize("yellow")
    yield aside
    if prefetches:
        yield from _processes(found)
    if status.with_ids:
        yield from _crashes(status, width)


def _processes(found: InFlight) -> Iterator[Text]:
    """Yield a line for each process that has something or takes nothing, and how many others there are."""
    idle = 0
    for each in found.processes:
        words = [_counted(each, queue) for queue in QUEUES]
        said = "; ".join(filter(None, [*words, each.pause and f"takes no crash now: {plain(each.pause)}"]))
        if said:
            yield Text(f"{plain(each.process)}: {said}", "yellow" if each.pause else "")
        else:
            idle += 1
    if idle:
        yield Text(f"{idle} {'process has' if idle == 1 else 'processes have'} nothing in work")
    if found.failure:
        yield Text(f"the processors cannot be asked what they have: {plain(found.failure)}", "bold red")
    if silent := ", ".join(f"{queue} {count}" for queue, count in found.silent.items() if count):
        yield Text(
            f"consumers that do not say what they have (?): {silent}; they are of a processor of an earlier version, of"
            " one that hangs or has just ended, or of another program",
            "yellow",
        )


def _counted(each: InFlightAt, queue: QueueName) -> str:
    counts = ((each.in_work.get(queue, 0), "in work"), (each.prefetched.get(queue, 0), "prefetched"))
    words = ", ".join(f"{count} {what}" for count, what in counts if count)
    return f"{queue} {words}" if words else ""


def _crashes(status: _Status, width: int | None) -> Iterator[Text]:
    found = status.in_flight
    pauses = {each.process: each.pause for each in found.processes}
    rows: list[Row] = [
        [
            (plain(crash.crash_id), ""),
            (crash.queue, ""),
            (crash.since.isoformat(timespec="seconds") if crash.since else "?", ""),
            (plain(crash.process) or "?", ""),
            (_why(crash, pauses.get(crash.process, "")), ""),
        ]
        for crash in found.crashes
    ]
    yield Text()
    if rows:
        rows.insert(0, titles(("crash id", "queue", "since", "process", "why")))
    yield from table(rows, _SHARES, width)
    delayed = sum(depth.delayed for depth in status.depths.queues.values())
    held = sum(found.in_work.values()) + sum((found.prefetched or {}).values())
    unknown = [
        *_left_out(held - sum(crash.state != "delayed" for crash in found.crashes), "in flight"),
        *_left_out(delayed - sum(crash.state == "delayed" for crash in found.crashes), "delayed"),
    ]
    if unknown:
        yield Text(f"not listed: {', '.join(unknown)}", "dim")
    elif not rows:
        yield Text("no crash is in flight or delayed", "dim")


def _left_out(count: int, what: str) -> list[str]:
    return [f"{count} {what}"] if count > 0 else []


def _why(crash: PendingCrash, pause: str) -> str:
    reason = plain(crash.reason)
    due = crash.due.isoformat(timespec="seconds") if crash.due else ""
    if crash.state == "delayed":
        return f"delayed until {due}" + (f": {reason}" if reason else "")
    if crash.state == "prefetched":
        words = "prefetched" + (f", not taken before {due}" if due else "")
        if reason:
            words += f"; its last attempt failed: {reason}"
        elif pause:
            words += f"; its process takes no crash now: {plain(pause)}"
        return words
    words = "in work" if crash.state == "in work" else "taken, waits for a free thread"
    return words + (f"; its last attempt failed: {reason}" if reason else "")


COMMAND = Command(
    name="queue status",
    summary="Show how many crash ids wait, are delayed, are in work and were set aside.",
    description=(
        "With RabbitMQ it is shown, too, how many were prefetched: given to a processor that has not taken them "
        "yet. The broker does not tell what processors have, so they are asked, and answer within two seconds. "
        "Where one does not, the number is not known: `?`, or `3+?` where the others have three; null in JSON.\n\n"
        "With --ids each crash that is in work, prefetched or delayed is listed, with why it was tried again, or "
        "why its processor takes none. With RabbitMQ a delayed crash is known as long as the processor runs that "
        "put it off.\n\n"
        "JSON has the age of the oldest id of each queue, too, in seconds; null where it is not known, as with "
        "RabbitMQ.\n\n"
        "With --watch the last column says by how much more, or less, waits or is delayed than at the start; a queue "
        "that is away is said, and looked for again."
    ),
    exit_codes={1: "the queue is away"},
    example="socorro queue status --ids",
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source",),
)
