"""The pipeline of today: what it does around its rules, and crashes as people met them in the field."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.fields import FIELDS, FIELDS_BY_NAME
from socorro_processor.pipeline import algorithm_2026, mozilla_2015
from socorro_processor.pipeline.algorithm_2026 import ProcessorAlgorithm2026
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.fields import is_copied
from tests.shared import SAMPLES, shared, stackwalker

CRASH_ID = "5e1f00aa-0d5c-4c0b-9d2e-8f6a20261124"
DUMP = "upload_file_minidump"
WALK = "raw_to_processed_transform.BreakpadStackwalkerRule2015"


@pytest.fixture(scope="module")
def pipeline() -> Iterator[ProcessorAlgorithm2026]:
    options = {f"{WALK}.symbols_path": str(SAMPLES / "symbols"), f"{WALK}.make_indexes": "no"}
    pipeline = ProcessorAlgorithm2026(defaults(ProcessorAlgorithm2026, **options))
    yield pipeline
    pipeline.close()


@pytest.fixture(scope="module")
def sample(pipeline: ProcessorAlgorithm2026) -> Crash:
    stackwalker()
    directory = SAMPLES / "segfault"
    raw = json.loads((directory / "raw_crash.json").read_text())
    return pipeline.process_crash(CRASH_ID, raw, {DUMP: directory / f"{DUMP}.dmp"})


def annotated(pipeline: ProcessorAlgorithm2026, name: str) -> Crash:
    return pipeline.process_crash(CRASH_ID, json.loads((shared("field") / "raw" / name).read_text()), {})


def walked(pipeline: ProcessorAlgorithm2026, name: str) -> Crash:
    stackwalker()
    return pipeline.process_crash(CRASH_ID, {}, {DUMP: shared("field") / "dumps" / name})


def test_the_algorithm_of_2026_has_the_rule_sets_and_ways_of_2015():
    def sets(module) -> list[list[str]]:
        return [rule_set[:4] for rule_set in module.RULE_SETS]

    assert sets(algorithm_2026) == sets(mozilla_2015)


def test_a_processed_crash_names_its_algorithm(sample):
    assert sample.processed["processing"]["algorithm"] == 2026
    assert "ProcessorAlgorithm2026" in sample.processed["processor_notes"]


def test_a_crash_whose_dump_was_walked_is_a_success_and_one_without_is_not(sample, pipeline):
    assert sample.processed["success"] is True
    assert walked(pipeline, "html.dmp").processed["success"] is False
    assert pipeline.process_crash(CRASH_ID, {}, {}).processed["success"] is False


def test_a_sample_crash_has_its_fields(sample):
    processed = sample.processed
    expected = {
        "product": "Lightbox",
        "version": "2.3.1",
        "major_version": 2,
        "vendor": "Example",
        "process_type": "parent",
        "report_type": "crash",
        "crashing_thread_name": "Thumbnailer #2",
        "thread_count": len(processed["json_dump"]["threads"]),
        "os_name": "Linux",
        "os_pretty_version": "Debian GNU/Linux 12 (bookworm)",
        "cpu_arch": "amd64",
        "cpu_count": 4,
        "topmost_filenames": "/build/lightbox/photos/exif.h",
        "uptime": 4271,
        "last_crash": 345600,
    }
    assert {name: processed[name] for name in expected} == expected
    assert processed["modules_in_stack"].startswith("lib")


def test_every_field_that_is_written_is_in_the_table(sample):
    of_pipeline = {"startedDateTime", "completeddatetime"}
    written = sample.processed.keys() - of_pipeline - set(sample.processed["additional_minidumps"])
    assert {name for name in written if name not in FIELDS_BY_NAME} == set()


def test_every_field_that_is_not_copied_is_written_by_the_pipeline_or_named_by_a_rule():
    rules: list[type[Rule]] = [
        rule for rule_set in defaults(ProcessorAlgorithm2026).rule_sets.rule_sets for rule in rule_set.rule_classes
    ]
    words = " ".join(base.__doc__ or "" for rule in rules for base in rule.__mro__)
    by_others = {"started_datetime", "completed_datetime", "processor_notes", "processing", "success"}  # the pipeline
    by_others |= {
        "earlier_signature",  # the processor
        "classifications",  # classifiers that a configuration names
        "signature_debug",  # rules of the signature
    }
    missing = {
        field.name
        for field in FIELDS
        if not field.is_part and not is_copied(field) and f"``{field.name}``" not in words
    }
    assert missing - by_others == set()


def test_a_time_that_is_a_float_is_the_time(pipeline):
    crash = annotated(pipeline, "timestamp_float.json")
    assert crash.processed["crash_time"] == 1480000000
    assert not any("CrashTime" in note or "timestamp" in note for note in crash.notes)


def test_an_annotation_that_is_a_number_is_its_text(pipeline):
    crash = annotated(pipeline, "number_annotation.json")
    assert (crash.processed["version"], crash.processed["build"]) == ("52", "20170101000000")
    assert "Version is not a string, but int: it is read as its text" in crash.notes


@pytest.mark.parametrize(
    ("name", "status"),
    [("empty.dmp", "EmptyMinidump"), ("html.dmp", "HeaderMismatch"), ("wrongver.dmp", "VersionMismatch")],
)
def test_a_dump_that_cannot_be_walked_says_why(pipeline, name, status):
    assert walked(pipeline, name).processed["mdsw_status_string"] == status


def test_a_mac_of_today_is_named_as_people_name_it(pipeline):
    assert walked(pipeline, "macos14.dmp").processed["os_pretty_version"] == "macOS 14"
