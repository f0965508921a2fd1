"""``socorro list``: the newest crashes of the store."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import islice

from rich.console import Console

from socorro_processor.cli.command import Command, build
from socorro_processor.cli.layout import Row, joined, table, titles, width_of
from socorro_processor.cli.standard_error import say
from socorro_processor.cli.untrusted import moment_of, plain, text_of
from socorro_processor.configuration import Configuration, WholeNumber, argument
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.errors import SocorroError

_LIMIT = 20
_ROWS_AT_ONCE = 1000
_SHARES = (1.0, 1.0, 0.15, 0.0)
_UTC = re.compile(r"\+00:00$")
_LONGEST = 500  # characters of a cell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=argument(WholeNumber(1)), default=_LIMIT, metavar="N", help=f"how many; default: {_LIMIT}"
    )
    parser.add_argument(
        "--signature", metavar="TEXT", type=argument(_utf8), help="only crashes of this signature, to the letter"
    )
    parser.add_argument("--product", metavar="NAME", type=argument(_utf8), help="only crashes of this product")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    reasons: list[str] = []
    for section in ("destination", "source"):
        with closing(build(section, configuration)) as store:
            try:
                crashes = store.newest(arguments.limit, arguments.signature, arguments.product)
            except NotImplementedError as error:
                reasons.append(f"{section}: {error}")
                continue
            if arguments.json:
                count = _print_json(crashes)
            else:
                count = print_crashes(crashes, Console(highlight=False, soft_wrap=True))
            if not count:
                chosen = arguments.signature is not None or arguments.product is not None
                say(f"there is no {'such ' if chosen else ''}crash in {store}")
            return 0
    raise SocorroError(
        f"the newest crashes cannot be listed: {'; '.join(reasons)}. FileSystemCrashStorage, PostgreSQLCrashStorage "
        "and ESCrashStorage list theirs"
    )


def _utf8(text: str) -> str:
    """Return the text. Raises ValueError where it was made of bytes that are not UTF-8: no store takes it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("text in UTF-8") from None
    return text


def print_crashes(crashes: Iterator[CrashSummary], console: Console) -> int:
    """Print a table, a piece at a time; return how many crashes there were."""
    count = 0
    while batch := list(islice(crashes, _ROWS_AT_ONCE)):
        rows = list(map(_row, batch))
        if not count:
            rows.insert(0, titles(("crash id", "submitted", "product", "signature")))
        for line in table(rows, _SHARES, width_of(console)):
            console.print(line)
        count += len(batch)
    return count


def _print_json(crashes: Iterator[CrashSummary]) -> int:
    count = 0
    for crash in crashes:
        print(json.dumps(asdict(crash)))
        count += 1
    return count


def _row(crash: CrashSummary) -> Row:
    fields = asdict(crash)
    product = joined(" ", text_of(fields, "product"), text_of(fields, "version"))
    signature = text_of(fields, "signature") if crash.is_processed else ""
    style = "" if signature else "dim"
    signature = signature or ("(none)" if crash.is_processed else "(not processed)")
    return [
        (plain(crash.crash_id), ""),
        (_UTC.sub("Z", moment_of(fields, "submitted"))[:_LONGEST], ""),
        (product[:_LONGEST], ""),
        (signature[:_LONGEST], style),
    ]


COMMAND = Command(
    name="list",
    summary="List the newest crashes of the store: crash id, when submitted, product, signature.",
    description=(
        "The newest day, by the crash ids, comes first, and on each day the crash that came, or was processed, "
        "last.\n\n"
        "The crashes are those of the destination store or, where that cannot list them, of the source. A bucket has "
        "no order by time, and cannot."
    ),
    exit_codes={0: "listed, even if there are none", 1: "no store can list its crashes, or it is away"},
    example="socorro list --limit=5 --product=Lightbox",
    run=run,
    add_arguments=add_arguments,
    sections=("source", "destination"),
)
