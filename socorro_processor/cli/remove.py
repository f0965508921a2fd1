"""``socorro remove``: erase crashes from every store."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, replace

from rich.progress import TimeRemainingColumn

from socorro_processor.cli.command import Command, build, queue_to_look
from socorro_processor.cli.crash_ids import add_crash_id_arguments, read_crash_ids
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.removal import CrashToRemove, Removal
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration
from socorro_processor.crashqueue.base import SET_ASIDE_STATES, CrashQueueBase
from socorro_processor.errors import ConfigurationError, CrashQueueError
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.log import set_up_logging

_COMPONENTS = ("source", "destination")

_MARGIN = 1.1
"""A factor: a crash may be in work for longer than it may, until its processor has noticed."""

_PAUSE = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_crash_id_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, only say what is where")
    parser.add_argument(
        "--no-wait",
        action="store_true",
        help="do not wait until no processor can have the crashes in work any more",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object for each crash")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    if not (arguments.crash_ids or arguments.file):
        raise ConfigurationError("no crashes to remove: name them by CRASH_ID, - or --file")
    crash_ids = read_crash_ids(arguments)
    values = configuration.values
    with ExitStack() as stack:
        set_up_logging(values.logging)
        stores = {name: stack.enter_context(closing(build(name, configuration))) for name in _COMPONENTS}
        audit = None if arguments.dry_run else stack.enter_context(closing(AuditLog(values.logging)))
        removal = Removal(stores, audit)
        crashes = [removal.run(crash_id) for crash_id in crash_ids.valid]
        removed = [crash.crash_id for crash in crashes if crash.was_removed]
        queue = None
        try:
            queue = stack.enter_context(closing(queue_to_look(configuration)))
            _look_in(queue, crashes)
        except CrashQueueError as error:
            say(f"it is not known whether they are in the queue: {error}")
        for crash in crashes:
            _print(crash, arguments.json)
            if crash.is_nowhere:
                say(f"{crash.crash_id} is not in {removal.places}")
        if in_work := _may_be_in_work(queue, removed):
            seconds = values.app.maximum_crash_time * _MARGIN
            if _wait(queue, in_work, seconds, arguments.no_wait):
                for crash in map(removal.run, in_work):
                    if crash.was_removed or crash.has_failed:
                        crashes.append(replace(crash, again=True))
                        _print(crashes[-1], arguments.json)
    return 1 if crash_ids.refused or any(crash.has_failed for crash in crashes) else 0


def _look_in(queue: CrashQueueBase, crashes: Sequence[CrashToRemove]) -> None:
    """Note of each crash where in the queue its id is."""
    by_id = {crash.crash_id: crash for crash in crashes}
    for crash_id in queue.pending(by_id) or ():
        by_id[crash_id].queue.append("pending")
    depths = queue.depths()
    for state in SET_ASIDE_STATES:
        if getattr(depths, state):
            for crash_id in {crash.crash_id for crash in queue.set_aside(state)} & by_id.keys():
                by_id[crash_id].queue.append(state)


def _may_be_in_work(queue: CrashQueueBase | None, crash_ids: Collection[str]) -> list[str]:
    """Return the crashes that a processor may have fetched before they were removed, as far as the queue can tell.

    One that is fetched from now on is not found.
    """
    if queue is None or not crash_ids:
        return list(crash_ids)
    try:
        pending = queue.pending(crash_ids)
        if pending is not None and not any(depth.in_flight for depth in queue.depths().queues.values()):
            return []
        return [crash_id for crash_id in crash_ids if pending is None or crash_id in pending]
    except CrashQueueError:
        return list(crash_ids)


def _wait(queue: CrashQueueBase | None, crash_ids: list[str], seconds: float, not_now: bool) -> bool:
    """Wait until none of them can be in work any more: a processor ends itself rather than be at one for longer."""
    doubt = f"{len(crash_ids)} may be in work, and be saved after all"
    later = f"{doubt}: after {seconds:.0f} s remove them once more"
    if not_now:
        say(later)
        return False
    say(f"{doubt}: looking again in {seconds:.0f} s (--no-wait leaves that to you)")
    end = time.monotonic() + seconds
    try:
        with progress_bar(TimeRemainingColumn()) as progress:
            task = progress.add_task("waiting", total=seconds)
            while (left := end - time.monotonic()) > 0 and _may_be_in_work(queue, crash_ids):
                time.sleep(min(_PAUSE, left))
                progress.update(task, completed=seconds - left)
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
        "Erased are raw crash, dumps, processed crash, rows and documents. A store that is away keeps no other "
        "from it; run the command again for the rest. Who removed what is written to the log, and to "
        "logging.audit_file.\n\n"
        "A processor may have a crash in work, and save it after it was removed: where the queue cannot tell, the "
        "command waits for as long as that is possible (app.maximum_crash_time), and removes it again."
    ),
    exit_codes={
        0: "no store has them any more",
        1: "some are left, or some words were not crash ids",
        2: "wrong arguments or configuration; nothing was removed",
    },
    example="socorro remove 0bba61c5-dfc3-43e7-dead-8afd20161123 --dry-run\nsocorro remove --file=crash_ids.txt",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "new_crash_source", "app", "logging"),
)
