"""``socorro reprocess``: crash ids back into a queue."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from socorro_processor.cli.command import Command, build
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashqueue.base import CrashQueueBase, QueueName
from socorro_processor.errors import CrashQueueError, InvalidCrashID

_STANDARD_INPUT = "-"
_SHOWN = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "crash_ids", metavar="CRASH_ID", nargs="+", help="a crash in the source store; - reads ids from standard input"
    )
    parser.add_argument("--priority", action="store_true", help="into the priority queue, not the reprocessing one")
    parser.add_argument("--dry-run", action="store_true", help="only say how many would be queued")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    refused: list[str] = []
    crash_ids = list(_valid(_given(arguments.crash_ids), refused))
    queue: QueueName = "priority" if arguments.priority else "reprocessing"
    queued = 0
    try:
        if not arguments.dry_run:
            for _ in _submitted(build("new_crash_source", configuration), crash_ids, queue):
                queued += 1
    except (CrashQueueError, KeyboardInterrupt) as error:
        print(f"socorro: {queued} of {len(crash_ids)} are queued; go on from {crash_ids[queued]}", file=sys.stderr)
        raise error
    finally:
        if arguments.json:
            counts = {"queued": queued, "refused": len(refused), "valid": len(crash_ids)}
            print(json.dumps({"queue": queue, "dry_run": arguments.dry_run, **counts}))
    if not arguments.json:
        print(f"{len(crash_ids)} would be queued as {queue}" if arguments.dry_run else f"{queued} queued as {queue}")
    return 1 if refused else 0


def _given(arguments: Iterable[str]) -> Iterator[str]:
    """One id a word, in the order in which they are given."""
    for argument in arguments:
        if argument != _STANDARD_INPUT:
            yield argument
            continue
        for line in sys.stdin.buffer:
            yield from line.decode("utf-8", "replace").split()


def _valid(given: Iterable[str], refused: list[str]) -> Iterator[str]:
    """Each crash id once; of what is none standard error says why, and it goes to ``refused``."""
    seen: set[str] = set()
    for text in given:
        try:
            crash_id = check_crash_id(text.strip().lower())
        except InvalidCrashID as error:
            refused.append(text)
            print(f"socorro: {plain(text[:_SHOWN])}: {plain(str(error))}", file=sys.stderr)
            continue
        if crash_id not in seen:
            seen.add(crash_id)
            yield crash_id


def _submitted(queue: CrashQueueBase, crash_ids: list[str], name: QueueName) -> Iterator[str]:
    """Submit one after the other; yields each once it is certain to be kept."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            for crash_id in progress.track(crash_ids, description="queued"):
                queue.submit(crash_id, name)
                yield crash_id
    finally:
        queue.close()


COMMAND = Command(
    name="reprocess",
    summary="Put crashes into the reprocessing queue again.",
    description=(
        "Put crashes into the reprocessing queue: the processor makes each of them anew, by the rules and lists of "
        "today.\n\nExit code: 0 all are queued; 1 not all; 2 wrong arguments or configuration."
    ),
    example="socorro reprocess - < crash_ids.txt",
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source", "resource", "secrets"),
)
