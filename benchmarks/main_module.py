"""Choose the library for which a symbol file is generated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from socorro_processor.machine.bounded_program import Limits, run
from socorro_processor.stackwalk.stackwalker import BASE_ENVIRONMENT, OWN, find_stackwalker


class MainModule(NamedTuple):
    debug_file: str
    debug_id: str
    size: int


def main_module(dumps: Sequence[Path]) -> tuple[Path, MainModule]:
    """Return the dump with the largest main library, and that library."""
    found = [(dump, module) for dump in dumps for module in _modules(dump)]
    named = [each for each in found if each[1].debug_file == "libxul.so" and each[0].parent.name.startswith("linux")]
    return max(named or found, key=lambda each: each[1].size)


def _modules(dump: Path) -> list[MainModule]:
    outcome = run([str(find_stackwalker(OWN)), str(dump)], Limits(), BASE_ENVIRONMENT)
    modules = json.loads(outcome.output)["modules"]
    return [
        MainModule(module["debug_file"], module["debug_id"], int(module["end_addr"], 16) - int(module["base_addr"], 16))
        for module in modules
        if module["debug_file"] and module["debug_id"].strip("0")
    ]
