"""Measure the pages of ``socorro serve`` with many crashes, alone and under load.

    python -m benchmarks.serve [--crashes=100000] [--seconds=60] [--directory=DIRECTORY]

The index has generated crashes with all fields filled. First each page is loaded, one load after the other, while
crashes come and are processed. Then for some time come 100 requests a second: 20 small crashes, one in ten without
its end, and pages, one in ten of them wrong; with that, 50 uploads of 25 MB go on all the time. At last every promised
crash must be on its page. A time begins when the request was due, so that waiting counts.

For ``--crashes=1000000`` name a directory, too: to fill it takes 20 minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from benchmarks.crashes import ROOT
from benchmarks.endurance import Use
from benchmarks.results import record
from benchmarks.search import fill
from benchmarks.search_crashes import LAST_DAY
from benchmarks.web_client import Answer, WebClient
from socorro_processor.fields import FieldTable
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex
from tests.system.serving import Serving

PAGE_BAR = 0.3
"""Seconds within which 95 of 100 loads are answered."""
SEARCH_BAR = 2.0
"""The same for ``/search`` with more than 100,000 crashes."""
FIRST_BAR = 1.0
MEMORY_BAR = 200 * 1000 * 1000
BUSY_BAR = 0.01
"""The part of requests that may be answered with 503."""
PROMISE_BAR = 600.0

LOADS = 60
RATE = 100
SUBMITTED = 20
LARGE = 50
LARGE_SIZE = 25_000_000
SMALL_SIZE = 30_000
"""Bytes at least: the sample is larger."""

_LAST = LAST_DAY.date() - timedelta(days=1)
_DAYS = f"date={_LAST - timedelta(days=6)}..{_LAST}"
_FOUR_WEEKS = f"date={_LAST - timedelta(days=27)}..{_LAST}"
_ALL_DAYS = f"date={_LAST - timedelta(days=89)}..{_LAST}"
_THOUSAND_DAYS = f"date={_LAST - timedelta(days=999)}..{_LAST}"


class Addresses:
    """Addresses of pages, as people follow them."""

    def __init__(self, signatures: list[str], chance: random.Random) -> None:
        self._chance = chance
        self._signatures = [quote_plus(each) for each in signatures]
        self.crash_ids: list[str] = []

    def kinds(self) -> dict[str, list[str]]:
        frequent, rare = self._signatures[0], self._signatures[-1]
        return {
            "/": [f"/?{_DAYS}"],
            "/ with filters": [f"/?{_DAYS}&product=Lightbox&os_name=Linux"],
            "/ of 28 days": [f"/?{_FOUR_WEEKS}"],
            "/ of 90 days": [f"/?{_ALL_DAYS}"],
            "/ of 1,000 days": [f"/?{_THOUSAND_DAYS}"],
            "/signature, the most frequent": [f"/signature?signature={frequent}&{_ALL_DAYS}"],
            "/signature, of 7 days": [f"/signature?signature={frequent}&{_DAYS}"],
            "/signature, of 28 days": [f"/signature?signature={frequent}&{_FOUR_WEEKS}"],
            "/signature, of 1,000 days": [f"/signature?signature={frequent}&{_THOUSAND_DAYS}"],
            "/signature, a rare one": [f"/signature?signature={rare}&{_ALL_DAYS}"],
            "/search": ["/search"],
            "/search of 28 days": [f"/search?{_FOUR_WEEKS}"],
            "/search of 1,000 days": [f"/search?{_THOUSAND_DAYS}"],
            "/search of 90 days": [f"/search?{_ALL_DAYS}"],
            "/search by a field": [f"/search?reason=SIGABRT&product=Frame&{_ALL_DAYS}"],
            "/search by a frame": [f"/search?frame~thumbnail17&{_ALL_DAYS}"],
            "/search by words": [f"/search?user_comments~photo+album+and&{_ALL_DAYS}"],
            "/compare": [f"/compare?product=Lightbox&a=1.0&b=2.0&{_DAYS}"],
            "/compare of 28 days": [f"/compare?product=Lightbox&a=1.0&b=2.0&{_FOUR_WEEKS}"],
            "/compare of 90 days": [f"/compare?product=Lightbox&a=1.0&b=2.0&{_ALL_DAYS}"],
            "/queues": ["/queues"],
            "/symbols": ["/symbols"],
            "/symbols of 28 days": [f"/symbols?{_FOUR_WEEKS}"],
            "/symbols of 90 days": [f"/symbols?{_ALL_DAYS}"],
            "/refused": ["/refused"],
            "/report": [f"/report/{crash_id}" for crash_id in self.crash_ids],
        }

    def any_page(self) -> str:
        """Return an address, wrong in one case of ten."""
        chance = self._chance
        if chance.random() < 0.1:
            return chance.choice(
                ("/nothing", "/report/nothing", "/search?nothing=1", "/search?uptime%3Cx", "/signature", "/?days=x")
            )
        signature = chance.choice(self._signatures)
        return chance.choice(
            (
                f"/?{_DAYS}",
                f"/?{_DAYS}&product=Lightbox",
                f"/signature?signature={signature}&{_DAYS}",
                f"/search?signature={signature}",
                "/search?product=Darkroom&version=2.3",
                f"/report/{chance.choice(self.crash_ids)}",
                f"/report/{chance.choice(self.crash_ids)}",
                "/queues",
                "/healthz",
                "/metrics",
            )
        )


class Load:
    """Requests, their answers, and the promises among them."""

    def __init__(self, serving: Serving, addresses: Addresses, chance: random.Random) -> None:
        self.client = WebClient(serving.port)
        self._serving = serving
        self.addresses = addresses
        self.promised: list[str] = []
        self.pages: list[Answer] = []
        self.submissions: list[Answer] = []
        self.memory: list[int] = []
        self._chance = chance
        self._dump = (ROOT / "samples/segfault/upload_file_minidump.dmp").read_bytes()

    async def submit(self, size: int, due: float | None = None, *, seconds: float = 0, is_whole: bool = True) -> Answer:
        dump = self._dump.ljust(size, b"\0")
        fields = {"ProductName": "Lightbox", "Version": "2.3.1", "Comments": f"{self._chance.random()}"}
        answer = await self.client.submit(dump, fields, due, seconds=seconds, is_whole=is_whole)
        self.submissions.append(answer)
        if found := re.match(rb"CrashID=bp-(\S+)", answer.body):
            self.promised.append(found[1].decode())
        return answer

    async def run(self, seconds: float) -> None:
        begun = time.perf_counter()
        watching = asyncio.create_task(self._watch())
        large = [asyncio.create_task(self._upload_large(begun + seconds)) for _ in range(LARGE)]
        small: list[asyncio.Task[None]] = []
        for number in range(int(seconds * RATE)):
            due = begun + number / RATE
            await asyncio.sleep(due - time.perf_counter())
            is_crash = number % RATE % (RATE // SUBMITTED) == 0
            small.append(asyncio.create_task(self._post(due, number) if is_crash else self._load(due)))
        await asyncio.gather(*small, *large)
        watching.cancel()

    async def _load(self, due: float) -> None:
        self.pages.append(await self.client.get(self.addresses.any_page(), due))

    async def _post(self, due: float, number: int) -> None:
        await self.submit(SMALL_SIZE, due, is_whole=number // (RATE // SUBMITTED) % 10 > 0)

    async def _upload_large(self, end: float) -> None:
        """Upload one after the other; the last one is finished after the end, as slowly as the others."""
        while time.perf_counter() < end:
            await self.submit(LARGE_SIZE, seconds=self._chance.uniform(20, 40))

    async def _watch(self) -> None:
        while True:
            self.memory.append(self.memory_now())
            await asyncio.sleep(0.2)

    def memory_now(self) -> int:
        """Return the bytes of the server in RAM, without the processor's."""
        return Use.of(self._serving.process.pid).memory

    async def missing(self, within: float) -> list[str]:
        """Wait until every promised crash is on its page, at most ``within`` seconds; return those that are not."""
        waiting, end = list(self.promised), time.perf_counter() + within
        while waiting and time.perf_counter() < end:
            crash_id = waiting[-1]
            answer = await self.client.get(f"/report/{crash_id}.json")
            if answer.status == 200 and b'"signature"' in answer.body:
                waiting.pop()
            else:
                await asyncio.sleep(0.2)
        return waiting


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the pages of socorro serve with many crashes.")
    parser.add_argument("--crashes", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60, help="of the load (default: 60)")
    parser.add_argument("--directory", type=Path, help="keep the installation here, and use one that is there")
    arguments = parser.parse_args()
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="serve-benchmark-"))
    try:
        return asyncio.run(measure(directory, arguments.crashes, arguments.seconds))
    finally:
        if not arguments.directory:
            shutil.rmtree(directory)


