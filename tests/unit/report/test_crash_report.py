"""The content of a report, before any layout."""

from __future__ import annotations

import subprocess
import sys

from socorro_processor.report.crash_report import CrashReport, Fact
from socorro_processor.report.walked_dump import GUESSED, INLINED, Fold, Frame, folded
from tests.unit.cli.reports import CRASH_ID, frame, processed


def test_facts_are_labels_and_values_in_the_order_in_which_they_are_read() -> None:
    facts = list(CrashReport(processed(success=False)).facts())
    assert facts[:2] == [Fact("crash", CRASH_ID), Fact("signature", "codec::decode", "title")]
    assert [fact.label for fact in facts[2:]] == [
        *("product", "system", "CPU", "reason", "address", "crashed", "submitted", "processed", "result")
    ]
    assert facts[-1].kind == "failure"


def test_the_processor_of_a_crash_of_2026_has_its_own_name() -> None:
    crash = {key: value for key, value in processed().items() if key != "cpu_name"} | {
        "cpu_arch": "arm64",
        "cpu_info": "x",
    }
    assert [fact.value for fact in CrashReport(crash).facts() if fact.label == "CPU"] == ["arm64, x"]


def test_a_thread_has_its_frames_with_what_is_inlined_above_each() -> None:
    inline = {"function": "at", "file": "a/vector.h", "line": 7}
    crash = processed(
        frame(function="decode", inlines=[inline]), frame(1, module="libc.so.6", module_offset="0x10", trust="scan")
    )
    (dump,) = CrashReport(crash).dumps()
    assert dump.walked is not None
    thread = dump.walked.crashing_thread
    assert thread is not None
    assert thread.frames == (
        Frame(0, INLINED, "at", "a/vector.h:7", "libcodec.so", "", "a/vector.h", "7"),
        Frame(0, "cfi", "decode", "", "libcodec.so", ""),
        Frame(1, GUESSED, "libc.so.6@0x10", "", "libc.so.6", "no symbols"),
    )
    assert (thread.number, thread.name, thread.count, thread.guessed) == ("1", "Decoder", 2, 1)
    assert [other.name for other in dump.walked.other_threads()] == ["main"]


def test_the_rounds_of_a_recursion_are_counted_between_the_first_two_and_the_last() -> None:
    frames = [Frame(number, "cfi", "walk", "", "", "") for number in range(10)]
    assert list(folded(frames)) == [*frames[:2], Fold(frames=1, times=7), frames[9]]


def test_modules_without_symbols_are_those_of_the_stack_that_crashed() -> None:
    (dump,) = CrashReport(processed(frame(), frame(1, module="libc.so.6"))).dumps()
    assert dump.walked is not None
    lacking, modules = dump.walked.modules_without_symbols()
    assert [(module.debug_file, module.debug_id, module.symbols) for module in lacking] == [
        ("libc.so.6", "C0FFEE0", "missing")
    ]
    assert modules == 2


def test_all_text_is_plain_wherever_it_is_shown() -> None:
    crash = processed(frame(function="\x1b[2J"), signature="\x1b[31m", processor_notes=["\x07"], own="\u202e")
    report = CrashReport(crash | {"java_stack_trace": "\x9b"})
    texts = [fact.value for fact in report.facts()] + report.notes() + report.java_stack()
    texts += [value for _, value in report.other_fields()[0]]
    (dump,) = report.dumps()
    assert dump.walked is not None
    assert dump.walked.crashing_thread is not None
    texts += [part.function for part in dump.walked.crashing_thread.frames]
    assert all(text.isprintable() for text in texts)
    assert {"\\x1b[2J", "\\x1b[31m", "\\x07", "\\x9b", "\\u202e"} <= set(texts)


def test_a_report_for_a_page_imports_no_terminal_library() -> None:
    program = "import sys, socorro_processor.report.crash_report; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
