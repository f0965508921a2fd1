"""Measure the rules, all of them with signature generation, but without the stackwalker.

    python -m benchmarks.rules [DIRECTORY_OF_CRASHES [SYMBOLS]]

Each crash below the directory (``<name>/upload_file_minidump.dmp``, where there is one with its
``raw_crash.json``) is walked once; then the rules of 2015 and those of 2026 run over all crashes many times, in turn,
in one thread. The CPU time of a pass is measured from outside: no clock is read between two rules, and no garbage is
collected. The ratio is measured once more with the cache of normal forms emptied before each pass, as for the first
crash of a processor.

The second table shows, from passes of their own, the rules that cost most; the clock around each rule is part of its
time. The third one shows how the cost grows with the number of frames: its columns by frame should stay about the same.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
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
from socorro_processor.serialization import decode, encode
from socorro_processor.signature.normal_form.function import forget_normal_forms
from socorro_processor.stackwalk.stackwalker import find_stackwalker

RUNS = 51
BAR = 0.005
"""Seconds of CPU that all rules may take for a crash (median over the crashes)."""
RATIO_BAR = 1.5
"""CPU time of the rules of 2026, in that of the rules of 2015 (median over the crashes)."""
RULES_SHOWN = 10

ALGORITHMS: dict[str, tuple[type[ProcessorPipeline], list[list[str]]]] = {
    "2015": (mozilla_2015.MozillaProcessorAlgorithm2015, mozilla_2015.RULE_SETS),
    "2026": (algorithm_2026.ProcessorAlgorithm2026, algorithm_2026.RULE_SETS),
}
Walks = Mapping[str, tuple[bytes, bytes]]
"""Raw crash and the stackwalker's JSON, by the name of the crash."""
Costs = Mapping[str, Mapping[str, float]]
"""Seconds of CPU by the name of the crash, then by algorithm."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the rules cost, without the stackwalker.")
    add_crashes(parser)
    arguments = parser.parse_args()
    rules = {year: all_rules(year) for year in ALGORITHMS}
    walks, frames = {}, {}
    dumps, symbols = crashes_of(parser, arguments)
    for dump in dumps:
        name, raw_crash = dump.parent.name, dump.with_name("raw_crash.json")
        json_dump = walk(dump, symbols)
        walks[name] = raw_crash.read_bytes() if raw_crash.exists() else b"{}", encode(json_dump)
        frames[name] = sum(len(thread["frames"]) for thread in json_dump["threads"])

    warm, cold = measure(rules, walks), measure(rules, walks, is_cold=True)
    print(f"{'':<38}{'cache of normal forms':>34}{'empty cache':>34}")
    print(f"{'crash':<30}{'frames':>8}" + f"{'2015':>13}{'2026':>13}{'ratio':>8}" * 2)
    for name in walks:
        columns = (f"{_ms(each['2015'])}{_ms(each['2026'])}{_ratio(each):>8.2f}" for each in (warm[name], cold[name]))
        print(f"{name:<30}{frames[name]:>8}{''.join(columns)}")
    medians = {year: statistics.median(costs[year] for costs in warm.values()) for year in ALGORITHMS}
    for year, median in medians.items():
        print(f"{year}: median {median * 1e3:.2f} ms of CPU a crash; at most {BAR * 1e3:.0f} ms are allowed")
    ratio, cold_ratio = (statistics.median(map(_ratio, costs.values())) for costs in (warm, cold))
    print(f"median ratio {ratio:.2f}; at most {RATIO_BAR:g} is allowed; {cold_ratio:.2f} with an empty cache\n")

    by_rule = measure_rules(rules, walks)
    for year in ALGORITHMS:
        print_rules(year, by_rule[year])

    deep = {str(frames): (b"{}", encode(synthetic_dump(frames))) for frames in (10, 100, 1_000, 10_000)}
    by_frames = measure(rules, deep)
    print(f"{'frames in the crashing thread':<30}" + "".join(f"{year:>13}{'a frame':>14}" for year in ALGORITHMS))
    for number, costs in by_frames.items():
        columns = (f"{_ms(seconds)}{seconds / int(number) * 1e6:>11.2f} us" for seconds in costs.values())
        print(f"{number:<30}{''.join(columns)}")
    record("rules", {"crashes": warm, "empty_cache": cold, "rules": by_rule, "frames": by_frames})
    return 0 if max(medians.values()) <= BAR and ratio <= RATIO_BAR else 1


def print_rules(year: str, rules: Costs) -> None:
    """Print the rules of an algorithm that cost most: median over the crashes, and the crash where it is most."""
    medians = {name: statistics.median(costs.values()) for name, costs in rules.items()}
    print(f"{'rules of ' + year:<38}{'median':>14}{'most':>14}")
    for name in sorted(medians, key=medians.__getitem__, reverse=True)[:RULES_SHOWN]:
        print(f"{name:<38}{medians[name] * 1e6:>11.1f} us{max(rules[name].values()) * 1e6:>11.1f} us")
    print(f"{f'all {len(medians)}, each with its clock':<38}{sum(medians.values()) * 1e6:>11.1f} us\n")


def all_rules(year: str) -> list[Rule]:
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


def measure(rules: Mapping[str, list[Rule]], walks: Walks, *, is_cold: bool = False) -> Costs:
    """Return what a pass of each algorithm's rules costs for each crash (medians over RUNS).

    With ``is_cold`` the cache of normal forms is emptied before each pass.
    """
    times: dict[str, defaultdict[str, list[float]]] = {name: defaultdict(list) for name in walks}
    for name, year, crash in passes(walks):
        acts = [rule.act for rule in rules[year]]
        if is_cold:
            forget_normal_forms()
        begun = time.thread_time()
        for act in acts:
            act(crash)
        times[name][year].append(time.thread_time() - begun)
    return {name: {year: statistics.median(each[year]) for year in rules} for name, each in times.items()}


def measure_rules(rules: Mapping[str, list[Rule]], walks: Walks) -> dict[str, Costs]:
    """Return, by algorithm and rule, what the rule and the clock around it cost for each crash (medians over RUNS)."""
    times: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for name, year, crash in passes(walks):
        for rule in rules[year]:
            begun = time.thread_time()
            rule.act(crash)
            times[year, rule.name, name].append(time.thread_time() - begun)
    return {
        year: {
            rule.name: {name: statistics.median(times[year, rule.name, name]) for name in walks} for rule in rules[year]
        }
        for year in rules
    }


def passes(walks: Walks) -> Iterator[tuple[str, str, Crash]]:
    """Yield the name of a crash, an algorithm, and the crash as it is once the stackwalker has run; RUNS of each.

    A burst of other work on the machine meets all crashes and both algorithms, none of which is always the first. No
    garbage is collected meanwhile: a collection would count for the pass in which it happens to begin.
    """
    gc.collect()
    gc.disable()
    try:
        for run in range(RUNS):
            for name, (raw_crash, json_dump) in walks.items():
                for year in sorted(ALGORITHMS, reverse=run % 2 == 1):
                    yield name, year, walked_crash(raw_crash, json_dump)
    finally:
        gc.enable()


def walked_crash(raw_crash: bytes, json_dump: bytes) -> Crash:
    """Return a crash as it is once the stackwalker has run."""
    crash_id = new_crash_id()
    crash = Crash(crash_id, {**decode(raw_crash), "uuid": crash_id})
    crash.processed.update(
        json_dump=decode(json_dump),
        mdsw_status_string="OK",
        success=True,
        signature="",
        additional_minidumps=[],
        processing={"missing_symbols": []},
    )
    return crash


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:>10.3f} ms"


def _ratio(costs: Mapping[str, float]) -> float:
    return costs["2026"] / costs["2015"]


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