async def measure(directory: Path, crashes: int, seconds: float) -> int:
    index = directory / "socorro-data" / "crashes" / "search"
    if not (index / "current").exists():
        index.mkdir(parents=True, exist_ok=True)
        fill(index, crashes)
    with closing(SQLiteCrashIndex(index, FieldTable())) as search:
        top = search.top(_LAST - timedelta(days=6), _LAST, limit=1000).signatures
    chance = random.Random(20)
    addresses = Addresses([each.signature for each in top if each.signature], chance)
    figures: dict[str, Any] = {"crashes": crashes}
    problems: list[str] = []
    with closing(Serving(directory)) as serving:
        serving.start()
        load = Load(serving, addresses, chance)
        first = await load.client.get(f"/?{_DAYS}")
        figures["first_load"] = round(first.seconds, 3)
        print(f"first load after the start: {first.seconds * 1000:.0f} ms, {first.status}")
        if first.status != 200 or first.seconds > FIRST_BAR:
            problems.append("the first load")
        await load.submit(SMALL_SIZE)
        addresses.crash_ids = list(load.promised)
        problems += [f"{each} is not processed" for each in await load.missing(60)]
        figures["pages"] = await _load_each(load, crashes, problems)
        figures["memory_after_pages"] = load.memory_now()
        print(f"memory after that: {load.memory_now() / 1e6:.0f} MB")
        if load.memory_now() > MEMORY_BAR:
            problems.append("memory after the pages")
        if seconds:
            await load.run(seconds)
            figures["load"] = await _report_load(load, problems)
        serving.stop()
    if crashes == 100_000 and seconds:
        record("serve", figures)
    print(f"\nnot reached: {'; '.join(problems)}" if problems else "\nall bars reached")
    return 1 if problems else 0


