"""``socorro queue`` shows what waits, is in work or was set aside, and puts set-aside crashes back."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, time
from functools import partial

from socorro_processor.cli import queue_purge, queue_status
from socorro_processor.cli.command import Command, family, queue_for_reading
from socorro_processor.cli.crash_ids import FORMS, crash_id_of
from socorro_processor.configuration import Configuration, read_day
from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, SetAsideCrash, SetAsideState
from socorro_processor.errors import ConfigurationError, InvalidCrashID
from socorro_processor.layout import Row, counted_with_verb, print_table
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.log import set_up_logging
from socorro_processor.untrusted import plain

_COLUMN_SHARES = (0.25, 0.15, 0.1, 0.05, 0.0)
_SECTIONS = ("new_crash_source",)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("crash_ids", metavar="CRASH_ID", nargs="*", help=f"only these crashes: {FORMS}")
    parser.add_argument("--reason", metavar="TEXT", default="", help="only crashes whose reason contains this text")
    parser.add_argument("--queue", choices=QUEUES, help="only crashes that came from this queue")
    parser.add_argument(
        "--since", metavar="DATE", type=read_day, help="only crashes set aside on this day (UTC) or later"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_requeue_arguments(parser: argparse.ArgumentParser) -> None:
    _add_filters(parser)
    parser.add_argument("--rejected", action="store_true", help="put back rejected crashes, not parked ones")
    parser.add_argument("--all", action="store_true", help="put back all of them")
    parser.add_argument("--dry-run", action="store_true", help="only say how many would be put back")


def _add_reject_arguments(parser: argparse.ArgumentParser) -> None:
    _add_filters(parser)
    parser.add_argument("--all", action="store_true", help="reject all parked crashes")
    parser.add_argument("--dry-run", action="store_true", help="only say how many would be rejected")


def _selected(queue: CrashQueueBase, state: SetAsideState, arguments: argparse.Namespace) -> Iterator[SetAsideCrash]:
    """Yield the set-aside crashes that the arguments select."""
    crash_ids = {name for word in arguments.crash_ids for name in _names(word)}
    since = arguments.since and datetime.combine(arguments.since, time.min, UTC)
    for crash in queue.set_aside(state):
        if (
            (not crash_ids or crash.crash_id in crash_ids)
            and arguments.reason in crash.reason
            and arguments.queue in (None, crash.queue)
            and (since is None or crash.time >= since)
        ):
            yield crash


def _names(word: str) -> set[str]:
    """Return the names under which a crash may have been set aside: a rejected one need not be a crash id."""
    try:
        return {word.strip(), crash_id_of(word)}
    except InvalidCrashID:
        return {word.strip()}


def _requeue(arguments: argparse.Namespace, configuration: Configuration) -> int:
    _check_selection(arguments, "put back")
    state: SetAsideState = "rejected" if arguments.rejected else "parked"
    with closing(queue_for_reading(configuration)) as queue:
        selected = list(_selected(queue, state, arguments))
        requeued = len(selected) if arguments.dry_run else sum(queue.requeue(crash) for crash in selected)
    if arguments.json:
        print(json.dumps({"state": state, "requeued": requeued, "dry_run": arguments.dry_run}))
    else:
        print(counted_with_verb(requeued, f"{state} crash", f"{state} crashes", arguments.dry_run), "put back")
    return _tell_missing(arguments, state, selected)


def _reject(arguments: argparse.Namespace, configuration: Configuration) -> int:
    _check_selection(arguments, "reject")
    rejected = 0
    with closing(queue_for_reading(configuration)) as queue:
        selected = list(_selected(queue, "parked", arguments))
        if arguments.dry_run:
            rejected = len(selected)
        elif selected:
            set_up_logging(configuration.values.logging)
            with closing(AuditLog(configuration.values.logging)) as audit:
                try:
                    for crash in selected:
                        rejected += queue.reject_parked(crash)
                finally:
                    # Also if the queue fails half-way.
                    words = counted_with_verb(rejected, "parked crash", "parked crashes")
                    audit.write(f"{words} rejected", {"rejected": str(rejected)})
    if arguments.json:
        print(json.dumps({"rejected": rejected, "dry_run": arguments.dry_run}))
    else:
        print(counted_with_verb(rejected, "parked crash", "parked crashes", arguments.dry_run), "rejected")
    return _tell_missing(arguments, "parked", selected)


def _check_selection(arguments: argparse.Namespace, verb: str) -> None:
    """Raise ConfigurationError if the arguments select nothing."""
    if not any((arguments.crash_ids, arguments.reason, arguments.queue, arguments.since, arguments.all)):
        raise ConfigurationError(f"no crashes to {verb}: name crash ids, --reason, --queue or --since, or give --all")


def _tell_missing(arguments: argparse.Namespace, state: SetAsideState, selected: list[SetAsideCrash]) -> int:
    """Name the crashes that were asked for and are not there; return the exit code."""
    selected_ids = {crash.crash_id for crash in selected}
    missing = {word for word in arguments.crash_ids if selected_ids.isdisjoint(_names(word))}
    for word in sorted(missing):
        print(f"{plain(word)} is not {state}")
    return 1 if missing else 0


def _list(state: SetAsideState, arguments: argparse.Namespace, configuration: Configuration) -> int:
    with closing(queue_for_reading(configuration)) as queue:
        crashes = _selected(queue, state, arguments)
        if arguments.json:
            for crash in crashes:
                print(json.dumps(asdict(crash) | {"time": crash.time.isoformat()}))
            return 0
        rows: list[Row] = [
            [
                (plain(crash.crash_id), ""),
                (crash.time.isoformat(timespec="seconds"), ""),
                (crash.queue + (f" {plain(crash.work)}" if crash.work else ""), ""),
                (str(crash.attempts), ""),
                (plain(crash.reason), ""),
            ]
            for crash in crashes
        ]
    if rows:
        print_table(("crash id", "since", "queue", "attempts", "reason"), rows, _COLUMN_SHARES)
    return 0


def _list_command(state: SetAsideState, description: str) -> Command:
    return Command(
        name=f"queue {state}",
        summary=f"List the {state} crashes, oldest first, with their reasons.",
        description=description,
        exit_codes={1: "the queue is away"},
        example=f"socorro queue {state} --since=2016-11-23 --json",
        run=partial(_list, state),
        add_arguments=_add_filters,
        sections=_SECTIONS,
    )


_REQUEUE = Command(
    name="queue requeue",
    summary="Put parked crashes, or rejected ones, back into the queue they came from, as if they were new.",
    exit_codes={1: "failed, or not all crash ids that were named were put back"},
    example="socorro queue requeue --reason='too large' --since=2016-11-23",
    run=_requeue,
    add_arguments=_add_requeue_arguments,
    sections=_SECTIONS,
)

_REJECT = Command(
    name="queue reject",
    summary="Give parked crashes up: they become rejected ones, of which only the newest are kept.",
    description=(
        "Nothing is removed from any store, and `socorro queue requeue --rejected` puts them back as long as the queue "
        "keeps them. Who rejected how many is written to the log, and to logging.audit_file."
    ),
    exit_codes={1: "failed, or not all crash ids that were named were rejected"},
    example="socorro queue reject --reason='too large' --dry-run",
    run=_reject,
    add_arguments=_add_reject_arguments,
    sections=(*_SECTIONS, "logging"),
)

COMMAND = family(
    name="queue",
    summary="Show the queues and what was set aside, and put that back.",
    description="A suspect crash was in work when processors died, and is tried alone.",
    example="socorro queue status",
    subcommands={
        "status": queue_status.COMMAND,
        "parked": _list_command(
            "parked", "Each failed in every attempt through its own fault, and stays until it is put back."
        ),
        "rejected": _list_command(
            "rejected", "Each is not a crash id, or its crash was not found. Only the newest are kept."
        ),
        "requeue": _REQUEUE,
        "reject": _REJECT,
        "purge": queue_purge.COMMAND,
    },
)
