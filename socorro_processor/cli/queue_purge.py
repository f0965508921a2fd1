"""``socorro queue purge`` deletes the crash ids in a queue, or those that were set aside."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing

from socorro_processor.cli.command import Command, queue_for_reading
from socorro_processor.configuration import Configuration
from socorro_processor.crashqueue.base import QUEUES, SET_ASIDE_STATES, CrashQueueBase
from socorro_processor.crashqueue.status import count_purgeable
from socorro_processor.errors import ConfigurationError, CrashQueueError
from socorro_processor.layout import counted, counted_with_verb
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.log import set_up_logging

_LOSS_OF_A_QUEUE = (
    "none of them is processed; their raw crashes stay in the source store, where `socorro cron verify-processed` finds"
    " them"
)
_LOSSES = dict.fromkeys(QUEUES, _LOSS_OF_A_QUEUE) | {
    "parked": "their ids, and why each was parked; their raw crashes stay in the source store",
    "rejected": "texts that are not crash ids or whose crash was not found, and why each was rejected",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        metavar="QUEUE",
        choices=(*QUEUES, *SET_ASIDE_STATES),
        help=f"{', '.join(QUEUES)}: the crash ids that wait or are delayed there; parked, rejected: those set aside",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say how many would be purged")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed if there is no terminal")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    asks = not (arguments.yes or arguments.dry_run)
    if asks and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError("nothing is purged: there is no terminal to ask at; give --yes, or --dry-run")
    with closing(queue_for_reading(configuration)) as queue:
        count = count_purgeable(queue.depths(), arguments.name)
        if asks and not _is_confirmed(arguments.name, count):
            print("nothing was purged", file=sys.stderr)
            return 1
        if not arguments.dry_run:
            count = _purge(queue, arguments.name, configuration)
    if arguments.json:
        print(json.dumps({"queue": arguments.name, "purged": count, "dry_run": arguments.dry_run}))
    else:
        print(counted_with_verb(count, "crash id", dry_run=arguments.dry_run), "purged from", arguments.name)
        if count:
            print(f"{'would be' if arguments.dry_run else 'are'} lost: {_LOSSES[arguments.name]}")
    return 0


def _is_confirmed(name: str, count: int) -> bool:
    print(f"{counted(count, 'crash id')} in {name}. This would be lost: {_LOSSES[name]}.", file=sys.stderr)
    print(f"To purge them, type the name of the queue, {name}: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == name


def _purge(queue: CrashQueueBase, name: str, configuration: Configuration) -> int:
    """Purge; return how many. It is written to the audit log, even if it fails half-way."""
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
    summary="Delete the crash ids in a queue, or those that were parked or rejected.",
    description=(
        "This deletes the crash ids that wait or are delayed in the queue, or those that were parked or rejected; not "
        "those that processors have taken. Nothing is removed from any store: a raw crash can be queued again by "
        "`socorro reprocess`. Who purged what is written to the log, and to logging.audit_file.\n\n"
        "On a terminal the command asks first; elsewhere --yes is needed."
    ),
    exit_codes={1: "failed, or purged in part", 2: "wrong arguments or configuration; nothing was purged"},
    example="socorro queue purge rejected --dry-run",
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source", "logging"),
)
