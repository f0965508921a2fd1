"""Compare the ways in which socorro-stackwalk walks a dump: the crates' (--reference), its own, and with indexes.

    python -m tests.equality.walks [--number N] [--seed SEED] [--processes P] [--stock PROGRAM] STACKWALKER

walks N random crashes in each way, and prints each output that differs from the reference. Crashes that differ
are kept, and ``--seed SEED --number 1`` makes one again.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from socorro_processor.stackwalk.comparison import OWN_KEY, first_difference
from tests.equality.random_crashes import random_crash

MEMORY = 1 << 29
"""Bytes of address space: if STACK CFI records form a loop, the crates collect frames without end."""
CPU_SECONDS = 60
HANG = 600
"""Seconds by the clock after which a program that uses no CPU time counts as waiting for ever."""

FRAMES = 500
"""The most frames of a thread that are printed; of a longer stack, the first and the last half."""
EARLIER = ("reference", "own", "stock")
"""Ways to walk while there are no indexes."""
PAIRS_AT_ONCE = 40
PROGRESS = 10
"""Seconds between two lines of progress, if the output is not a terminal."""


@dataclass(frozen=True)
class Programs:
    stackwalker: str
    stock: str | None = None

    def ways(self) -> list[str]:
        """Return the ways to walk, which depend on the stackwalker's abilities."""
        ways = ["reference", "own"]
        if self.stock:
            ways.append("stock")
        printed = subprocess.run([self.stackwalker, "index", "--help"], capture_output=True, text=True, check=False)
        if re.search(r"\bindex\b", printed.stdout):
            ways.append("indexed")
        return ways

    def command(self, way: str, pair: Pair) -> list[str]:
        symbols = ["--symbols-path", str(pair.symbols)]
        if way == "stock":
            assert self.stock
            return [self.stock, "--json", "--no-interactive", "--no-color", *symbols, str(pair.dump)]
        return [self.stackwalker, *(["--reference"] if way == "reference" else []), *symbols, str(pair.dump)]


@dataclass(frozen=True)
class Pair:
    name: str
    dump: Path
    symbols: Path
    """A store of symbol files. Its indexes, if any, are beside it."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code, or the negative number of a signal, and what it printed."""

    code: int
    output: bytes
    errors: bytes

    @property
    def is_unfinished(self) -> bool:
        """Return True if it reached a limit, or ended by its own fault."""
        return self.code not in (0, 1)

    @property
    def failure(self) -> str:
        name = re.search(rb"ERROR (\w+)", self.errors)
        return f"exit code {self.code}, {name[1].decode() if name else self.errors[-200:]!r}"


@dataclass(frozen=True)
class Comparison:
    pair: Pair
    result: str
    """``same``; ``refused``, where no way could read the dump; ``unfinished``, where the reference came to no end, and
    so there is nothing to compare; ``different``."""
    differences: dict[str, str]
    """The differences of each way that differs."""
    said: dict[str, Any] | None
    """The output of the reference."""
    uses: dict[str, Counter[str]]
    """The number of uses of symbol files by way and kind, as the stackwalker reports: ``index``, ``whole``."""


def compare(programs: Programs, pairs: Sequence[Pair], ways: Sequence[str]) -> list[Comparison]:
    """Walk each pair in each of the ways, and compare with the first way, which is the reference.

    The indexes are made in between, all at once: beside each store, where none may be before.
    """
    ended = {(pair, way): run(programs.command(way, pair)) for pair in pairs for way in ways if way in EARLIER}
    later = [way for way in ways if way not in EARLIER]
    faults = index(programs, pairs) if later else {}
    ended |= {(pair, way): run(programs.command(way, pair)) for pair in pairs for way in later}
    return [_comparison(pair, {way: ended[pair, way] for way in ways}, faults.get(pair.symbols)) for pair in pairs]


def index(programs: Programs, pairs: Sequence[Pair]) -> dict[Path, Ended]:
    """Make the indexes of all symbol files of the pairs. Return the failures of the indexer by store."""
    stores = {pair.symbols: [str(path) for path in pair.symbols.glob("*/*/*.sym") if path.is_file()] for pair in pairs}
    made = run([programs.stackwalker, "index", *(file for files in stores.values() for file in files)])
    if not made.is_unfinished:
        return {}
    faults = {store: run([programs.stackwalker, "index", *files]) for store, files in stores.items() if files}
    return {store: fault for store, fault in faults.items() if fault.is_unfinished}


def run(command: list[str]) -> Ended:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with suppress(ProcessLookupError):
            for limit, most in (
                (resource.RLIMIT_AS, MEMORY),
                (resource.RLIMIT_CPU, CPU_SECONDS),
                (resource.RLIMIT_CORE, 0),
            ):
                resource.prlimit(process.pid, limit, (most, most))
        try:
            output, errors = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
            errors += b"\nERROR hangs"
    return Ended(process.returncode, output, errors)


