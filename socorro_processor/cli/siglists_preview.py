"""``socorro siglists preview`` shows which stored crashes would change their signature with other lists."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from socorro_processor.cli.command import Command
from socorro_processor.cli.crash_ids import STANDARD_INPUT
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.signature import read_crash
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration, DotDict, WholeNumber, argument, read_day
from socorro_processor.configuration.sources import SourcedValue
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.layout import Row, print_table
from socorro_processor.signing.preview import Preview
from socorro_processor.signing.stored_crashes import StoredCrashes
from socorro_processor.untrusted import plain

_COLUMN_SHARES = (0.1, 0.45, 0.0)
_DEFAULT_SAMPLE = 1000
_RULE_SETS = "processor.rule_sets"
_ALGORITHMS = {
    "2015": "socorro_processor.pipeline.mozilla_2015.MozillaProcessorAlgorithm2015",
    "2026": "socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory",
        metavar="DIR",
        nargs="?",
        type=Path,
        help="the lists that are tried; with --algorithm it may be left out",
    )
    parser.add_argument(
        "crashes",
        metavar="CRASH",
        nargs="*",
        help="a crash id, or a file with a processed crash; - reads ids from standard input; by default a sample of "
        "the stores' crashes",
    )
    parser.add_argument(
        "--algorithm", choices=tuple(_ALGORITHMS), help="try the rules of this algorithm in place of those in use"
    )
    parser.add_argument("--date", type=read_day, help="the last day of the sample, in UTC; default: today")
    parser.add_argument(
        "--days",
        type=argument(WholeNumber(1)),
        metavar="N",
        help="sample N days; default: 1 with --date, otherwise 2, because after midnight today has few crashes",
    )
    parser.add_argument(
        "--sample",
        type=argument(WholeNumber(1)),
        default=_DEFAULT_SAMPLE,
        metavar="N",
        help=f"take N processed crashes, evenly from these days; default: {_DEFAULT_SAMPLE}",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--ids", action="store_true", help="print the ids of the crashes that would change, to reprocess")
    form.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    directory, crash_names = arguments.directory, arguments.crashes
    if arguments.algorithm and directory and not directory.is_dir():
        directory, crash_names = None, [str(directory), *crash_names]
    if not (directory or arguments.algorithm):
        raise ConfigurationError("nothing to try: name a directory of signature lists, or an --algorithm")
    tried = _other_processor(arguments.algorithm, configuration) if arguments.algorithm else None
    preview = Preview(configuration.values.processor, directory, tried)
    unreadable = 0
    with closing(StoredCrashes(configuration.values, say)) as crashes:
        names = list(dict.fromkeys(_named(crash_names) or _sampled(arguments, crashes)))
        with progress_bar() as progress:
            for name in progress.track(names, description="signed"):
                if crash := read_crash(name, crashes):
                    preview.add(crash)
                else:
                    unreadable += 1
    for entry in preview.dead_entries():
        say(str(entry))
    _print(arguments, preview, unreadable)
    return 1 if unreadable else 0


def _other_processor(algorithm: str, configuration: Configuration) -> DotDict:
    """Return the section ``processor`` with another algorithm; say which options have no part in it."""
    other = configuration.with_algorithm(_ALGORITHMS[algorithm])
    for warning in other.warnings:
        if warning not in configuration.warnings:
            say(warning)
    rule_sets = dict(other.options())[_RULE_SETS].default
    if isinstance(rule_sets, SourcedValue) and not rule_sets.lstrip().startswith("+"):
        say(f"{rule_sets.origin}: the rules that it lists stay, whichever the algorithm; take it out to try all of its")
    return other.values.processor


def _named(crashes: list[str]) -> list[str]:
    names: list[str] = []
    for name in crashes:
        names += sys.stdin.read().split() if name == STANDARD_INPUT else [name]
    if crashes and not names:
        raise SocorroError("standard input has no crash id")
    return names


def _sampled(arguments: argparse.Namespace, crashes: StoredCrashes) -> Iterator[str]:
    last: date = arguments.date or datetime.now(UTC).date()
    count = arguments.days or (1 if arguments.date else 2)
    return crashes.sample([last - timedelta(days=number) for number in range(count)], arguments.sample)


def _print(arguments: argparse.Namespace, preview: Preview, unreadable: int) -> None:
    changes = preview.by_count()
    if arguments.json:
        rows = [
            {"before": before, "after": after, "count": len(ids), "crash_ids": ids} for (before, after), ids in changes
        ]
        counts = {"looked_at": preview.looked_at, "changed": preview.changed, "outdated": preview.outdated}
        print(json.dumps(counts | {"unreadable": unreadable, "changes": rows}))
    elif arguments.ids:
        for _, ids in changes:
            print(*map(plain, ids), sep="\n")
        say(str(preview))
    else:
        lines: list[Row] = [
            [(str(len(ids)), "bold"), (plain(before), "red"), (plain(after), "green")]
            for (before, after), ids in changes
        ]
        if lines:
            print_table(("crashes", "before", "after"), lines, _COLUMN_SHARES)
        print(preview)


COMMAND = Command(
    name="siglists preview",
    summary="Show which stored crashes would change their signature with the lists in DIR, or another algorithm.",
    description=(
        "Crashes are signed by today's lists and by those in DIR. The command prints which signatures would change, "
        "into which, and for how many crashes. Nothing is changed. The crashes are those named, or a sample of the "
        "crashes processed on some days."
    ),
    exit_codes={1: "some crashes could not be read"},
    example="socorro siglists preview my-siglists/ --days=7 --ids | socorro reprocess -",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "processor"),
)
