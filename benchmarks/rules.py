"""Measure the rules, all of them with signature generation, but without the stackwalker.

    python -m benchmarks.rules [DIRECTORY_OF_CRASHES [SYMBOLS]]

Each crash below the directory (``<name>/upload_file_minidump.dmp``, where there is one with its
``raw_crash.json``) is walked once; then the rules of 2015 and those of 2026 run over it several times, in turn, and
their CPU time is measured. The second table shows how the cost grows with the number of frames: its last column should
stay about the same.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.crashes import add_crashes, crashes_of
from benchmarks.results import record
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.pipeline import algorithm_2026, mozilla_2015
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.pipeline.rule_sets import rule_sets_converter
from socorro_processor.serialization import decode
from socorro_processor.stackwalk.stackwalker import find_stackwalker

RUNS = 15
BAR = 0.005
"""Seconds of CPU that all rules may take for a crash (median over the crashes)."""
RATIO_BAR = 1.5
"""CPU time of the rules of 2026, in that of the rules of 2015 (median over the crashes)."""

ALGORITHMS: dict[int, tuple[type[ProcessorPipeline], list[list[str]]]] = {
    2015: (mozilla_2015.MozillaProcessorAlgorithm2015, mozilla_2015.RULE_SETS),
    2026: (algorithm_2026.ProcessorAlgorithm2026, algorithm_2026.RULE_SETS),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the rules cost, without the stackwalker.")
    add_crashes(parser)
    arguments = parser.parse_args()
    rules = {year: all_rules(year) for year in ALGORITHMS}
    dumps, symbols = crashes_of(parser, arguments)

    print(f"{'crash':<30}{'frames':>8}{'2015':>9}{'2026':>12}{'ratio':>9}  slowest rule of 2026")
    figures: dict[str, Any] = {"crashes": {}, "frames": {}}
    for dump in dumps:
        raw_crash_file = dump.with_name("raw_crash.json")
        raw_crash = decode(raw_crash_file.read_bytes()) if raw_crash_file.exists() else {}
        json_dump = walk(dump, symbols)
        totals, by_rule = measure(rules, raw_crash, json_dump)
        figures["crashes"][dump.parent.name] = totals
        slowest = max(by_rule[2026], key=by_rule[2026].__getitem__)
        frames = sum(len(thread["frames"]) for thread in json_dump["threads"])
        times = f"{totals[2015] * 1e3:>6.2f} ms{totals[2026] * 1e3:>9.2f} ms{totals[2026] / totals[2015]:>9.2f}"
        print(f"{dump.parent.name:<30}{frames:>8}{times}  {slowest}, {by_rule[2026][slowest] * 1e3:.2f} ms")
    medians = {year: statistics.median(totals[year] for totals in figures["crashes"].values()) for year in ALGORITHMS}
    ratio = statistics.median(totals[2026] / totals[2015] for totals in figures["crashes"].values())
    for year, median in medians.items():
        print(f"{year}: median {median * 1e3:.2f} ms of CPU a crash; at most {BAR * 1e3:.0f} ms are allowed")
    print(f"median ratio {ratio:.2f}; at most {RATIO_BAR:g} is allowed\n")

    print(f"{'frames in the crashing thread':<30}{'2015':>9}{'a frame':>12}{'2026':>12}{'a frame':>12}")
    for frames in (10, 100, 1_000, 10_000):
        totals, _ = measure(rules, {}, synthetic_dump(frames))
        figures["frames"][frames] = totals
        columns = (f"{total * 1e3:>9.2f} ms{total / frames * 1e6:>9.2f} us" for total in totals.values())
        print(f"{frames:<27}{''.join(columns)}")
    record("rules", figures)
    return 0 if max(medians.values()) <= BAR and ratio <= RATIO_BAR else 1


def all_rules(year: int) -> list[Rule]:
    """Return the rules of an algorithm's default rule sets, in order, without the one that runs the stackwalker."""
    algorithm, default_sets = ALGORITHMS[year]
    config = defaults(algorithm)
    rule_sets = rule_sets_converter(default_sets)(str([name for name, *_ in default_sets]).replace("'", '"'))
    rules = [rule for rule_set in rule_sets.rule_sets for rule in rule_set.build(config).rules]
    return [rule for rule in rules if rule.name != "BreakpadStackwalkerRule2015"]


def walk(dump: Path, symbols: Path) -> dict[str, Any]:
    """Return the stackwalker's JSON."""
    command = [str(find_stackwalker()), "--json", "--symbols-path", str(symbols), str(dump)]
    json_dump: dict[str, Any] = decode(subprocess.run(command, capture_output=True, check=True).stdout)
    return json_dump


def measure(
    rules: dict[int, list[Rule]], raw_crash: dict[str, Any], json_dump: dict[str, Any]
) -> tuple[dict[int, float], dict[int, dict[str, float]]]:
    """Return CPU seconds of all rules of each algorithm, and of each rule (medians over RUNS)."""
    totals: defaultdict[int, list[float]] = defaultdict(list)
    by_rule: dict[int, defaultdict[str, list[float]]] = {year: defaultdict(list) for year in rules}
    for _ in range(RUNS):
        for year in rules:
            crash_id = new_crash_id()
            crash = Crash(crash_id, {**copy.deepcopy(raw_crash), "uuid": crash_id})
            crash.processed.update(
                json_dump=copy.deepcopy(json_dump),
                mdsw_status_string="OK",
                success=True,
                signature="",
                additional_minidumps=[],
                processing={"missing_symbols": []},
            )
            begun = time.process_time()
            for rule in rules[year]:
                before = time.process_time()
                rule.act(crash)
                by_rule[year][rule.name].append(time.process_time() - before)
            totals[year].append(time.process_time() - begun)
    return (
        {year: statistics.median(times) for year, times in totals.items()},
        {year: {name: statistics.median(times) for name, times in rules.items()} for year, rules in by_rule.items()},
    )


def synthetic_dump(frames: int) -> dict[str, Any]:
    """Return a crash with that many frames, all of them prefixes."""
    function = "std::map<std::string, std::vector<lightbox::Photo>>::operator[](std::string const&)"
    stack = [
        {"frame": number, "function": f"{function} {number}", "module": "lightbox", "offset": hex(number)}
        for number in range(frames)
    ]
    return {
        "status": "OK",
        "crash_info": {"crashing_thread": 0, "type": "SIGSEGV", "address": "0x0"},
        "system_info": {"os": "Linux", "os_ver": "6.1", "cpu_arch": "amd64", "cpu_info": "", "cpu_count": 2},
        "crashing_thread": {"threads_index": 0, "frames": stack},
        "threads": [{"frames": stack}],
        "modules": [],
    }


if __name__ == "__main__":
    sys.exit(main())