async def _load_each(load: Load, crashes: int, problems: list[str]) -> dict[str, Any]:
    """Load each page some times, one after the other, while crashes come; return the times."""
    figures = {}
    coming = asyncio.create_task(_keep_submitting(load))
    print(f"\n{'page':<34}{'median ms':>10}{'95 of 100':>10}{'worst':>8}{'kB':>7}")
    for name, pages in load.addresses.kinds().items():
        answers = [await load.client.get(pages[number % len(pages)]) for number in range(LOADS)]
        times = sorted(each.seconds for each in answers)
        p95 = times[int(len(times) * 0.95)]
        statuses = {each.status for each in answers}
        print(
            f"{name:<34}{statistics.median(times) * 1000:>10.0f}{p95 * 1000:>10.0f}{times[-1] * 1000:>8.0f}"
            f"{len(answers[-1].body) / 1000:>7.0f}{'' if statuses == {200} else f'  {statuses}'}"
        )
        figures[name] = {"median": round(statistics.median(times), 4), "p95": round(p95, 4)}
        is_large_search = crashes > 100_000 and name.startswith("/search")
        if p95 > (SEARCH_BAR if is_large_search else PAGE_BAR) or statuses != {200}:
            problems.append(name)
    coming.cancel()
    return figures


async def _keep_submitting(load: Load) -> None:
    while True:
        await load.submit(SMALL_SIZE)
        await asyncio.sleep(0.2)


async def _report_load(load: Load, problems: list[str]) -> dict[str, Any]:
    statuses = Counter(each.status for each in (*load.pages, *load.submissions))
    times = sorted(each.seconds for each in load.pages)
    busy = statuses[503] / statuses.total()
    bad = sorted(status for status in statuses if status == 0 or (status >= 500 and status != 503))
    refused = sum(1 for each in load.submissions if each.status == 503)
    begun = time.perf_counter()
    missing = await load.missing(PROMISE_BAR)
    figures = {
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "page_median": round(statistics.median(times), 3),
        "page_p95": round(times[int(len(times) * 0.95)], 3),
        "promised": len(load.promised),
        "all_shown_after": round(time.perf_counter() - begun, 1),
        "memory_first": load.memory[0],
        "memory_most": max(load.memory),
        "memory_after": load.memory_now(),
    }
    print(f"\nunder load: {json.dumps(figures, indent=1)}")
    for is_bad, words in (
        (busy > BUSY_BAR, f"{busy:.1%} are 503"),
        (bad, f"answers {bad}"),
        (refused, f"{refused} crashes were refused"),
        (missing, f"{len(missing)} promised crashes are not shown"),
        (max(load.memory) > MEMORY_BAR, "memory"),
    ):
        if is_bad:
            problems.append(words)
    return figures


if __name__ == "__main__":
    sys.exit(main())
