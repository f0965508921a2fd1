"""``socorro queue purge``: forget what waits in a queue, or what was set aside."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing

from socorro_processor.cli.command import Command, queue_to_look
from socorro_processor.cli.layout import counted
from socorro_processor.configuration import Configuration
from socorro_processor.crashqueue.base import QUEUES, SET_ASIDE_STATES, CrashQueueBase, Depths
from socorro_processor.errors import ConfigurationError, CrashQueueError
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.log import set_up_logging

_OF_A_QUEUE = (
    "none of them is processed; their raw crashes stay in the source store, where `socorro cron verify-processed` finds"
    " them"
)
_LOST = dict.fromkeys(QUEUES, _OF_A_QUEUE) | {
    "parked": "their ids, and why each was given up; their raw crashes stay in the source store",
    "rejected": "what came in the place of crash ids, and why it was refused",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        metavar="QUEUE",
        choices=(*QUEUES, *SET_ASIDE_STATES),
        help=f"{', '.join(QUEUES)}: what waits there, or is delayed; parked, rejected: what was set aside",
    )
    parser.add_argument("--dry-run", action="store_true", help="purge nothing, only say how many")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal to ask at")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    asks = not (arguments.yes or arguments.dry_run)
    if asks and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError("nothing is purged: there is no terminal to ask at; say --yes, or --dry-run")
    queue = queue_to_look(configuration)
    with closing(queue):
        count = _count(queue.depths(), arguments.name)
        if asks and not _is_confirmed(arguments.name, count):
            print("nothing was purged", file=sys.stderr)
            return 1
        if not arguments.dry_run:
            count = _purged(queue, arguments.name, configuration)
    if arguments.json:
        print(json.dumps({"queue": arguments.name, "purged": count, "dry_run": arguments.dry_run}))
    else:
        were = "would be" if arguments.dry_run else "was" if count == 1 else "were"
        print(f"{counted(count, 'crash id')} {were} purged from {arguments.name}")
        if count:
            print(f"{'would be' if arguments.dry_run else 'are'} lost: {_LOST[arguments.name]}")
    return 0


def _count(depths: Depths, name: str) -> int:
    if name in SET_ASIDE_STATES:
        count: int = getattr(depths, name)
        return count
    (depth,) = (depth for queue, depth in depths.queues.items() if queue == name)
    return depth.waiting + depth.delayed


def _is_confirmed(name: str, count: int) -> bool:
    print(f"{counted(count, 'crash id')} in {name}. This would be lost: {_LOST[name]}.", file=sys.stderr)
    print(f"To purge them type the name of the queue, {name}: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == name


def _purged(queue: CrashQueueBase, name: str, configuration: Configuration) -> int:
    """Purge; return how many. The audit log has it, also where it goes wrong half-way."""
    set_up_logging(configuration.values.logging)
    with closing(AuditLog(configuration.values.logging)) as audit:
        try:
            purged = queue.purge(name)  # type: ignore[arg-type]  # one of the choices
        except CrashQueueError as error:
            audit.write(f"{name} was purged in part, or not at all", {"queue": name, "error": str(error)})
            raise
        audit.write(f"{purged} crash ids were purged from {name}", {"queue": name, "purged": str(purged)})
    return purged


COMMAND = Command(
    name="queue purge",
    summary="Forget what waits in a queue, or what was parked or rejected.",
    description=(
        "Forgotten are the crash ids that wait in the queue or are delayed there, or those that were parked or "
        "rejected. What processors have taken stays. Nothing is removed from any store: a raw crash can be queued "
        "again by `socorro reprocess`. Who purged what is written to the log, and to logging.audit_file.\n\n"
        "Asks on a terminal; elsewhere --yes is needed."
    ),
    exit_codes={1: "not done, or in part", 2: "wrong arguments or configuration; nothing was purged"},
    example="socorro queue purge rejected --dry-run",
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source", "logging"),
)
