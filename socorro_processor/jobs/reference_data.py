"""``reference-data``: update products, releases and Windows versions from a file or an address.

New data are accepted only as a whole, and only if they resemble the present data: a page of HTML, half an answer or an
empty table changes nothing.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from socorro_processor.configuration import WholeNumber, argument
from socorro_processor.errors import SocorroError
from socorro_processor.jobs.job import Job, JobOutcome, Refused, Work
from socorro_processor.machine.regular_file import read_regular_file
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.reference.changes import TableChanges, check_rows
from socorro_processor.reference.file import decode_tables
from socorro_processor.reference.provider import sections_with_providers

_TOO_LONG = "it takes too long (cron.reference_data.maximum_time)"


class DataRefused(SocorroError):
    """The new data are refused; the present data stay."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--origin", metavar="FILE|URL", help="file or address of the new data; default: cron.reference_data.origin"
    )
    parser.add_argument(
        "--maximum-loss",
        type=argument(WholeNumber(0, 100)),
        default=20,
        metavar="PERCENT",
        help="refuse data that would remove more than this share of a table's rows, because they may be incomplete; "
        "default: 20",
    )


def run(work: Work) -> JobOutcome:
    options = work.values.cron.reference_data
    origin = work.arguments.origin or options.origin
    if not origin:
        return work.nothing_to_do("neither cron.reference_data.origin nor --origin is set")
    sections = sections_with_providers(work.values.processor)
    if not sections:
        return work.nothing_to_do("no rule of the processor uses reference data")
    shown = _without_secrets(origin)
    work.progress(f"reading {shown}")
    try:
        data = _read(origin, options.maximum_size, options.maximum_time)
        if data.lstrip()[:1] == b"<":
            raise DataRefused("it is a page of HTML or XML, not JSON")
        tables = decode_tables(data, "it")
        check_rows(tables, "it")
    except SocorroError as error:
        raise DataRefused(f"the reference data stay as they are: {shown}: {error}") from error
    rows = 0
    for section in sections:
        changes = section.reference_class.replace(
            section, tables, lambda planned: _approve(planned, work.arguments.maximum_loss), dry_run=work.dry_run
        )
        for each in changes:
            work.say(str(each), _as_json(each))
            if not work.dry_run:
                METRICS.increment("reference.changed", len(each), table=each.table)
        rows += sum(map(len, changes))
    text = f"{rows} rows {'to be ' if work.dry_run else ''}changed"
    if rows and not work.dry_run:
        seconds = sections[0].reference_refresh
        text += f"; running processors use them {f'within {seconds:g} s, or ' if seconds else ''}after SIGHUP"
    work.say(text, {"rows": rows, "dry_run": work.dry_run})
    return JobOutcome(True, text)


def _without_secrets(origin: str) -> str:
    """Return an origin without the password, or the token after a ``?``, that an address may contain."""
    return re.sub(r"(?<=://)[^/]*@|\?.*", "...", origin, flags=re.DOTALL) if "://" in origin else origin


def _read(origin: str, maximum_size: int, maximum_time: float) -> bytes:
    """Read all data of an origin. Raises a SocorroError."""
    if "://" not in origin:
        try:
            return read_regular_file(Path(origin), maximum_size)
        except OSError as error:
            raise DataRefused(f"it cannot be read: {error.strerror}") from error
    # Imported only here, because the other jobs need no HTTP.
    from socorro_processor.symbols.download import decompressed
    from socorro_processor.symbols.http_source import HTTPSource, parse_url
    from socorro_processor.symbols.source import SourceAway

    try:
        folder, _, name = parse_url(origin).rpartition("/")
        parse_url(folder)
    except ValueError as error:
        raise DataRefused(f"{error} (or the name of a file)") from error
    source = HTTPSource(
        folder, connection_timeout=10.0, read_timeout=30.0, download_timeout=maximum_time, connections=1
    )
    end = time.monotonic() + maximum_time
    try:
        with closing(source), closing(source.chunks(unquote(name))) as chunks:
            return _join(decompressed(chunks), maximum_size, end)
    except SourceAway as error:
        if time.monotonic() > end:
            raise DataRefused(_TOO_LONG) from error
        raise


def _join(chunks: Iterator[bytes], maximum_size: int, end: float) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > maximum_size:
            raise DataRefused(f"it has more than {maximum_size} bytes (cron.reference_data.maximum_size)")
        if time.monotonic() > end:
            raise DataRefused(_TOO_LONG)
    return bytes(data)


def _approve(changes: list[TableChanges], maximum_loss: int) -> None:
    """Raise Refused if too many rows would be removed."""
    for each in changes:
        if len(each.removed) * 100 > maximum_loss * each.before:
            raise Refused(
                f"the reference data stay as they are: {len(each.removed)} of {each.before} rows of {each.table} would "
                f"be removed, more than --maximum-loss={maximum_loss} percent: if the new data are right, run the job "
                "once with --maximum-loss=100"
            )


def _as_json(changes: TableChanges) -> dict[str, object]:
    counts = {"added": len(changes.added), "changed": len(changes.changed), "removed": len(changes.removed)}
    return {"table": changes.table, "before": changes.before, **counts}


JOB = Job(
    name="reference-data",
    summary="Bring product ids, releases of betas and Windows versions up to date from a file or an address.",
    description=(
        "Read the reference data (JSON in the form of config/reference_data.json) from a file or an address, check "
        "them, and write the rows that differ to where the rules look them up: PostgreSQL or the file "
        "resource.reference.reference_file. Either everything is changed, or nothing. Data that are too large, "
        "damaged, not JSON, or lack many of the present rows are refused.\n\n"
        "Running processors read the data again every resource.reference.reference_refresh seconds, and at SIGHUP."
    ),
    exit_codes={1: "not done, or refused"},
    example="socorro cron reference-data --origin=reference_data.json --dry-run",
    run=run,
    add_arguments=add_arguments,
    sections=("processor",),
)
