"""``socorro siglists preview`` shows which stored crashes other signature lists would sign otherwise."""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

from rich.progress import MofNCompleteColumn, TimeRemainingColumn

from socorro_processor.cli.command import Command
from socorro_processor.cli.crash_ids import STANDARD_INPUT
from socorro_processor.cli.layout import Row, print_table
from socorro_processor.cli.progress import progress_bar
from socorro_processor.cli.signature import check_rules, sign, signature_rules
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.stored_crashes import StoredCrashes
from socorro_processor.cli.untrusted import plain
from socorro_processor.configuration import Configuration, DotDict, WholeNumber, argument, read_day
from socorro_processor.errors import SocorroError
from socorro_processor.pipeline.rule import Rule
from socorro_processor.signature.siglists import SigLists

_SHARES = (0.1, 0.45, 0.0)
_SAMPLE = 1000


@dataclass
class Changes:
    """Crash ids by the signature of today's lists and that of the others."""

    crash_ids: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    looked_at: int = 0
    unreadable: int = 0
    outdated: int = 0
    """Crashes that today's lists would sign otherwise already."""

    @property
    def changed(self) -> int:
        return sum(map(len, self.crash_ids.values()))

    def by_count(self) -> list[tuple[tuple[str, str], list[str]]]:
        return sorted(self.crash_ids.items(), key=lambda each: (-len(each[1]), each[0]))

    def __str__(self) -> str:
        text = f"{self.changed} of {self.looked_at} crashes would change their signature"
        if self.outdated:
            text += f"; {self.outdated} change with any reprocessing, for today's lists sign them otherwise already"
        return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", type=Path, help="the lists that are tried")
    parser.add_argument(
        "crashes",
        metavar="CRASH",
        nargs="*",
        help="a crash id, or a file with a processed crash; - reads ids from standard input; without any, a sample of "
        "the stores' crashes is taken",
    )
    parser.add_argument("--date", type=read_day, help="the (last) day, in UTC, of the sample; default: today")
    parser.add_argument(
        "--days",
        type=argument(WholeNumber(1)),
        metavar="N",
        help="N days up to that one; default: 1 with --date, else 2: after midnight today has few crashes",
    )
    parser.add_argument(
        "--sample",
        type=argument(WholeNumber(1)),
        default=_SAMPLE,
        metavar="N",
        help=f"N processed crashes, evenly from these days; default: {_SAMPLE}",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--ids", action="store_true", help="print the ids of the crashes that would change, to reprocess")
    form.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    # Where the lists are bad, all of their mistakes are told at once.
    SigLists.load(arguments.directory)
    pairs = list(signature_rules(configuration))
    today = [rule(config) for rule, config in pairs]
    check_rules(today)
    others = [rule(_with_lists(config, arguments.directory)) for rule, config in pairs]
    changes = Changes()
    with StoredCrashes(configuration) as crashes:
        names = list(dict.fromkeys(_given(arguments.crashes) or _sampled(arguments, crashes)))
        with progress_bar(MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            for name in progress.track(names, description="signed"):
                _look_at(name, crashes, today, others, changes)
    _print(arguments, changes)
    return 1 if changes.unreadable else 0


def _with_lists(config: DotDict, directory: Path) -> DotDict:
    """Return a rule's options with other lists."""
    if "c_signature" not in config:
        return config
    changed: DotDict = copy.copy(config)
    changed.c_signature = copy.copy(config.c_signature)
    changed.c_signature.siglists_directory = str(directory)
    return changed


def _given(names: list[str]) -> list[str]:
    given: list[str] = []
    for name in names:
        given += sys.stdin.read().split() if name == STANDARD_INPUT else [name]
    if names and not given:
        raise SocorroError("standard input has no crash id")
    return given


def _sampled(arguments: argparse.Namespace, crashes: StoredCrashes) -> Iterator[str]:
    """Yield the first of each day: crash ids begin with random digits, so they are as good as any."""
    last: date = arguments.date or datetime.now(UTC).date()
    count = arguments.days or (1 if arguments.date else 2)
    days = [last - timedelta(days=number) for number in range(count)]
    found = 0
    for number, day in enumerate(days):
        share = -(-(arguments.sample - found) // (len(days) - number))
        for crash_id in islice(_processed(crashes, day), share):
            found += 1
            yield crash_id
    if not found:
        place = crashes.store("source")
        raise SocorroError(
            f"there is no processed crash of {days[-1]} to {last} in {place}: name other days, or crash ids"
        )


def _processed(crashes: StoredCrashes, day: date) -> Iterator[str]:
    """Yield the raw crashes of a day that were processed."""
    destination = crashes.store("destination")
    try:
        ids = crashes.store("source").raw_crash_ids(day)
    except NotImplementedError as error:
        raise SocorroError(f"no sample can be taken: {error}; name crash ids") from error
    while batch := list(islice(ids, 100)):
        missing: set[str] = set()
        with suppress(NotImplementedError):
            missing = destination.missing_processed(batch)
        yield from (crash_id for crash_id in batch if crash_id not in missing)


def _look_at(name: str, crashes: StoredCrashes, today: list[Rule], others: list[Rule], changes: Changes) -> None:
    try:
        crash = crashes.crash(name)
    except (SocorroError, OSError, ValueError) as error:
        say(f"{name}: {error}")
        changes.unreadable += 1
        return
    stored = crash.processed["signature"]
    again = copy.deepcopy(crash)
    sign(crash, today)
    sign(again, others)
    before, after = crash.processed["signature"], again.processed["signature"]
    changes.looked_at += 1
    changes.outdated += bool(stored) and stored != before
    if before != after:
        changes.crash_ids[before, after].append(crash.id)


def _print(arguments: argparse.Namespace, changes: Changes) -> None:
    if arguments.json:
        rows = [
            {"before": before, "after": after, "count": len(ids), "crash_ids": ids}
            for (before, after), ids in changes.by_count()
        ]
        counts = {name: getattr(changes, name) for name in ("looked_at", "changed", "outdated", "unreadable")}
        print(json.dumps(counts | {"changes": rows}))
        return
    if arguments.ids:
        for _, ids in changes.by_count():
            print(*map(plain, ids), sep="\n")
        say(str(changes))
        return
    if changes.crash_ids:
        lines: list[Row] = [
            [(str(len(ids)), "bold"), (plain(before), "red"), (plain(after), "green")]
            for (before, after), ids in changes.by_count()
        ]
        print_table(("crashes", "before", "after"), lines, _SHARES)
    print(changes)


COMMAND = Command(
    name="siglists preview",
    summary="Show which stored crashes would change their signature with the lists in DIR.",
    description=(
        "Crashes are signed by the lists of today and by those in DIR; printed is which signatures would change into "
        "which, and of how many crashes. Nothing is changed. The crashes are those that are named, or a sample of the "
        "processed ones of some days."
    ),
    exit_codes={1: "some crashes could not be read"},
    example="socorro siglists preview my-siglists/ --days=7 --ids | socorro reprocess -",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination", "processor"),
)
