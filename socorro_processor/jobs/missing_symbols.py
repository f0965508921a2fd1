"""``missing-symbols``: write, as CSV, the symbol files that a day's crashes missed, for people who can get them."""

from __future__ import annotations

import argparse
import csv
import re
import tempfile
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from socorro_processor.configuration import read_day
from socorro_processor.crashstorage.missed_symbols import MissedModule, MissingSymbolsSource, missing_symbols_source
from socorro_processor.jobs.job import DayRefused, Job, JobOutcome, Work
from socorro_processor.monitoring.metrics import METRICS

_PROGRESS_EVERY = 1000  # rows
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--date", type=read_day, help="the day, in UTC, of the crash ids; default: yesterday")


def run(work: Work) -> JobOutcome:
    day: date = work.arguments.date or work.today - timedelta(days=1)
    if day >= work.today:
        raise DayRefused(f"--date {day}: that day is not over (in UTC), and more of its crashes will come")
    source = missing_symbols_source(work.values.destination)
    if source is None:
        return work.nothing_to_do("the destination has neither a PostgreSQLCrashStorage nor a FileSystemCrashStorage")
    options = work.values.cron.missing_symbols
    key = f"missing_symbols/{day:%Y%m%d}.csv"
    with (
        closing(source),
        closing(options.target_class(options)) as target,
        tempfile.TemporaryDirectory(prefix="socorro-missing-symbols-") as directory,
    ):
        target.check()
        path = Path(directory) / "missing_symbols.csv"
        written, left_out = _write(work, source, day, path)
        if not work.dry_run:
            target.put(key, path)
            METRICS.increment("missing_symbols.rows", written)
        text = f"{written} symbol files that crashes of {day} missed {'would be ' if work.dry_run else ''}written to "
        text += f"{key} in {target}" + (f", {left_out} with impossible names left out" if left_out else "")
    words = {"date": day.isoformat(), "rows": written, "left_out": left_out, "key": key, "dry_run": work.dry_run}
    work.say(text, words)
    return JobOutcome(True, text)


def _write(work: Work, source: MissingSymbolsSource, day: date, path: Path) -> tuple[int, int]:
    """Write the rows. Return the numbers of rows that were written, and left out."""
    written = left_out = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(MissedModule._fields)
        for symbol_file in source.missing_symbols_of(day):
            if not symbol_file.may_exist:
                continue
            # Names come from strangers, and many programs take a line end within a field for a new row.
            if not any(_NOT_IN_A_LINE.search(part or "") for part in symbol_file):
                writer.writerow(symbol_file)
                written += 1
            else:
                left_out += 1
            if written % _PROGRESS_EVERY == 0:
                work.progress(f"{written} symbol files of {day}")
    return written, left_out


JOB = Job(
    name="missing-symbols",
    summary="Write the symbol files that a day's crashes missed to a bucket or directory, as CSV.",
    description=(
        "Write each symbol file that the crashes of a day missed, once, as missing_symbols/YYYYMMDD.csv to the bucket "
        "or directory of cron.missing_symbols. The columns are debug_file, debug_id, code_file and code_id. "
        "Writing a day again replaces its file."
    ),
    example="socorro cron missing-symbols --date=2016-11-23",
    run=run,
    add_arguments=add_arguments,
    sections=("destination",),
)
