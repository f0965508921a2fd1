"""Run the fuzzer (libFuzzer, by atheris) in this process for a given time.

    python -m tests.fuzz.guided CORPUS FINDINGS SECONDS

An input is a byte that chooses the target, and the target's bytes. One finding is kept for each place in the code. A
hang or a crash of the interpreter ends the process; the input is still kept.
"""

from __future__ import annotations

import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["socorro_processor.collector", "socorro_processor.symbols", "socorro_processor.signature.normal_form"]
):
    from tests.fuzz.targets import MAXIMUM_INPUT, TARGETS, seeds

MAXIMUM_MEMORY = 200 << 20
"""The most bytes of memory that one input may cost."""
MAXIMUM_SECONDS = 120
"""Seconds by the clock, which runs while others have the core: a second is quick."""
_PAGE = resource.getpagesize()


class TooMuchMemory(Exception):
    """An input that costs more than it may."""


class Fuzzed:
    """Gives inputs to their targets, and keeps those that find something."""

    def __init__(self, findings: Path) -> None:
        self._findings = findings
        self._peak = _peak()

    def __call__(self, data: bytes) -> None:
        if not data:
            return
        target = TARGETS[data[0] % len(TARGETS)]
        before = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
        try:
            target(data[1:])
            peak = _peak()
            if peak > self._peak:
                self._peak = peak
                if peak - before > MAXIMUM_MEMORY:
                    raise TooMuchMemory(f"{(peak - before) >> 20} MB")
        except Exception as error:
            self._keep(target, data, error)

    def _keep(self, target: Callable[[bytes], None], data: bytes, error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        name = f"{target.__name__}-{type(error).__name__}-{Path(last.filename).name}-{last.lineno}"
        file = self._findings / name
        if not file.exists():
            file.write_bytes(data)
            file.with_name(f"{name}.txt").write_text("".join(traceback.format_exception(error)))
            print(f"found: {name}: {error}", file=sys.stderr, flush=True)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    corpus, findings, seconds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    for number, (target, data) in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(bytes([TARGETS.index(target)]) + data)
    options = {
        "max_total_time": seconds,
        "max_len": MAXIMUM_INPUT,
        "timeout": MAXIMUM_SECONDS,
        "report_slow_units": MAXIMUM_SECONDS,
        "rss_limit_mb": 0,
        "artifact_prefix": f"{findings}/",
        "print_final_stats": 1,
        "verbosity": 0,
        "reload": 0,
        "len_control": 0,
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(corpus)], Fuzzed(findings)
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
