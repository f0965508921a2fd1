"""``socorro remove`` erases crashes from every store."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack, closing
from dataclasses import asdict

from rich.progress import TimeRemainingColumn

from socorro_processor.cli.command import Command, build_component, queue_for_reading
from socorro_processor.cli.crash_ids import add_crash_id_arguments, read_crash_ids
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.errors import ConfigurationError, CrashQueueError
from socorro_processor.layout import counted
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.log import set_up_logging
from socorro_processor.removal import CrashToRemove, Removal, find_in_queue, may_be_in_work, wait_while_in_work
from socorro_processor.untrusted import plain

_COMPONENTS = ("source", "destination")

_MARGIN = 1.1
"""A factor: a crash may be in work for longer than allowed, until its processor notices."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_crash_id_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say which store has what")
    parser.add_argument(
        "--no-wait",
        action="store_true",
        help="do not wait for processors that may have the crashes in work",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object for each crash")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    if not (arguments.crash_ids or arguments.file):
        raise ConfigurationError("no crashes to remove: name them by CRASH_ID, - or --file")
    crash_ids = read_crash_ids(arguments)
    values = configuration.values
    with ExitStack() as stack:
        set_up_logging(values.logging)
        stores = {name: stack.enter_context(closing(build_component(name, configuration))) for name in _COMPONENTS}
        audit = None if arguments.dry_run else stack.enter_context(closing(AuditLog(values.logging)))
        removal = Removal(stores, audit)
        crashes = [removal.run(crash_id) for crash_id in crash_ids.valid]
        queue = None
        try:
            queue = stack.enter_context(closing(queue_for_reading(configuration)))
            find_in_queue(queue, crashes)
        except CrashQueueError as error:
            say(f"cannot tell whether the crashes are in the queue: {error}")
        for crash in crashes:
            _print(crash, arguments.json)
            if all(found.state == "nothing" for found in crash.stores.values()):
                say(f"{crash.crash_id} is not in {removal.places}")
        in_work = may_be_in_work(queue, [crash.crash_id for crash in crashes if crash.names("removed")])
        if in_work and _wait(queue, in_work, values.app.maximum_crash_time * _MARGIN, arguments.no_wait):
            for crash_id in in_work:
                crash = removal.run(crash_id, again=True)
                if crash.names("removed") or crash.names("failed"):
                    crashes.append(crash)
                    _print(crash, arguments.json)
    return 1 if crash_ids.refused or any(crash.names("failed") for crash in crashes) else 0


def _wait(queue: CrashQueueBase | None, crash_ids: list[str], seconds: float, not_now: bool) -> bool:
    """Wait until none of the crashes can be in work any more; return False if that is left to the operator."""
    doubt = f"{counted(len(crash_ids), 'crash', 'crashes')} may be in work, and be saved after all"
    later = f"{doubt}: remove again after {seconds:.0f} s"
    if not_now:
        say(later)
        return False
    say(f"{doubt}: looking again in {seconds:.0f} s (--no-wait leaves that to you)")
    try:
        with progress_bar(TimeRemainingColumn()) as progress:
            task = progress.add_task("waiting", total=seconds)
            wait_while_in_work(queue, crash_ids, seconds, lambda waited: progress.update(task, completed=waited))
    except KeyboardInterrupt:
        say(later)
        raise
    return True


def _print(crash: CrashToRemove, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(crash)), flush=True)
        return
    print(f"{crash.crash_id} came back" if crash.again else crash.crash_id)
    width = max(map(len, crash.stores), default=0)
    for name, found in crash.stores.items():
        print(f"    {name:<{width}}  {plain(str(found))}")
    if crash.queue:
        print(f"    {'queue':<{width}}  its id is {', '.join(crash.queue)}")
    sys.stdout.flush()


COMMAND = Command(
    name="remove",
    summary="Erase crashes from the source and from every destination.",
    description=(
        "This erases raw crash, dumps, processed crash, rows and documents. If a store is away, the others are still "
        "erased; run the command again for the rest. Who removed what is written to the log, and to "
        "logging.audit_file.\n\n"
        "A processor may have a crash in work, and save it after it was removed. If the queue cannot tell, the command "
        "waits as long as that is possible (app.maximum_crash_time), and removes it again."
    ),
    exit_codes={
        0: "no store has them any more",
        1: "some crashes are left, or some words were not crash ids",
        2: "wrong arguments or configuration; nothing was removed",
    },
    example="socorro remove 0bba61c5-dfc3-43e7-dead-8afd20161123 --dry-run\nsocorro remove --file=crash_ids.txt",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "new_crash_source", "app", "logging"),
)
