"""Measure the search index: its size, the cost of a save, and the time of each query of a page.

    python -m benchmarks.search [--crashes=100000] [--directory=DIRECTORY]

Crashes with all searchable fields filled, of 3,000 signatures and 90 days, are saved one by one, as a processor saves
them. Times are those of the wall clock; the CPU time beside them says how much of it was waiting for others.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.results import record
from benchmarks.search_crashes import DAYS, LAST_DAY, SIGNATURES, CrashGenerator
from socorro_processor.configuration import defaults
from socorro_processor.fields import FieldTable
from socorro_processor.search.base import CrashIndex, Sort
from socorro_processor.search.filters import read_filters
from socorro_processor.search.sqlite.crashstorage import SQLiteSearchIndex
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex

RUNS = 7
SIZE_BAR = 2000
"""Bytes of a crash."""
TIME_BAR = 0.150
"""Seconds of a query at 100,000 crashes."""

_LAST = LAST_DAY.date() - timedelta(days=1)
_WEEK = _LAST - timedelta(days=6)
_FIRST = _LAST - timedelta(days=DAYS - 1)
_FACETS = ("product", "version", "release_channel", "os_name", "reason", "process_type")
_FIELDS_OF_SIGNATURE = ("os_name", "reason", "address", "proto_signature", "modules_in_stack")

Query = Callable[[CrashIndex, str], Any]

QUERIES: tuple[tuple[str, str, Query], ...] = (
    ("/", "top of 7 days", lambda index, _: index.top(_WEEK, _LAST)),
    (
        "/",
        "top of 7 days, a product and version",
        lambda index, _: index.top(_WEEK, _LAST, read_filters(["product=Lightbox", "version^4."])),
    ),
    ("/", "top of 45 days", lambda index, _: index.top(_LAST - timedelta(days=44), _LAST)),
    ("/", "top of 90 days", lambda index, _: index.top(_FIRST, _LAST)),
    (
        "/",
        "top of 7 days by another field",
        lambda index, _: index.top(_WEEK, _LAST, read_filters(["startup_crash=true"])),
    ),
    ("/signature", "records", lambda index, signature: index.records(signature)),
    (
        "/signature",
        "days by version, of all days",
        lambda index, signature: index.histogram(_FIRST, _LAST, read_filters([f"signature={signature}"]), by="version"),
    ),
    ("/signature", "rank in 7 days", lambda index, signature: index.standing(signature, _WEEK, _LAST)),
    (
        "/signature",
        "newest 20,000 by 5 fields",
        lambda index, signature: index.newest(
            read_filters([f"signature={signature}"]), fields=_FIELDS_OF_SIGNATURE, size=1000, limit=20_000
        ),
    ),
    ("/signature", "count", lambda index, signature: index.count(read_filters([f"signature={signature}"]))),
    ("/signature", "newest", lambda index, signature: index.find(read_filters([f"signature={signature}"]))),
    *(
        (
            "/signature",
            f"facet {name}",
            lambda index, signature, name=name: index.facets([name], read_filters([f"signature={signature}"])),
        )
        for name in _FIELDS_OF_SIGNATURE
    ),
    ("/search", "newest", lambda index, _: index.find()),
    ("/search", "count of all", lambda index, _: index.count()),
    ("/search", "count, two fields", lambda index, _: index.count(read_filters(["reason=SIGABRT", "safe_mode=true"]))),
    ("/search", "newest, a frequent value", lambda index, _: index.find(read_filters(["reason=SIGABRT"]))),
    ("/search", "newest, a rare value", lambda index, _: index.find(read_filters(["address=0x1"]))),
    (
        "/search",
        "text of comments",
        lambda index, _: index.find(read_filters(["user_comments~photo album and"]), protected=True),
    ),
    ("/search", "frame", lambda index, _: index.find(read_filters(["frame~thumbnail17"]))),
    ("/search", "module", lambda index, _: index.find(read_filters(["module~libphoto.so"]))),
    ("/search", "range", lambda index, _: index.count(read_filters(["uptime<60", "total_physical_memory>1000000"]))),
    ("/search", "not, and missing", lambda index, _: index.count(read_filters(["version!=1.0", "hang!?"]))),
    ("/search", "add-on", lambda index, _: index.count(read_filters(["addons~photo@"]))),
    ("/search", "sorted by a number", lambda index, _: index.find(sort=Sort("uptime"))),
    ("/search", "sorted by a text", lambda index, _: index.find(sort=Sort("version", descending=False))),
    *(("/search", f"facet {name} of all", lambda index, _, name=name: index.facets([name])) for name in _FACETS),
    ("/search", "facet signature of all", lambda index, _: index.facets(["signature"])),
    ("/search", "facet address of all", lambda index, _: index.facets(["address"])),
    ("/search", "facet addons of all", lambda index, _: index.facets(["addons"])),
    ("/search", "days of all", lambda index, _: index.histogram(_FIRST, _LAST)),
    ("/search", "days by product of all", lambda index, _: index.histogram(_FIRST, _LAST, by="product")),
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the search index.")
    parser.add_argument("--crashes", type=int, default=100_000)
    parser.add_argument("--directory", type=Path, help="keep the index here, and use one that is there")
    arguments = parser.parse_args()
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="search-benchmark-"))
    try:
        return measure(directory, arguments.crashes)
    finally:
        if not arguments.directory:
            shutil.rmtree(directory)


def measure(directory: Path, crashes: int) -> int:
    figures: dict[str, Any] = {"crashes": crashes, "signatures": SIGNATURES}
    if not (directory / "current").exists():
        figures |= fill(directory, crashes)
    size = sum(path.stat().st_size for path in directory.iterdir()) / crashes
    figures["bytes_a_crash"] = round(size)
    print(f"{size:,.0f} bytes a crash (bar: {SIZE_BAR:,})")
    print(f"\n{'page':<12}{'query':<40}{'median ms':>10}{'worst ms':>10}{'CPU ms':>8}")
    figures["queries"] = {}
    slow = []
    with SQLiteCrashIndex(directory, FieldTable()) as index:
        top = index.top(_FIRST, _LAST, limit=1).signatures[0].signature
        for page, name, query in QUERIES:
            times, cpu = [], []
            for _ in range(RUNS):
                begun, begun_cpu = time.perf_counter(), time.process_time()
                query(index, top or "")
                times.append(time.perf_counter() - begun)
                cpu.append(time.process_time() - begun_cpu)
            median, worst = statistics.median(times), max(times)
            figures["queries"][f"{page} {name}"] = round(median, 4)
            if min(times) > TIME_BAR:
                slow.append(name)
            print(f"{page:<12}{name:<40}{median * 1000:>10.1f}{worst * 1000:>10.1f}{min(cpu) * 1000:>8.1f}")
    if crashes == 100_000:
        record("search", figures)
    if slow and crashes <= 100_000:
        print(f"\nslower than {TIME_BAR * 1000:.0f} ms in every run: {', '.join(slow)}")
    return 1 if (slow and crashes <= 100_000) or size > SIZE_BAR else 0


def fill(directory: Path, crashes: int) -> dict[str, float]:
    """Save crashes; return what a save costs."""
    config = defaults(SQLiteSearchIndex, path=str(directory))
    times = []
    cpu = 0.0
    with closing(SQLiteSearchIndex(config, has_earlier_crashes=lambda: False)) as store:
        for number, crash in enumerate(CrashGenerator(crashes), 1):
            begun, begun_cpu = time.perf_counter(), time.process_time()
            store.save_processed(crash)
            times.append(time.perf_counter() - begun)
            cpu += time.process_time() - begun_cpu
            if not number % 10_000 and sys.stderr.isatty():
                print(f"\r{number:,} crashes", end="", file=sys.stderr)
    last = sorted(times[-10_000:])
    print(
        f"a save, the last 10,000 of {crashes:,}: median {statistics.median(last) * 1000:.2f} ms, 99 of 100 within "
        f"{last[int(len(last) * 0.99)] * 1000:.2f} ms; CPU of all {cpu / crashes * 1000:.2f} ms a crash"
    )
    return {"save_median": round(statistics.median(last), 5), "save_cpu": round(cpu / crashes, 5)}


if __name__ == "__main__":
    sys.exit(main())
