"""What the rules cost, all of them with signature generation, but without the stackwalker.

    python -m benchmarks.rules [DIRECTORY_OF_CRASHES [SYMBOLS]]

Each crash below the directory (``<name>/upload_file_minidump.dmp``, where there is one with its
``raw_crash.json``) is walked once; then the rules run over it several times, and their CPU time is
measured. The second table shows how the cost grows with the number of frames: its last column should
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
from socorro_processor.pipeline.mozilla_2015 import RULE_SETS, MozillaProcessorAlgorithm2015
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.pipeline.rule_sets import rule_sets_converter
from socorro_processor.serialization import decode
from socorro_processor.stackwalk.stackwalker import find_stackwalker

RUNS = 15
BAR = 0.005
"""Seconds of CPU that all rules may take for a crash (median over the crashes)."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the rules cost, without the stackwalker.")
    add_crashes(parser)
    arguments = parser.parse_args()
    rules = all_rules()
    dumps, symbols = crashes_of(parser, arguments)

    print(f"{'crash':<30}{'frames':>8}{'all rules':>12}  slowest rule")
    figures: dict[str, Any] = {"crashes": {}, "frames": {}}
    for dump in dumps:
        raw_crash_file = dump.with_name("raw_crash.json")
        raw_crash = decode(raw_crash_file.read_bytes()) if raw_crash_file.exists() else {}
        json_dump = walk(dump, symbols)
        total, by_rule = measure(rules, raw_crash, json_dump)
        figures["crashes"][dump.parent.name] = total
        slowest = max(by_rule, key=lambda name: by_rule[name])
        frames = sum(len(thread["frames"]) for thread in json_dump["threads"])
        print(f"{dump.parent.name:<30}{frames:>8}{total * 1e3:>9.2f} ms  {slowest}, {by_rule[slowest] * 1e3:.2f} ms")
    median = statistics.median(figures["crashes"].values())
    print(f"median {median * 1e3:.2f} ms of CPU a crash; at most {BAR * 1e3:.0f} ms are allowed\n")

    print(f"{'frames in the crashing thread':<30}{'all rules':>12}{'a frame':>12}")
    for frames in (10, 100, 1_000, 10_000):
        total, _ = measure(rules, {}, synthetic_dump(frames))
        figures["frames"][frames] = total
        print(f"{frames:<30}{total * 1e3:>9.2f} ms{total / frames * 1e6:>9.2f} us")
    record("rules", figures)
    return 0 if median <= BAR else 1


def all_rules() -> list[Rule]:
    """Every rule of the default rule sets, in order, but the one that runs the stackwalker."""
    config = defaults(MozillaProcessorAlgorithm2015)
    rule_sets = rule_sets_converter(RULE_SETS)(str([name for name, *_ in RULE_SETS]).replace("'", '"'))
    rules = [rule for rule_set in rule_sets.rule_sets for rule in rule_set.build(config).rules]
    return [rule for rule in rules if rule.name != "BreakpadStackwalkerRule2015"]


def walk(dump: Path, symbols: Path) -> dict[str, Any]:
    """The stackwalker's JSON."""
    command = [str(find_stackwalker()), "--json", "--symbols-path", str(symbols), str(dump)]
    json_dump: dict[str, Any] = decode(subprocess.run(command, capture_output=True, check=True).stdout)
    return json_dump


def measure(rules: list[Rule], raw_crash: dict[str, Any], json_dump: dict[str, Any]) -> tuple[float, dict[str, float]]:
    """CPU seconds of all rules, and of each (medians over RUNS)."""
    totals: list[float] = []
    by_rule: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(RUNS):
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
        for rule in rules:
            before = time.process_time()
            rule.act(crash)
            by_rule[rule.name].append(time.process_time() - before)
        totals.append(time.process_time() - begun)
    return statistics.median(totals), {name: statistics.median(times) for name, times in by_rule.items()}


def synthetic_dump(frames: int) -> dict[str, Any]:
    """A crash with that many frames, each of which the signature keeps looking past."""
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
