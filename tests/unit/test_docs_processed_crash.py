"""The docs describe the fields of a processed crash as rules write and stores keep them."""

import csv
import io
import json
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.elasticsearch import mapping
from socorro_processor.crashstorage.postgresql import columns
from socorro_processor.crashstorage.redactor import Redactor
from socorro_processor.pipeline.mozilla_2015 import MozillaProcessorAlgorithm2015
from socorro_processor.pipeline.rule import Crash, Rule
from tests.golden.cases import RULES, Case, cases_file, of_kind, read_cases
from tests.shared import REPOSITORY, SAMPLES, require, shared, stackwalker

PAGE = (REPOSITORY / "docs" / "processed-crash.rst").read_text()
CRASH_ID = "5e1f00aa-0d5c-4c0b-9d2e-8f6a2b261124"
MAIN = "upload_file_minidump"
PIPELINE = "pipeline"

TYPES: Mapping[str, type | tuple[type, ...]] = {
    "text": str,
    "date": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "list": list,
    "object": dict,
    "any": object,
}
NULL = " or null"

_TABLE = re.compile(
    r"^\.\. csv-table::\n   :header: (.+)\n   :widths: auto\n   :class: fields\n\n((?:   .+\n)+)", re.MULTILINE
)
_NAME = re.compile(r"``([^`]+)``")


class Field(NamedTuple):
    kind: str
    rules: set[str]
    redacted: str
    postgresql: str
    elasticsearch: str


def rows(first: str) -> Iterator[list[str]]:
    """The rows of each table whose first column has this head."""
    for head, table in _TABLE.findall(PAGE):
        if head.startswith(first):
            for row in csv.reader(io.StringIO(textwrap.dedent(table)), skipinitialspace=True):
                assert len(row) == len(head.split(", ")), row
                yield [_NAME.fullmatch(row[0])[1], *(cell.strip() for cell in row[1:])]


FIELDS = {name: Field(kind, set(rules.split(", ")), *stored) for name, kind, rules, *stored in rows("field, type")}
JSON_DUMP = {name: kind for name, kind, _ in rows("field of ``json_dump``")}


