"""The golden cases: where they are, how they are read and run, what of them is compared."""

from __future__ import annotations

import copy
import json
import lzma
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socorro_processor.pipeline.rule import Crash, Rule
from tests.shared import SHARED

GOLDEN = SHARED / "golden"
"""Where the golden cases should be, with their lists and reference data."""

Case = dict[str, Any]

_NOT_COMPARED = frozenset({"processor_notes", "processing"})
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*")


def cases_file() -> Path:
    """The cases to run: GOLDEN_CASES names others of the same kinds."""
    return Path(os.environ.get("GOLDEN_CASES") or GOLDEN / "cases.json.xz")


def read_cases(file: Path) -> list[Case]:
    """All cases of a file, ``.json`` or ``.json.xz``."""
    with lzma.open(file) if file.suffix == ".xz" else file.open("rb") as content:
        cases: list[Case] = json.load(content)
    return cases


def of_kind(cases: Iterable[Case], kind: str) -> list[Case]:
    return [case for case in cases if case["kind"] == kind]


def run_rule(case: Case, rule: Rule) -> dict[str, Any]:
    """What ``rule`` makes of the case, in the form of its ``expect``."""
    raw = copy.deepcopy(case["raw_crash"])
    crash = Crash(id=raw.get("uuid", ""), raw=raw, processed=copy.deepcopy(case["processed_crash"]))
    predicate, action = rule.act(crash)
    outcome = {
        "raw_crash": crash.raw,
        "processed_crash": crash.processed,
        "predicate": predicate,
        "action": None if action is None else bool(action),
    }
    if "missing_symbols" in case["expect"]:
        outcome["missing_symbols"] = crash.processed.get("processing", {}).get("missing_symbols")
    return outcome


def compared(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an outcome, or of an ``expect``, that has to be equal."""
    return {
        "raw_crash": outcome["raw_crash"],
        "processed_crash": {
            key: _instants(value) for key, value in outcome["processed_crash"].items() if key not in _NOT_COMPARED
        },
        "predicate": outcome["predicate"],
        "action": outcome["action"],
        "missing_symbols": outcome.get("missing_symbols"),
    }


def _instants(value: Any) -> Any:
    """Times as datetimes in UTC, whichever way they are kept."""
    if isinstance(value, dict):
        return {key: _instants(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_instants(item) for item in value]
    if isinstance(value, str) and _ISO_TIME.fullmatch(value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    return value
