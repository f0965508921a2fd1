"""``socorro reprocess`` puts crash ids into a queue again."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Collection
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from socorro_processor.cli.command import Command, build_component
from socorro_processor.cli.crash_ids import CrashIDs, add_crash_id_arguments, read_crash_ids
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.search_arguments import tell_state
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration, Seconds, argument, read_days
from socorro_processor.crashqueue.base import QueueName
from socorro_processor.crashqueue.history import FORCE
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.layout import counted_with_verb
from socorro_processor.reprocessing.journal import Journal, journal_name, read_journal
from socorro_processor.reprocessing.results import Outcome, Results, Summary
from socorro_processor.reprocessing.submission import submit_all
from socorro_processor.search.crash_search import CrashSearch
from socorro_processor.search.query import CrashQuery
from socorro_processor.untrusted import plain

_OUTCOME_WORDS: dict[Outcome, str] = {
    "changed": "with another signature",
    "same": "with the same signature",
    "new": "not processed before",
    "done": "processed, the former signature is not known",
    "kept": "with the earlier result, because the new one was worse (--force replaces it)",
    "failed": "processed without success (success is false): socorro show says why",
    "parked": "parked: socorro queue parked says why",
    "rejected": "rejected: socorro queue rejected says why",
    "waiting": "not done yet",
}

_SHOWN_CHANGES = 20
"""The number of changes that are printed, the most frequent ones."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_crash_id_arguments(parser)
    _add_search_arguments(parser)
    parser.add_argument(
        "--queue", choices=("reprocessing", "priority"), default="reprocessing", help="default: reprocessing"
    )
    parser.add_argument("--rate", metavar="N", type=argument(_rate), help="queue at most N a second")
    parser.add_argument(
        "--resume",
        metavar="FILE",
        type=Path,
        help="a journal: crashes in it are not queued again, and queued ones are added; by default one in "
        "cron.directory, which is removed once all are queued",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="save the new results even if they are worse",
    )
    parser.add_argument("--anew", action="store_true", help="also queue what an interrupted run queued")
    parser.add_argument("--summary", action="store_true", help="wait for the results, and say which signatures changed")
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=argument(Seconds()),
        default=300.0,
        help="with --summary: give up after this time without a result (default: 300)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say how many would be queued")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def _add_search_arguments(parser: argparse.ArgumentParser) -> None:
    search = parser.add_argument_group("search in Elasticsearch or the search index, by all of these")
    search.add_argument("--signature", metavar="TEXT", help="the exact signature")
    search.add_argument("--product", metavar="NAME", help="the product")
    search.add_argument("--version", metavar="VERSION", help="the product's version")
    search.add_argument(
        "--processor-version", metavar="VERSION", help="the version of the processor that made the result"
    )
    search.add_argument(
        "--field",
        metavar="NAME=VALUE",
        type=_read_field,
        action="append",
        default=[],
        help="a public field (docs/fields.rst): a keyword, words of a text, a number, true, false; may be given again",
    )
    search.add_argument(
        "--date",
        metavar="DAYS",
        type=read_days,
        default=(None, None),
        help="the day (UTC) of submission; 2016-11-20..2016-11-23, 2016-11-20.., or ..2016-11-23 for several",
    )


def _read_field(text: str) -> tuple[str, str]:
    name, is_there, value = text.partition("=")
    if not name or not is_there:
        raise argparse.ArgumentTypeError("expected NAME=VALUE, such as process_type=gpu")
    return name, value


@dataclass
class _Report:
    """The counts that are printed at the end, even if the command fails."""

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

    def left(self, crash_ids: Collection[str], queued: Collection[str]) -> list[str]:
        """Set the counts of crashes; return those that are not queued yet."""
        left = [crash_id for crash_id in crash_ids if crash_id not in queued]
        self.valid = len(crash_ids)
        self.queued_before = self.valid - len(left)
        return left

    def print(self, as_json: bool) -> None:
        if as_json:
            print(json.dumps(asdict(self) | {"summary": self.summary and _as_object(self.summary)}))
            return
        before = f", {self.queued_before} had been queued before" if self.queued_before else ""
        forced = ", forced" if self.force else ""
        print(f"{self.queued} {'would be queued' if self.dry_run else 'queued'} as {self.queue}{forced}{before}")
        if self.summary:
            print_summary(self.summary)


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    since, until = arguments.date
    query = CrashQuery(
        arguments.signature,
        arguments.product,
        arguments.version,
        arguments.processor_version,
        since,
        until,
        tuple(arguments.field),
    )
    is_search = query != CrashQuery()
    if bool(arguments.crash_ids or arguments.file) == is_search:
        raise ConfigurationError(
            "no crashes to reprocess: either name them by CRASH_ID, - or --file, or look for them by --signature, "
            "--product, --version, --processor-version, --field or --date"
        )
    named = read_crash_ids(arguments)
    request = [f"{name}={value}" for name, value in asdict(query).items() if value not in (None, ())]
    request = request or sorted(named.valid)
    name = journal_name([*request, arguments.queue, *["force"] * arguments.force])
    path = arguments.resume or Path(configuration.values.cron.directory) / name
    if is_search:
        _search(query, configuration, named)
    report = _Report(arguments.queue, arguments.dry_run, arguments.force, named.refused)
    with closing(_journal(path, arguments)) as journal:
        if arguments.anew:
            journal.clear()
        # A search may not find what it found and queued before, because the signature may have changed.
        crash_ids = list(dict.fromkeys(journal.queued) | named.valid if is_search else named.valid)
        if arguments.dry_run:
            report.queued = len(report.left(crash_ids, journal.queued))
            report.print(arguments.json)
            return 0 if report.is_well else 1
        finished = False
        try:
            finished = _reprocess(arguments, configuration, crash_ids, journal, report)
        finally:
            if arguments.resume is None and (finished or not journal.queued):
                journal.remove()
    return 0 if report.is_well else 1