def _comparison(pair: Pair, ended: dict[str, Ended], indexing: Ended | None) -> Comparison:
    (first, reference), *others = ended.items()
    said = {way: _decoded(one) for way, one in ended.items()}
    expected = comparable(said[first])
    differences = {}
    for way, other in others:
        difference = _difference(reference, other, expected, comparable(said[way]))
        if difference and _bounded(said[way]):
            # The reference has no bounds; beyond them, the own ways must agree with each other.
            difference = _difference(ended["own"], other, comparable(said["own"]), comparable(said[way]))
        # The stock program has no limits: it ends where the reference does, or sooner.
        if difference and not (way == "stock" and other.code < 0):
            differences[way] = difference
    if indexing:
        differences["index"] = indexing.failure
    result = "same" if reference.code == 0 else "unfinished" if reference.is_unfinished else "refused"
    uses = {way: Counter(_uses(value)) for way, value in said.items()}
    return Comparison(pair, "different" if differences else result, differences, said[first], uses)


def _decoded(ended: Ended) -> Any:
    """Return the output as JSON; None if it is not JSON."""
    with suppress(ValueError):
        return json.loads(ended.output) if ended.code == 0 else None
    return None


def _bounded(said: Any) -> bool:
    return bool((said or {}).get(OWN_KEY, {}).get("bounded"))


def _uses(said: Any) -> list[str]:
    return [use["used"] for use in (said or {}).get(OWN_KEY, {}).get("symbols", {}).values()]


def _difference(reference: Ended, other: Ended, expected: Any, got: Any) -> str | None:
    if reference.is_unfinished:
        # A panic ends a walk, not the program.
        is_well = other.code in (0, 1) or other.code == reference.code > 0
        return None if is_well else f"{other.failure}, where the reference has {reference.failure}"
    if reference.code or other.code:
        if (reference.code, reference.failure) == (other.code, other.failure):
            return None
        return f"{other.failure}, where the reference has {reference.failure}"
    if got is None:
        return "not JSON"
    return None if _text(expected) == _text(got) else first_difference(expected, got)


def _text(value: Any) -> str:
    # To Python 1, 1.0 and True are equal.
    return json.dumps(value, sort_keys=True)


def comparable(said: Any) -> Any:
    """Return a stackwalker's output without the parts that may differ.

    The limits of the crashed process come in another order each time, and only our own program cuts long stacks and
    has a key of its own.
    """
    if not isinstance(said, dict):
        return said
    said = {key: value for key, value in said.items() if key != OWN_KEY}
    if said.get("proc_limits"):
        limits = sorted(said["proc_limits"]["limits"], key=lambda limit: limit["name"])
        said["proc_limits"] = said["proc_limits"] | {"limits": limits}
    if said.get("crashing_thread"):
        said["crashing_thread"] = _cut(said["crashing_thread"])
    return said | {"threads": [_cut(thread) for thread in said["threads"]]}


def _cut(thread: dict[str, Any]) -> dict[str, Any]:
    """Cut a stack of more than ``FRAMES`` frames in the middle."""
    frames = thread["frames"]
    if len(frames) <= FRAMES or thread.get("truncated"):
        return thread
    gap = {"truncated": {"msg": f"{len(frames) - FRAMES:,} frames truncated"}}
    half = FRAMES // 2
    return thread | {"frames": [*frames[:half], gap, *frames[-half:]], "truncated": True}


def reached(said: dict[str, Any]) -> Counter[str]:
    """Count the contents of a crash: the more of each, the more a comparison is worth.

    Of frames in the same place, as deep stacks have them, one counts.
    """
    counts: Counter[str] = Counter()
    places = set()
    for thread in said["threads"]:
        counts["threads"] += 1
        counts["threads of over 100 frames"] += len(thread["frames"]) > 100
        counts[f"threads of over {FRAMES} frames"] += len(thread["frames"]) > FRAMES
        for frame in thread["frames"]:
            place = (frame["trust"], frame["offset"])
            if place in places:
                continue
            places.add(place)
            counts["frames"] += 1
            counts["frames with a module"] += bool(frame["module"])
            counts["frames with unloaded modules"] += bool(frame["unloaded_modules"])
            counts["frames with a function"] += frame["function"] is not None
            counts["frames with a file"] += frame["file"] is not None
            counts["frames with inlines"] += bool(frame["inlines"])
            counts["frames with two or more inlines"] += len(frame["inlines"] or ()) > 1
            counts[f"frames by {frame['trust']}"] += 1
    for module in said["modules"]:
        counts["modules"] += 1
        counts["modules with symbols"] += module["loaded_symbols"]
        counts["modules with corrupt symbols"] += module["corrupt_symbols"]
        counts["modules without symbols"] += module["missing_symbols"]
        counts["modules with a symbol URL"] += module["symbol_url"] is not None
    return counts


