"""Find, read, run and compare the golden cases."""

from __future__ import annotations

import copy
import json
import lzma
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from socorro_processor.configuration import class_converter, defaults
from socorro_processor.configuration.class_names import OLD_NAMES
from socorro_processor.pipeline.mozilla_2015 import MozillaProcessorAlgorithm2015
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.signature.frames import normalize
from socorro_processor.signature.siglists import SigLists
from tests.golden.comparison import ABSENT, Difference, instants
from tests.shared import SHARED

GOLDEN = SHARED / "golden"
"""The directory of the golden cases, with their lists and reference data."""

Case = dict[str, Any]
Outcome = dict[str, Any]
"""The result of a case, in the form of its ``expect``."""

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
"""Fields of the processed crash; the words of notes are each processor's own."""


def cases_file() -> Path:
    """Return the file of the cases to run, which GOLDEN_CASES may name."""
    return Path(os.environ.get("GOLDEN_CASES") or GOLDEN / "cases.json.xz")


def read_cases(file: Path) -> list[Case]:
    """Return all cases of a file, ``.json`` or ``.json.xz``."""
    with lzma.open(file) if file.suffix == ".xz" else file.open("rb") as content:
        cases: list[Case] = json.load(content)
    return cases


def of_kind(cases: Iterable[Case], kind: str) -> list[Case]:
    return [case for case in cases if case["kind"] == kind]


@dataclass(frozen=True)
class Data:
    """The data that the cases were made with."""

    siglists: Path
    reference_file: Path

    @classmethod
    def beside(cls, file: Path) -> Data:
        """Return the data beside a file of cases; for what is missing there, the shared data."""
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
        """Run a case, and return its outcome. Raises KeyError if there is no such kind or rule."""
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


def differences(expected: Mapping[str, Any], outcome: Mapping[str, Any]) -> list[Difference]:
    """Yield the differences of an outcome from a case's ``expect``."""
    return list(_different(_compared(expected), _compared(outcome), ""))


def _compared(outcome: Mapping[str, Any]) -> Any:
    """Return the part of an outcome that must be equal, with times as instants."""
    part = {key: value for key, value in outcome.items() if key in _COMPARED}
    if "processed_crash" in part:
        part["processed_crash"] = {
            key: value for key, value in part["processed_crash"].items() if key not in _NOT_COMPARED
        }
    return instants(part)


def _different(expected: Any, got: Any, path: str) -> Iterator[Difference]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in sorted({*expected, *got}):
            yield from _different(expected.get(key, ABSENT), got.get(key, ABSENT), f"{path}.{key}".lstrip("."))
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _different(one, other, f"{path}[{index}]")
    # JSON distinguishes true from 1, and so do its readers.
    elif expected != got or isinstance(expected, bool) is not isinstance(got, bool):
        yield Difference(path, repr(expected), repr(got))