def _search(query: CrashQuery, configuration: Configuration, crash_ids: CrashIDs) -> None:
    with closing(CrashSearch(configuration.values)) as search, progress_bar() as progress:
        if index := search.asked_index():
            tell_state(index)
        crash_ids.add(progress.track(search.crash_ids(query), total=None, description="found"))


def _journal(path: Path, arguments: argparse.Namespace) -> Journal:
    if arguments.dry_run:
        return Journal(None, read_journal(path))
    try:
        return Journal(path)
    except ConfigurationError as error:
        if arguments.resume is not None:
            raise
        say(f"{error}: this run cannot be resumed; set cron.directory, or name a journal by --resume")
        return Journal(None)


def _reprocess(
    arguments: argparse.Namespace, configuration: Configuration, crash_ids: list[str], journal: Journal, report: _Report
) -> bool:
    """Queue the crashes; return True if nothing is left to do."""
    left = report.left(crash_ids, journal.queued)
    if report.queued_before:
        queued_before = counted_with_verb(report.queued_before, "crash", "crashes")
        say(f"{queued_before} queued before, by the journal {journal.path} (--anew queues again)")
    connect = partial(build_component, "new_crash_source", configuration)
    with ExitStack() as stack:
        stack.callback(report.print, arguments.json)
        queue = stack.enter_context(closing(connect()))
        results = None
        if arguments.summary:
            results = Results(
                stack.enter_context(closing(build_component("destination", configuration))), queue, connect
            )
        work = FORCE if arguments.force else ""
        try:
            submitted = submit_all(left, queue, arguments.queue, work, journal, say, arguments.rate, results)
            with progress_bar() as progress:
                for _ in progress.track(submitted, total=len(left), description="queued"):
                    report.queued += 1
            if results:
                with progress_bar() as progress:
                    task = progress.add_task("done", total=len(crash_ids))
                    queued = [journal.queued[crash_id] for crash_id in crash_ids]
                    report.summary = results.wait(queued, arguments.patience, lambda: progress.advance(task))
        except (SocorroError, KeyboardInterrupt):
            resumed = f"; the same command goes on from there, by the journal {journal.path}" if journal.path else ""
            say(f"{report.queued_before + report.queued} of {report.valid} are queued{resumed}")
            raise
    waiting = report.summary.counts["waiting"] if report.summary else 0
    if waiting:
        say(f"no crash was done in {arguments.patience:g} s, {waiting} left: the same command waits for them again")
    return not waiting


def _as_object(summary: Summary) -> dict[str, object]:
    counts = summary.counts
    crashes = [asdict(crash) for crash in summary.crashes]
    return {outcome: counts[outcome] for outcome in _OUTCOME_WORDS} | {"crashes": crashes}


def print_summary(summary: Summary) -> None:
    counts = summary.counts
    for outcome, words in _OUTCOME_WORDS.items():
        if counts[outcome]:
            print(f"{counts[outcome]:>7} {words}")
    changes = summary.changes
    for (before, after), count in changes.most_common(_SHOWN_CHANGES):
        print(f"\n{count:>7} before  {plain(before)}\n        after   {plain(after)}")
    if len(changes) > _SHOWN_CHANGES:
        print(f"\n        and {len(changes) - _SHOWN_CHANGES} other changes, which --json has")


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate < math.inf:
        raise ValueError("a number above 0")
    return rate


COMMAND = Command(
    name="reprocess",
    summary="Put crashes into the reprocessing queue again.",
    description=(
        "The processor processes each of them again, by today's rules and lists. Name the crashes, or search for them. "
        "A new result that is worse than the earlier one (the dump has expired, fewer modules have symbols) does not "
        "replace it without --force. After an interruption, the same command goes on."
    ),
    exit_codes={0: "all are queued (with --summary: and processed successfully)", 1: "not all are"},
    example=(
        "socorro reprocess 0bba61c5-dfc3-43e7-dead-8afd20161123 --summary\n"
        "socorro reprocess - --rate=50 < crash_ids.txt\n"
        "socorro reprocess --product=Lightbox --date=2016-11-20..2016-11-23 --dry-run"
    ),
    run=run,
    add_arguments=add_arguments,
    sections=("new_crash_source", "destination", "cron"),
)