@dataclass(frozen=True)
class Job:
    programs: Programs
    ways: list[str]
    seeds: Sequence[int]
    keep: Path


@dataclass
class Findings:
    """The result of many comparisons."""

    results: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    uses: dict[str, Counter[str]] = field(default_factory=dict)
    differences: dict[int, dict[str, str]] = field(default_factory=dict)
    """Differences by seed and way."""

    def add(self, other: Findings) -> None:
        self.results += other.results
        self.reached += other.reached
        for way, uses in other.uses.items():
            self.uses[way] = self.uses.get(way, Counter()) + uses
        self.differences |= other.differences


def compare_random(job: Job) -> Findings:
    """Compare random crashes; keep those that are walked differently."""
    findings = Findings()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        pairs = random_pairs(job.seeds, Path(directory))
        for comparison in compare(job.programs, pairs, job.ways):
            seed = int(comparison.pair.name)
            differences = {seed: comparison.differences} if comparison.differences else {}
            reach = reached(comparison.said) if comparison.said else Counter()
            findings.add(Findings(Counter([comparison.result]), reach, comparison.uses, differences))
            if differences:
                _keep(comparison, job.keep / str(seed))
    return findings


def random_pairs(seeds: Sequence[int], directory: Path) -> list[Pair]:
    pairs = []
    for seed in seeds:
        place = directory / str(seed)
        place.mkdir()
        random_crash(Random(seed)).write(place)
        pairs.append(Pair(str(seed), place / "dump", place / "symbols"))
    return pairs


def _keep(comparison: Comparison, directory: Path) -> None:
    for path in comparison.pair.symbols.glob("*/*/*.sym"):
        if path.is_file():
            path.chmod(0o644)
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(comparison.pair.dump.parent, directory, symlinks=True)
    (directory / "differences").write_text("".join(f"{way}: {how}\n" for way, how in comparison.differences.items()))


def _batches(first: int, number: int) -> Iterator[range]:
    for start in range(first, first + number, PAIRS_AT_ONCE):
        yield range(start, min(start + PAIRS_AT_ONCE, first + number))


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare random walks of socorro-stackwalk with those of --reference.")
    parser.add_argument("stackwalker", help="the program, such as stackwalker/target/release/socorro-stackwalk")
    parser.add_argument("--number", type=int, default=20_000, help="of crashes (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first crash; each has the next (default: %(default)s)"
    )
    parser.add_argument("--processes", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--stock", metavar="PROGRAM", help="a minidump-stackwalk 0.27.0 to compare with, too")
    kept = Path(tempfile.gettempdir(), "different-walks")
    parser.add_argument("--keep", type=Path, default=kept, help="where what differs is kept (default: %(default)s)")
    arguments = parser.parse_args()
    programs = Programs(arguments.stackwalker, arguments.stock)
    try:
        ways = programs.ways()
    except OSError as error:
        parser.error(f"cannot start {arguments.stackwalker}: {error.strerror}")
    print(f"ways: {', '.join(ways)}{'' if 'indexed' in ways else ' (the program makes no indexes)'}", flush=True)
    jobs = [Job(programs, ways, seeds, arguments.keep) for seeds in _batches(arguments.seed, max(arguments.number, 1))]
    return int(_compare_all(jobs, arguments.processes))


def _compare_all(jobs: list[Job], processes: int) -> bool:
    """Compare, and print the result. Return True if there was a difference."""
    findings = Findings()
    number = sum(len(job.seeds) for job in jobs)
    begun = printed = time.monotonic()
    at_terminal = sys.stderr.isatty()
    with ProcessPoolExecutor(processes, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_DFL)) as pool:
        for job, of_job in zip(jobs, pool.map(compare_random, jobs), strict=True):
            findings.add(of_job)
            for seed, ways in of_job.differences.items():
                for way, how in ways.items():
                    print(f"seed {seed}, {way}: {how}; kept in {job.keep / str(seed)}", flush=True)
            if at_terminal or time.monotonic() - printed > PROGRESS:
                printed = time.monotonic()
                done = sum(findings.results.values())
                line = f"{done:,} of {number:,} crashes, {done / (printed - begun):.0f} a second"
                line += f", {len(findings.differences)} different"
                print(line, end="\r" if at_terminal else "\n", file=sys.stderr, flush=True)
    print(f"{number:,} crashes in {time.monotonic() - begun:.0f} s: {_counted(findings.results)}")
    for what, many in sorted(findings.reached.items()):
        print(f"  {what:34} {many:10,} {100 * many / findings.reached[what.split()[0]]:6.1f} %")
    for way, uses in findings.uses.items():
        if uses:
            print(f"symbol files, {way}: {_counted(uses)}")
    return bool(findings.differences)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{many:,} {of}" for of, many in counts.most_common())


if __name__ == "__main__":
    sys.exit(main())