def values(value: Any, known: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all parts of an object by their paths; of parts that the page does not describe, only the whole."""
    if path:
        yield path, value
    if path and not any(name.startswith((f"{path}.", f"{path}[]")) for name in known):
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from values(inner, known, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from (each for each in values(inner, known, f"{path}[]") if each[0] != f"{path}[]")


def is_of(kind: str, value: Any) -> bool:
    if value is None and kind.endswith(NULL):
        return True
    expected = TYPES[kind.removesuffix(NULL)]
    return isinstance(value, expected) and (expected is not int or not isinstance(value, bool))


def not_told(processed: Mapping[str, Any]) -> list[str]:
    """Return the fields of a processed crash that the page lacks, or describes with another type."""
    dumps = {MAIN: processed} | {name: processed[name] for name in processed["additional_minidumps"]}
    whole = {name: value for name, value in processed.items() if name not in dumps}
    told = [(name, value, FIELDS[name].kind if name in FIELDS else None) for name, value in values(whole, FIELDS)]
    for dump in dumps.values():
        found = values(as_threads(dump["json_dump"]), JSON_DUMP)
        told += [(f"json_dump.{name}", value, JSON_DUMP.get(name)) for name, value in found]
    return sorted({f"{name}: {value!r:.60}" for name, value, kind in told if kind is None or not is_of(kind, value)})


def as_threads(json_dump: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON with the crashed thread among the others, whose fields it has."""
    crashing = dict(json_dump.get("crashing_thread") or {})
    index = {"threads_index": crashing.pop("threads_index")} if "threads_index" in crashing else {}
    return {**json_dump, "crashing_thread": index, "threads": [*json_dump.get("threads", []), crashing]}


@pytest.fixture(scope="module")
def pipeline() -> Iterator[MozillaProcessorAlgorithm2015]:
    stackwalker()
    rule = "raw_to_processed_transform.BreakpadStackwalkerRule2015"
    options = {f"{rule}.symbols_path": str(SAMPLES / "symbols"), f"{rule}.make_indexes": "no"}
    algorithm = MozillaProcessorAlgorithm2015(defaults(MozillaProcessorAlgorithm2015, **options))
    yield algorithm
    algorithm.close()


def sample(name: str) -> tuple[dict[str, Any], dict[str, Path]]:
    """Annotations and dumps, one of them twice."""
    dump = SAMPLES / name / f"{MAIN}.dmp"
    return json.loads((SAMPLES / name / "raw_crash.json").read_text()), {MAIN: dump, f"{MAIN}_browser": dump}


def golden(kind: str) -> list[Case]:
    require(cases_file().is_file(), f"no golden cases at {cases_file()}: set SOCORRO_TEST_DATA")
    return of_kind(read_cases(cases_file()), kind)


@pytest.mark.parametrize("name", ["segfault", "abort"])
def test_every_field_of_a_sample_crash_is_on_the_page_with_its_type(pipeline, name):
    raw, dumps = sample(name)
    crash = pipeline.process_crash(CRASH_ID, raw, dumps)
    assert crash.processed["json_dump"]["threads"]
    assert not_told(crash.processed) == []


def test_every_field_of_real_crashes_is_on_the_page_with_its_type(pipeline):
    wrong = {}
    for directory in sorted(shared("crashes").iterdir()):
        annotations = directory / "raw_crash.json"
        raw = json.loads(annotations.read_text()) if annotations.exists() else {}
        crash = pipeline.process_crash(CRASH_ID, raw, {dump.stem: dump for dump in directory.glob("*.dmp")})
        wrong[directory.name] = not_told(crash.processed)
    assert wrong
    assert {name: fields for name, fields in wrong.items() if fields} == {}


def test_every_field_of_the_golden_cases_is_on_the_page_with_its_type():
    wrong = defaultdict(set)
    for case in golden("pipeline"):
        processed = case["expect"]["processed_crash"]
        for name, value in processed.items():
            if name not in processed["additional_minidumps"] and not (
                name in FIELDS and is_of(FIELDS[name].kind, value)
            ):
                wrong[name].add(type(value).__name__)
    assert dict(wrong) == {}


@pytest.mark.parametrize("name", ["segfault", "abort"])
def test_each_field_of_a_sample_crash_names_the_rules_that_write_it(pipeline, name, monkeypatch):
    raw, dumps = sample(name)
    written = set()

    def act_watched(rule: Rule, crash: Crash) -> tuple[bool, bool | None]:
        before = deepcopy(crash.processed)
        outcome = act(rule, crash)
        written.update((field, rule.name) for field in changed(before, crash.processed))
        return outcome

    act = Rule.act
    monkeypatch.setattr(Rule, "act", act_watched)
    pipeline.process_crash(CRASH_ID, raw, dumps)
    assert len(written) > 40
    assert not_named(written) == set()


def test_each_field_names_the_rules_that_write_it_in_the_golden_cases():
    written = {
        (field, case["rule"])
        for case in golden("rule")
        for field in changed(case["processed_crash"], case["expect"]["processed_crash"])
    }
    assert len(written) > 40
    assert not_named(written) == set()


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the names of the written fields, without those of walks: parts of their frames are not fields."""
    old, new = fields_of(before), fields_of(after)
    return {name for name, value in new.items() if old.get(name, ...) != value}


def fields_of(processed: Mapping[str, Any]) -> dict[str, Any]:
    own = {f"processing.{name}": value for name, value in processed.get("processing", {}).items()}
    whole = {name: value for name, value in processed.items() if name != "processing" and not name.startswith(MAIN)}
    return whole | own | ({"json_dump": True} if "json_dump" in processed else {})


def not_named(written: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(field, rule) for field, rule in written if field not in FIELDS or rule not in FIELDS[field].rules}


def test_the_page_of_a_named_rule_says_that_it_writes_the_field():
    pages = "\n".join(page.read_text() for page in (REPOSITORY / "docs" / "rules").glob("*.rst"))
    wrong = []
    for name, field in FIELDS.items():
        for rule in field.rules - {PIPELINE}:
            assert rule in RULES, rule
            section = re.search(rf"^{rule}\n=+\n((?:(?!.*\n===).*\n)*)", pages, re.MULTILINE)
            if name != "classifications" and f"``{name}``" not in section[1].partition(":Writes:")[2]:
                wrong.append(f"{name}: {rule}")
    # Its page refers to that of SignatureGenerationRule.
    assert wrong == ["proto_signature: SignatureRunWatchDog"]


def test_the_fields_that_are_redacted_are_those_of_the_redactor():
    forbidden = {key.strip() for key in defaults(Redactor).forbidden_keys.split(",")}
    assert {name for name, field in FIELDS.items() if field.redacted} == forbidden & FIELDS.keys()
    assert {key for key in forbidden if f"``{key}``" not in PAGE} == {
        key for key in forbidden if key.endswith("json_dump.sensitive")
    }


def column(name: str) -> str:
    converter = columns.REPORT.get(name) or columns.PLUGIN.get(name)
    if name == "uuid":
        return "key"
    if converter is None:
        return ""
    if converter in (columns.integer, columns.boolean, columns.timestamp):
        return converter.__name__
    length = len(converter("x" * 10_000))
    return ("text" if length == 10_000 else f"text {length}") + (" (plugins)" if name in columns.PLUGIN else "")


def test_each_column_of_postgresql_is_on_the_page():
    assert {name: field.postgresql for name, field in FIELDS.items()} == {name: column(name) for name in FIELDS}
    assert columns.REPORT.keys() | columns.PLUGIN.keys() <= FIELDS.keys()


def test_each_field_that_elasticsearch_searches_is_on_the_page():
    mapped = {
        name: field["type"] + (", .full" if "fields" in field else "")
        for name, field in mapping.fields_with_values(mapping.PROCESSED_CRASH_OF_2015)
        if not name.startswith("json_dump.")
    }
    assert {name: field.elasticsearch for name, field in FIELDS.items() if field.elasticsearch} == mapped
    searched = mapping.PROCESSED_CRASH_OF_2015["json_dump"]["properties"]
    assert [name for name in searched if f"``{name}``" not in PAGE] == []
