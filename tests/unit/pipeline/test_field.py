"""Crashes as people met them in the field, through the whole pipeline of 2015."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.mozilla_2015 import MozillaProcessorAlgorithm2015
from socorro_processor.pipeline.rule import Crash
from socorro_processor.signature.frames import normalize
from socorro_processor.signature.siglists import default_directory, lists_in_use
from socorro_processor.stackwalk.modules import modules_of
from socorro_processor.symbols.layout import SymbolFileID
from tests.shared import shared, stackwalker
from tests.unit.cli.reports import report

CRASH_ID = "5e1f00aa-0d5c-4c0b-9d2e-8f6a20261124"
DUMP = "upload_file_minidump"
NOTES_OF_EVERY_CRASH = ("exploitable", "skunk", "SecondsSinceLastCrash")


@pytest.fixture(scope="module")
def pipeline() -> Iterator[MozillaProcessorAlgorithm2015]:
    pipeline = MozillaProcessorAlgorithm2015(defaults(MozillaProcessorAlgorithm2015))
    yield pipeline
    pipeline.close()


def annotated(pipeline: MozillaProcessorAlgorithm2015, name: str) -> Crash:
    raw = json.loads((shared("field") / "raw" / name).read_text())
    return pipeline.process_crash(CRASH_ID, raw, {})


def walked(pipeline: MozillaProcessorAlgorithm2015, name: str) -> Crash:
    stackwalker()
    return pipeline.process_crash(CRASH_ID, {}, {DUMP: shared("field") / "dumps" / name})


def test_a_time_that_is_a_float_is_the_time(pipeline: MozillaProcessorAlgorithm2015) -> None:
    crash = annotated(pipeline, "timestamp_float.json")
    assert crash.processed["crash_time"] == 1480000000
    assert crash.processed["client_crash_date"] == "2016-11-24T15:06:40+00:00"
    assert not any("CrashTime" in note or "timestamp" in note for note in crash.notes)


def test_an_annotation_that_is_a_number_is_its_text(pipeline: MozillaProcessorAlgorithm2015) -> None:
    crash = annotated(pipeline, "number_annotation.json")
    assert (crash.processed["version"], crash.processed["build"]) == ("52", "20170101000000")
    assert "Version is not a string, but int: it is read as '52'" in crash.notes


def test_a_line_of_a_java_message_is_not_a_frame(pipeline: MozillaProcessorAlgorithm2015) -> None:
    signature = annotated(pipeline, "java_at_in_message.json").processed["signature"]
    assert signature == "java.lang.RuntimeException: cannot read at org.example.A.b(A.java)"


def test_control_characters_of_a_message_are_not_in_the_signature(pipeline: MozillaProcessorAlgorithm2015) -> None:
    signature = annotated(pipeline, "abort_message_control_chars.json").processed["signature"]
    assert signature == "Abort | a b c [31md | EMPTY: no crashing thread identified; unknown error"


@pytest.mark.parametrize(
    ("name", "status"),
    [("empty.dmp", "EmptyMinidump"), ("html.dmp", "HeaderMismatch"), ("wrongver.dmp", "VersionMismatch")],
)
def test_a_dump_that_cannot_be_walked_says_why(pipeline: MozillaProcessorAlgorithm2015, name: str, status: str) -> None:
    crash = walked(pipeline, name)
    assert crash.processed["mdsw_status_string"] == status
    assert crash.processed["signature"] == f"EMPTY: no crashing thread identified; {status}"
    assert any(f"stackwalk of {DUMP} failed: {status}" in note for note in crash.notes)


def test_an_address_that_the_processor_did_not_report_is_shown_with_the_accessed_one(
    pipeline: MozillaProcessorAlgorithm2015,
) -> None:
    text = report(walked(pipeline, "noncanonical_write.dmp").processed)
    assert "\naddress       0xffffffffffffffff (of an access to 0x4141414141414141)\n" in text
    assert "null pointer" not in text


def test_a_crash_has_no_note_that_every_crash_has(pipeline: MozillaProcessorAlgorithm2015) -> None:
    notes = walked(pipeline, "noexception.dmp").notes
    assert not [note for note in notes if any(word in note for word in NOTES_OF_EVERY_CRASH)]


def test_symbols_are_asked_for_with_any_spaces_and_marks_in_a_name() -> None:
    modules = modules_of(shared("field") / "dumps" / "names.dmp")
    wanted = []
    for module in modules:
        with suppress(ValueError):
            wanted.append(SymbolFileID.of(module.debug_file, module.debug_id).path.partition("/")[0])
    assert {"全角\u3000空白.so", "nbsp\xa0x.so", "rlm\u200ex.so"} <= set(wanted)
    assert not any("\t" in name for name in wanted)


def test_code_without_a_known_function_is_named_by_its_module() -> None:
    crash: dict[str, Any] = json.loads((shared("field") / "stacks" / "pair_1.json").read_text())
    frame = crash["json_dump"]["threads"][0]["frames"][0]
    assert normalize(frame, lists_in_use(default_directory()).current.line_numbers) == "combase.dll@0x1234"
