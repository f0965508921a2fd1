"""``socorro reprocess``: crash ids back into a queue."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from socorro_processor.cli.command import Command, build
from socorro_processor.cli.crash_ids import CrashIDs, add_crash_id_arguments, read_crash_ids
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.reprocess_journal import Journal, JournalInMemory, Queued, read_journal
from socorro_processor.cli.reprocess_search import add_search_arguments, find_crash_ids, query
from socorro_processor.cli.reprocess_summary import Reprocessed, Summary
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration, Seconds, argument
from socorro_processor.crashqueue.base import CrashQueueBase, QueueName
from socorro_processor.crashqueue.history import FORCE
from socorro_processor.crashstorage.elasticsearch.search import CrashQuery
from socorro_processor.errors import ConfigurationError, CrashQueueError, SocorroError

_OUTAGE = 120.0
"""Seconds for which a queue that has taken crashes, and takes none now, is waited for."""

_TRY_AGAIN = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_crash_id_arguments(parser)
    add_search_arguments(parser)
    parser.add_argument(
        "--queue", choices=("reprocessing", "priority"), default="reprocessing", help="default: reprocessing"
    )
    parser.add_argument("--rate", metavar="N", type=argument(_rate), help="queue at most N a second")
    parser.add_argument(
        "--resume",
        metavar="FILE",
        type=Path,
        help="a journal: crashes in it are not queued again, queued ones are added; without this there is one in "
        "cron.directory until all are queued",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="save the new results also where they are worse",
    )
    parser.add_argument("--anew", action="store_true", help="queue also what an interrupted run queued")
    parser.add_argument("--summary", action="store_true", help="wait for the results, and say which signatures changed")
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=argument(Seconds()),
        default=300.0,
        help="--summary: give up when none was done for so long (300)",
    )
    parser.add_argument("--dry-run", action="store_true", help="queue nothing, only say how many would be queued")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


@dataclass
class _Report:
    """The counts that are printed at the end, whichever end it is."""

    queue: QueueName
    dry_run: bool
    force: bool
    refused: int
    valid: int = 0
    queued: int = 0
    queued_before: int = 0
    summary: Summary | None = None

    @property
    def is_well(self) -> bool:
        return not self.refused and (self.summary is None or self.summary.is_well)

    def count(self, crash_ids: Collection[str], queued: Collection[str]) -> None:
        self.valid = len(crash_ids)
        self.queued_before = sum(crash_id in queued for crash_id in crash_ids)

    def print(self, as_json: bool) -> None:
        if as_json:
            print(json.dumps(asdict(self) | {"summary": self.summary and self.summary.as_json()}))
            return
        before = f", {self.queued_before} had been before" if self.queued_before else ""
        forced = ", forced" if self.force else ""
        print(f"{self.queued} {'would be queued' if self.dry_run else 'queued'} as {self.queue}{forced}{before}")
        for line in self.summary.lines() if self.summary else ():
            print(line)


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    asked = query(arguments)
    crash_ids, request = _chosen(arguments, asked, configuration)
    report = _Report(arguments.queue, arguments.dry_run, arguments.force, crash_ids.refused)
    path = arguments.resume or Path(configuration.values.cron.directory) / f"reprocess-{request}.journal"

    def wanted(queued: Iterable[str]) -> dict[str, None]:
        # What was found and queued before may not be found any more: its signature may be another one by now.
        return dict.fromkeys(queued) | crash_ids.valid if asked else crash_ids.valid

    if arguments.dry_run:
        queued = {} if arguments.anew else read_journal(path)
        report.count(wanted(queued), queued)
        report.queued = report.valid - report.queued_before
        report.print(arguments.json)
        return 0 if report.is_well else 1
    with closing(_journal(path, is_named=arguments.resume is not None)) as journal:
        if arguments.anew:
            journal.clear()
        finished = False
        try:
            finished = _reprocess(arguments, configuration, list(wanted(journal.queued)), journal, report)
        finally:
            if arguments.resume is None and (finished or not journal.queued):
                journal.remove()
    return 0 if report.is_well else 1


def _chosen(
    arguments: argparse.Namespace, asked: CrashQuery | None, configuration: Configuration
) -> tuple[CrashIDs, str]:
    """Return the crashes that are asked for, and a name for what was asked: the next time it is the same."""
    if bool(arguments.crash_ids or arguments.file) == bool(asked):
        raise ConfigurationError(
            "no crashes to reprocess: either name them by CRASH_ID, - or --file, or look for them by --signature, "
            "--product, --version, --processor-version or --date"
        )
    crash_ids = read_crash_ids(arguments)
    words = "\n".join([arguments.queue, repr(asked), *sorted(crash_ids.valid)] + ["--force"] * arguments.force)
    if asked:
        with _progress() as progress:
            crash_ids.add(progress.track(find_crash_ids(asked, configuration), total=None, description="found"))
    return crash_ids, hashlib.sha256(words.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _journal(path: Path, *, is_named: bool) -> Journal:
    try:
        return Journal(path)
    except ConfigurationError as error:
        if is_named:
            raise
        say(f"{error}: this run cannot be resumed; set cron.directory, or name a journal by --resume")
        return JournalInMemory()


def _reprocess(
    arguments: argparse.Namespace, configuration: Configuration, crash_ids: list[str], journal: Journal, report: _Report
) -> bool:
    """Queue them; return True if nothing is left to do."""
    left = [crash_id for crash_id in crash_ids if crash_id not in journal.queued]
    report.count(crash_ids, journal.queued)
    if report.queued_before:
        say(f"{report.queued_before} were queued before (--anew queues them again), says {journal}")
    connect = partial(build, "new_crash_source", configuration)
    with ExitStack() as stack:
        stack.callback(report.print, arguments.json)
        queue = stack.enter_context(closing(connect()))
        reprocessed = None
        if arguments.summary:
            destination = stack.enter_context(closing(build("destination", configuration)))
            reprocessed = Reprocessed(destination, queue, connect)
        try:
            _Submission(queue, journal, report, reprocessed, arguments.rate).run(left)
            if reprocessed:
                with _progress() as progress:
                    task = progress.add_task("done", total=len(crash_ids))
                    queued = [journal.queued[crash_id] for crash_id in crash_ids]
                    report.summary = reprocessed.wait(queued, arguments.patience, lambda: progress.advance(task))
        except (SocorroError, KeyboardInterrupt):
            done = f"{report.queued_before + report.queued} of {report.valid} are queued"
            say(f"{done}; the same command goes on from there, by {journal}")
            raise
    waiting = report.summary.waiting if report.summary else 0
    if waiting:
        say(f"no crash was done in {arguments.patience:g} s, {waiting} left: the same command waits for them again")
    return not waiting


class _Submission:
    """Submits crashes in their order, and writes each down once it is certain to be kept."""

    def __init__(
        self,
        queue: CrashQueueBase,
        journal: Journal,
        report: _Report,
        reprocessed: Reprocessed | None,
        rate: float | None,
    ) -> None:
        self._queue = queue
        self._journal = journal
        self._report = report
        self._reprocessed = reprocessed
        self._interval = 1 / rate if rate else 0.0
        self._submitted: dict[str, Queued] = {}
        """The crashes on their way, as they are written down later."""

    def run(self, crash_ids: Sequence[str]) -> None:
        """Submit all. A queue that has never taken a crash is not waited for: its address may be wrong."""
        left = deque(crash_ids)
        began: float | None = None
        with _progress() as progress:
            task = progress.add_task("queued", total=len(left))
            while left:
                try:
                    work = FORCE if self._report.force else ""
                    for crash_id in self._queue.submit_all(self._due(list(left)), self._report.queue, work):
                        self._journal.add(self._submitted.pop(crash_id))
                        left.popleft()
                        self._report.queued += 1
                        began = None
                        progress.advance(task)
                except CrashQueueError as error:
                    began, first = began or time.monotonic(), began is None
                    if not self._report.queued or time.monotonic() - began > _OUTAGE:
                        raise
                    if first:
                        say(f"{error}: waiting for it, up to {_OUTAGE:g} s")
                    time.sleep(_TRY_AGAIN)

    def _due(self, crash_ids: Iterable[str]) -> Iterator[str]:
        """Yield each crash id when it is its turn."""
        due = time.monotonic()
        for crash_id in crash_ids:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - 1.0) + self._interval
            before = self._reprocessed.before(crash_id) if self._reprocessed else None
            self._submitted[crash_id] = Queued(crash_id, datetime.now(UTC), before)
            yield crash_id


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate < math.inf:
        raise ValueError("a number above 0")
    return rate


def _progress() -> Progress:
    return progress_bar(MofNCompleteColumn(), TimeRemainingColumn())


COMMAND = Command(
    name="reprocess",
    summary="Put crashes into the reprocessing queue again.",
    description=(
        "The processor makes each of them anew, by the rules and lists of today. Crashes are named, or looked for in "
        "Elasticsearch. A new result that is worse than the earlier one (its dump has expired, symbols for fewer "
        "modules were found) does not replace it without --force. After an interruption the same command goes on where "
        "it was."
    ),
    exit_codes={0: "all are queued (--summary: and processed well)", 1: "not all"},
    example=(
        "socorro reprocess 0bba61c5-dfc3-43e7-dead-8afd20161123 --summary\n"
        "socorro reprocess - --rate=50 < crash_ids.txt\n"
        "socorro reprocess --product=Lightbox --date=2016-11-20..2016-11-23 --dry-run"
    ),
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source", "destination", "cron"),
)
