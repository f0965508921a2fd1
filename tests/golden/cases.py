"""The golden cases: where they are, how they are read and run, what of them is compared."""

from __future__ import annotations

import copy
import json
import lzma
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from socorro_processor.configuration import class_converter, defaults
from socorro_processor.configuration.class_names import OLD_NAMES
from socorro_processor.pipeline.mozilla_2015 import MozillaProcessorAlgorithm2015
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.signature.frames import normalize
from socorro_processor.signature.siglists import SigLists
from tests.shared import SHARED

GOLDEN = SHARED / "golden"
"""Where the golden cases should be, with their lists and reference data."""

Case = dict[str, Any]
Outcome = dict[str, Any]
"""What became of a case, in the form of its ``expect``."""

RULES: dict[str, type[Rule]] = {
    name.rpartition(".")[2]: class_converter(f"socorro_processor.{name}")
    for name in OLD_NAMES.values()
    if name.startswith("rules.")
}
"""Every rule by its class name."""

_COMPARED = frozenset({"raw_crash", "processed_crash", "predicate", "action", "missing_symbols", "normalized"})
_NOT_COMPARED = frozenset(
    {
        "processor_notes",
        "processing",
        "started_datetime",
        "startedDateTime",
        "completed_datetime",
        "completeddatetime",
    }
)
"""Of the processed crash; the words of notes are each processor's own."""
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


@dataclass(frozen=True)
class Data:
    """What the cases were made with."""

    siglists: Path
    reference_file: Path

    @classmethod
    def beside(cls, file: Path) -> Data:
        """What lies beside a file of cases; of what does not, the shared one."""
        siglists, reference_file = file.parent / "siglists", file.parent / "reference_data.json"
        return cls(
            siglists if siglists.is_dir() else GOLDEN / "siglists",
            reference_file if reference_file.is_file() else GOLDEN / "reference_data.json",
        )

    @property
    def options(self) -> dict[str, str]:
        return {
            "resource.signature.siglists_directory": str(self.siglists),
            "resource.reference.reference_file": str(self.reference_file),
        }


class Golden:
    """Runs cases: of a rule, of the normal form of frames, of the whole pipeline."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._rules: dict[str, Rule] = {}

    def run(self, case: Case) -> Outcome:
        """Raises KeyError where there is no such kind, or rule."""
        outcome: Outcome = {"rule": self._rule, "normalize": self._normalize, "pipeline": self._pipeline}[case["kind"]](
            copy.deepcopy(case)
        )
        return outcome

    def _rule(self, case: Case) -> Outcome:
        name = case["rule"]
        if name not in self._rules:
            self._rules[name] = RULES[name](defaults(RULES[name], **self._data.options))
        crash = Crash(id=case["raw_crash"].get("uuid", ""), raw=case["raw_crash"], processed=case["processed_crash"])
        predicate, action = self._rules[name].act(crash)
        outcome = {
            "raw_crash": crash.raw,
            "processed_crash": crash.processed,
            "predicate": predicate,
            "action": None if action is None else bool(action),
        }
        if "missing_symbols" in case["expect"]:
            outcome["missing_symbols"] = crash.processed.get("processing", {}).get("missing_symbols")
        return outcome

    def _normalize(self, case: Case) -> Outcome:
        return {"normalized": normalize(case["frame"], self._lists.line_numbers)}

    def _pipeline(self, case: Case) -> Outcome:
        with tempfile.TemporaryDirectory() as directory:
            dumps = {name: Path(directory, name) for name in case["stackwalker"]}
            for name, dump in dumps.items():
                dump.write_text(json.dumps(case["stackwalker"][name]))
            crash = self._algorithm.process_crash(case["raw_crash"]["uuid"], case["raw_crash"], dumps)
        return {
            "raw_crash": crash.raw,
            "processed_crash": crash.processed,
            "missing_symbols": crash.processed["processing"]["missing_symbols"],
        }

    @cached_property
    def _lists(self) -> SigLists:
        return SigLists.load(self._data.siglists)

    @cached_property
    def _algorithm(self) -> MozillaProcessorAlgorithm2015:
        return MozillaProcessorAlgorithm2015(
            defaults(
                MozillaProcessorAlgorithm2015,
                **self._data.options,
                **{
                    "raw_to_processed_transform.BreakpadStackwalkerRule2015.command_line": "cat {dump_file_pathname}",
                    "jit_classifiers.JitCrashCategorizeRule.command_line": "printf jit-category-golden",
                },
            )
        )


@dataclass(frozen=True)
class Difference:
    """A place within an outcome where it is not as expected."""

    path: str
    expected: str
    got: str


def differences(expected: Mapping[str, Any], outcome: Mapping[str, Any]) -> list[Difference]:
    """Where an outcome is not as a case expects it; nothing where the case is exact."""
    return list(_different(_compared(expected), _compared(outcome), ""))


def _compared(outcome: Mapping[str, Any]) -> Any:
    """The part of an outcome that has to be equal, times as instants."""
    part = {key: value for key, value in outcome.items() if key in _COMPARED}
    if "processed_crash" in part:
        part["processed_crash"] = {
            key: value for key, value in part["processed_crash"].items() if key not in _NOT_COMPARED
        }
    return _instants(part)


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


class _Absent:
    def __repr__(self) -> str:
        return "nothing there"


_ABSENT = _Absent()


def _different(expected: Any, got: Any, path: str) -> Iterator[Difference]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in sorted({*expected, *got}):
            yield from _different(expected.get(key, _ABSENT), got.get(key, _ABSENT), f"{path}.{key}".lstrip("."))
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _different(one, other, f"{path}[{index}]")
    # JSON tells true from 1, and so do those who read it.
    elif expected != got or isinstance(expected, bool) is not isinstance(got, bool):
        yield Difference(path, repr(expected), repr(got))
