"""``late-symbols``: put crashes into the reprocessing queue once symbol files that they missed have arrived.

A crash is queued once, however many of its files have arrived, and once more if others arrive later.
"""

from __future__ import annotations

import argparse
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta
from itertools import count

from socorro_processor.configuration import DotDict, WholeNumber, argument
from socorro_processor.crash_id import crash_date
from socorro_processor.crashstorage.missed_symbols import MissedModule, MissingSymbolsSource, missing_symbols_source
from socorro_processor.jobs.job import Job, JobOutcome, Work
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.supplier import SymbolSupplier, rules_with_symbols
from socorro_processor.symbols.supply_result import CACHED, FETCHED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    number = argument(WholeNumber(1))
    parser.add_argument("--days", type=number, default=7, metavar="N", help="maximum age of crashes; default: 7 days")
    parser.add_argument(
        "--files",
        type=number,
        default=2000,
        metavar="N",
        help="number of files to look for, the most missed first; default: 2000",
    )
    parser.add_argument(
        "--maximum",
        type=number,
        default=1000,
        metavar="N",
        help="number of crashes to queue, the newest first; default: 1000",
    )


def run(work: Work) -> JobOutcome:
    since = work.today - timedelta(days=work.arguments.days)
    source = missing_symbols_source(work.values.destination)
    if source is None:
        return work.nothing_to_do("the destination has neither a PostgreSQLCrashStorage nor a FileSystemCrashStorage")
    rule = next(
        (rule for rule in rules_with_symbols(work.values.processor) if SymbolSupplier.is_wanted(rule.symbols)), None
    )
    if rule is None:
        return work.nothing_to_do("there are no sources of symbols (see resource.symbols.sources)")
    with closing(source):
        missed = _missed(source, since)
    arrived = _arrived(work, rule, Counter(each for files in missed.values() for each in files))
    queued = {
        crash_id: word for crash_id, word in work.memory.get("queued", {}).items() if crash_date(crash_id) >= since
    }
    late = _not_queued_before(queued, {crash: files & arrived for crash, files in missed.items() if files & arrived})
    chosen = sorted(late, key=lambda crash: (crash_date(crash), crash), reverse=True)[: work.arguments.maximum]
    if not work.dry_run:
        _queue(work, queued, {crash: late[crash] for crash in chosen})
    verb = "would be queued" if work.dry_run else "queued"
    left = f", {len(late) - len(chosen)} left for the next run" if len(late) > len(chosen) else ""
    text = f"{len(arrived)} symbol files have arrived, {len(chosen)} crashes that missed them {verb}{left}"
    words = {"arrived": len(arrived), "queued": len(chosen), "left": len(late) - len(chosen), "dry_run": work.dry_run}
    work.say(text, words)
    return JobOutcome(True, text)


def _missed(source: MissingSymbolsSource, since: date) -> dict[str, set[SymbolFileID]]:
    """Return the files that each crash missed, if they may exist."""
    return {crash_id: set(_wanted(files)) for crash_id, files in source.missing_symbols(since)}


def _wanted(files: list[MissedModule]) -> Iterator[SymbolFileID]:
    for file in files:
        if not file.may_exist:
            continue
        try:
            yield SymbolFileID.of(file.debug_file, file.debug_id)
        except ValueError:  # no file can have this name
            continue


def _arrived(work: Work, rule: DotDict, wanted: Mapping[SymbolFileID, int]) -> set[SymbolFileID]:
    """Return the wanted files that exist now. A dry run only looks for files that were fetched before."""
    files = sorted(wanted, key=lambda each: (-wanted[each], each))[: work.arguments.files]
    with closing(SymbolSupplier(rule.symbols, rule.symbol_cache_path, rule.symbols_path)) as supplier:
        if work.dry_run:
            return {each for each in files if supplier.has(each)}
        for each in files:
            supplier.forget(each.path)
        numbers = count(1)

        def on_file(_: SymbolFileID) -> None:
            work.progress(f"{next(numbers)} of {len(files)} symbol files looked for")

        results = supplier.supply_all(files, on_file).results
    return {each for each, result in results.items() if result in (CACHED, FETCHED)}


def _not_queued_before(queued: Mapping[str, str], late: Mapping[str, set[SymbolFileID]]) -> dict[str, str]:
    """Return the crashes that were not queued before because of exactly these files, each with a hash of its files."""
    hashes = {crash_id: f"{zlib.crc32(repr(sorted(files)).encode()):08x}" for crash_id, files in late.items()}
    return {crash_id: files_hash for crash_id, files_hash in hashes.items() if queued.get(crash_id) != files_hash}


def _queue(work: Work, queued: dict[str, str], chosen: Mapping[str, str]) -> None:
    """Put the crashes into the queue, and remember them with those that were queued before."""
    config = work.values.new_crash_source
    with closing(config.new_crash_source_class(config)) as queue:
        try:
            for crash_id, files_hash in chosen.items():
                queue.submit(crash_id, "reprocessing")
                queued[crash_id] = files_hash
        finally:
            work.remember({"queued": queued})


JOB = Job(
    name="late-symbols",
    summary="Look again for the symbol files that crashes missed; queue the crashes again if any have arrived.",
    description=(
        "Look again, at the sources of symbols, for the symbol files that the crashes of the last days missed, and put "
        "the crashes whose files have arrived into the reprocessing queue, the newest first."
    ),
    example="socorro cron late-symbols --days=7",
    run=run,
    add_arguments=add_arguments,
    sections=("destination", "processor", "new_crash_source"),
)
