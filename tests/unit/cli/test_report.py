"""The report of ``socorro show``: the head, the notes, how the parts are put together, and where they are cut."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len

from socorro_processor.report.other_fields import other_fields
from tests.golden.cases import cases_file, read_cases
from tests.shared import shared
from tests.unit.cli.reports import CRASH_ID, SGR, frame, on_terminal, processed, report


class TestHead:
    def test_a_report_says_what_crashed_where_and_when(self) -> None:
        head = report(processed(frame(function="f"))).partition("\n\n")[0].splitlines()
        assert head == [
            f"crash         {CRASH_ID}",
            "signature     codec::decode",
            "product       Player 3.2, beta, build 20161120",
            "system        Linux 4.8",
            "CPU           amd64, family 6 | 4",
            "reason        SIGSEGV",
            "address       0x10",
            "crashed       2016-11-23T00:00:00+00:00, 1:02:05 after its start, 2 days 0:00:00 after its installation",
            "submitted     2016-11-23T00:01:00+00:00",
            "processed     2016-11-23T00:02:00+00:00, by version 1.0, attempt 2, stackwalk 1.250 s",
            "result        success",
        ]

    @pytest.mark.parametrize(
        ("field", "line"),
        [
            ({"process_type": "plugin"}, "process       plugin"),
            ({"abort_message": "no more pages"}, "abort message no more pages"),
            ({"moz_crash_reason": "index out of\nbounds"}, "crash reason  index out of | bounds"),
            ({"original_signature": "raw"}, "made from     raw"),
            ({"earlier_signature": "libcodec.so@0x1"}, "changed from  libcodec.so@0x1"),
            ({"os_pretty_version": "Fedora 25"}, "system        Linux 4.8 (Fedora 25)"),
            ({"crash_time": None, "client_crash_date": "2016-11-22"}, "crashed       2016-11-22, "),
            ({"signature": None}, "signature     (none)"),
            ({"app_notes": "\nGPU gone\nfallback "}, "app notes     GPU gone | fallback"),
            (
                {"classifications": {"support": {"classification": "bitguard"}, "jit": {"category": "BadAccess"}}},
                "classified    support: bitguard, jit: BadAccess",
            ),
            ({"success": False}, "result        failed: not all rules ran, and the notes say why"),
            ({"mdsw_status_string": "ERROR_X"}, "result        failed: the stackwalker reports ERROR_X"),
            (
                {"mdsw_status_string": "HeaderMismatch", "success": False},
                "result        failed: the file is not a minidump (HeaderMismatch); not all rules ran, and the notes",
            ),
        ],
    )
    def test_fields_that_not_every_crash_has_are_shown_if_present(self, field: dict[str, Any], line: str) -> None:
        assert f"\n{line}" in report(processed(**field))

    def test_ages_that_no_client_sent_are_left_out(self) -> None:
        assert "\ncrashed       2016-11-23T00:00:00+00:00\n" in report(processed(uptime=0, install_age=0))

    @pytest.mark.parametrize("moment", ["2016-11-23T00:01:00.264722+00:00", "2016-11-23T00:01:00+00:00"])
    def test_times_are_shown_to_the_second(self, moment: str) -> None:
        keys = ("client_crash_date", "submitted_timestamp", "completed_datetime")
        text = report(processed(crash_time=None, **dict.fromkeys(keys, moment)))
        for label in ("crashed", "submitted", "processed"):
            assert re.search(rf"^{label} +2016-11-23T00:01:00\+00:00(,|$)", text, re.MULTILINE)

    def test_a_null_pointer_is_called_a_null_pointer(self) -> None:
        crash = processed()
        crash["json_dump"]["crash_info"]["adjusted_address"] = {"kind": "null-pointer", "offset": "0x0000000000000010"}
        assert "address       0x10 (null pointer, offset 0x10)\n" in report(crash)

    @pytest.mark.parametrize("reported", ["0x0", "0xffffffffffffffff"])
    def test_a_null_pointer_is_called_a_null_pointer_even_if_the_dump_has_no_address(self, reported: str) -> None:
        crash = processed(address=reported)
        crash["json_dump"]["crash_info"]["adjusted_address"] = {"kind": "null-pointer", "offset": "0x0000000000000004"}
        assert f"address       {reported} (null pointer, offset 0x4)\n" in report(crash)

    @pytest.mark.parametrize(
        ("reason", "is_shown"),
        [
            ("SIGABRT / SI_TKILL", False),
            ("SIGABRT", False),
            ("SIGABRT / 0x00000000", False),
            ("SIGSEGV / SI_USER", False),
            ("SIGTRAP / SI_QUEUE", False),
            ("SIGSEGV / SEGV_MAPERR", True),
            ("SIGSEGV / SI_KERNEL", True),
            ("EXCEPTION_BREAKPOINT", True),
            ("xSIGABRT / SI_TKILL", True),
            (None, True),
        ],
    )
    def test_a_signal_that_a_process_sent_has_no_address(self, reason: str | None, is_shown: bool) -> None:
        assert ("\naddress " in report(processed(reason=reason, address="0x000003e800001234"))) == is_shown

    @pytest.mark.parametrize(
        ("reported", "crash_info", "shown"),
        [
            (
                "0xffffffffffffffff",
                {"adjusted_address": {"kind": "non-canonical", "address": "0x4141414141414141"}},
                "0xffffffffffffffff (of an access to 0x4141414141414141, not a canonical address)",
            ),
            (
                "0xffffffffffffffff",
                {"memory_accesses": [{"address": "0x4141414141414141", "size": 8}, {"address": "0x7f00", "size": 8}]},
                "0xffffffffffffffff (of an access to 0x4141414141414141 or 0x7f00)",
            ),
            (
                "0xffffffffffffffff",
                {
                    "adjusted_address": {"kind": "null-pointer", "offset": "0x4141414141414141"},
                    "memory_accesses": [{"address": "0x4141414141414141", "size": 8}],
                },
                "0xffffffffffffffff (of an access to 0x4141414141414141)",
            ),
            (
                "0x0",
                {
                    "crash_inconsistencies": ["crashing_access_not_found_in_memory_accesses"],
                    "memory_accesses": [{"address": "0x55d0", "size": 8}],
                },
                "0x0 (of an access to 0x55d0)",
            ),
            (
                "0x0",
                {"memory_accesses": [{"address": "0x00007ffc1fe2cd28", "size": 8}]},
                "0x0 (of an access to 0x7ffc1fe2cd28)",
            ),
            ("0x0", {"memory_accesses": [{"address": "0x0000000000000000", "size": 8}]}, "0x0"),
            (
                "0x7fff00000010",
                {"adjusted_address": {"kind": "null-pointer", "offset": "0x7fff00000010"}},
                "0x7fff00000010",
            ),
            ("0x10", {"memory_accesses": [{"address": "0x55d0", "size": 8}]}, "0x10"),
            ("0xffffffffffffffff", {"memory_accesses": [{"address": "0xffffffffffffffff"}]}, "0xffffffffffffffff"),
            ("0xffffffffffffffff", {"memory_accesses": [{}, 5], "adjusted_address": []}, "0xffffffffffffffff"),
        ],
    )
    def test_an_address_stands_beside_the_one_that_was_accessed(
        self, reported: str, crash_info: dict[str, Any], shown: str
    ) -> None:
        crash = processed(address=reported)
        crash["json_dump"]["crash_info"] |= crash_info
        assert f"\naddress       {shown}\n" in report(crash)

    @pytest.mark.parametrize(
        ("signature", "meaning"),
        [
            ("EMPTY: no crashing thread identified; OK", "the stackwalker named no crashing thread"),
            ("EMPTY: no frame data available", "the crashing thread has no frame"),
            ("EMPTY: crash failed to process", "processing ended half-way"),
        ],
    )
    def test_an_empty_signature_is_explained(self, signature: str, meaning: str) -> None:
        assert meaning in report(processed(signature=signature))

    def test_a_report_has_no_personal_data(self) -> None:
        crash = processed(email="ann@example.com", url="https://example.com/me", user_comments="my own words")
        assert not re.search("ann@|/me|my own", report(crash, all_threads=True, modules=True))

    def test_a_report_has_no_protected_reason(self) -> None:
        reason = "sanitized--see moz_crash_reason_raw"
        text = report(processed(moz_crash_reason=reason, moz_crash_reason_raw="byte index 7 of 'my own words'"))
        assert f"\ncrash reason  {reason}\n" in text
        assert "my own" not in text

    def test_the_reason_of_a_minidump_comes_from_the_annotations_beside_it(self) -> None:
        text = report(processed(), file="app.dmp", annotations={"MozCrashReason": "no\x1b[2J pages"})
        assert "\ncrash reason  no\\x1b[2J pages\n" in text


class TestOther:
    def test_fields_of_own_rules_are_shown_by_name_before_the_notes(self) -> None:
        crash = processed(album="Summer", photos=17, shared=False, sizes={"b": [1, None], "a": "x"}, ratio=0.5)
        lines = ["Other", "  album: Summer", "  photos: 17", "  ratio: 0.5", "  shared: false"]
        assert "\n" + "\n".join([*lines, '  sizes: {"b": [1, null], "a": "x"}', "", "Notes"]) in report(crash)

    def test_empty_fields_are_left_out(self) -> None:
        assert "\nOther\n" not in report(processed(album="", photos=None))

    def test_fields_that_the_report_shows_elsewhere_or_a_client_sent_are_not_among_them(self) -> None:
        crash = processed(
            email="ann@example.com", URL="https://example.com/me", addons=["a:1"], memory_report={"a": 1}, hang_type=0
        )
        crash |= {"additional_minidumps": ["flash"], "flash": {"json_dump": {}}, "upload_file_minidump_x": {"a": 1}}
        assert "\nOther\n" not in report(crash)

    def test_the_processors_own_rules_write_no_such_field(self) -> None:
        shared("golden")
        crashes = [case["expect"].get("processed_crash") or {} for case in read_cases(cases_file())]
        assert len(crashes) > 700
        assert [name for crash in crashes for name in other_fields(crash)[0]] == []

    @pytest.mark.parametrize("show", [report, on_terminal])
    def test_a_strangers_text_is_printable_and_bounded_in_length_and_number(
        self, show: Callable[[dict[str, Any]], str]
    ) -> None:
        hostile = "\x1b]0;title\x07\u202e\n" * 10_000
        crash = processed(**{f"own{number:05}": hostile for number in range(5_000)})
        crash |= {hostile: {"\x9b" * 9: [hostile]}, "deep": json.loads("[" * 150 + "]" * 150), "huge": 10**4000}
        crash["\ud800"] = {"\ud800": [hostile] * 100}
        text = SGR.sub("", show(crash))
        assert all(line.isprintable() for line in text.splitlines())
        other = text.partition("\nOther\n")[2].partition("\n\n")[0]
        assert len(other) < 30 * 700
        assert "fields, which --json has ..." in other

    def test_the_first_thirty_fields_are_shown(self) -> None:
        crash = processed(**{f"own{number:02}": number for number in range(40)})
        lines = report(crash).partition("\nOther\n")[2].partition("\n\n")[0].splitlines()
        assert lines[0] == "  own00: 0"
        assert lines[29:] == ["  own29: 29", "  ... 10 more fields, which --json has ..."]


class TestIncompleteCrashes:
    def test_notes_are_one_a_line(self) -> None:
        assert report(processed()).endswith("\nNotes\n  host:17\n  exploitability information missing\n")

    @pytest.mark.parametrize(
        ("options", "is_shown"),
        [({}, True), ({"file": "a.dmp", "annotations": {"Version": "1"}}, True), ({"file": "a.dmp"}, False)],
    )
    def test_a_bare_minidump_without_times_has_no_note_about_them(
        self, options: dict[str, Any], is_shown: bool
    ) -> None:
        times = ["CrashTime is missing", "client_crash_date is not known: it is set to the time of submission"]
        notes = report(processed(processor_notes="; ".join(["host:17", *times])), **options).partition("\nNotes\n")[2]
        assert [f"  {time}\n" in notes for time in times] == [is_shown, is_shown]
        assert "  host:17\n" in notes

    def test_a_minidump_without_a_crash_time_has_no_time_but_that_of_its_processing(self) -> None:
        crash = processed(processor_notes="CrashTime is missing")
        assert "\ncrashed       2016-11-23T" in report(crash)
        text = report(crash, file="app.dmp")
        assert "\ncrashed       not known: the annotations have no CrashTime\n" in text
        assert "\nsubmitted " not in text

    @pytest.mark.parametrize("json_dump", [None, {}, [], "text"])
    def test_without_a_stack_the_report_says_why_and_what_to_do(self, json_dump: object) -> None:
        text = report(processed(json_dump=json_dump, mdsw_status_string="ERROR_NO_MINIDUMP_HEADER"))
        assert "No stack: the file is not a minidump, or it is cut off (ERROR_NO_MINIDUMP_HEADER).\n" in text
        assert f"socorro fetch {CRASH_ID} DIRECTORY\n" in text

    def test_a_crash_that_came_without_a_minidump_says_so_and_offers_none(self) -> None:
        notes = "host:17; there is no minidump (upload_file_minidump)"
        crash = processed(json_dump={}, mdsw_status_string="unknown error", success=False, processor_notes=notes)
        text = report(crash | {"signature": "EMPTY: no frame data available; unknown error"})
        assert "\nNo stack: the upload had no minidump.\n\nNotes\n" in text
        assert "\nresult        failed: the upload had no minidump; not all rules ran" in text
        assert "there is no stack to make a signature from" in text
        assert "stackwalker" not in text

    def test_without_a_crashing_thread_the_report_says_that_there_are_others(self) -> None:
        crash = processed()
        crash["json_dump"] |= {"crashing_thread": None, "crash_info": {"crashing_thread": None}}
        assert "No crashing thread: the stackwalker named none, in a dump of 2 threads; --all-threads" in report(crash)
        assert "\nThread 1, Decoder: no frames\n" in report(crash, all_threads=True)

    def test_the_crashing_thread_is_found_by_its_number_alone(self) -> None:
        crash = processed(frame(function="f"))
        del crash["json_dump"]["crashing_thread"]
        assert "Crashing thread 1, Decoder: 1 frame\n" in report(crash)

    def test_a_crash_of_java_shows_its_stack(self) -> None:
        crash = processed(json_dump=None, java_stack_trace="java.lang.Error: x\n\tat a.B.c(B.java:1)")
        text = report(crash)
        assert "\nJava stack\n  java.lang.Error: x\n      at a.B.c(B.java:1)\n" in text
        assert "No stack" not in text

    def test_an_empty_crash_has_a_report(self) -> None:
        assert "crash         (without an id)\nsignature     (none)\n" in report({})


class TestTerminal:
    LONG = "std::map<" + "std::string, " * 20 + ">::find"

    @pytest.mark.parametrize("width", [80, 100, 120, 160])
    def test_a_stack_fits_its_width(self, width: int) -> None:
        source = "hg:x:a/deep/path/to/some/directory/of/a/repository/file.cpp:1"
        crash = processed(frame(function=self.LONG, file=source, line=123456, module="m" * 90))
        text = SGR.sub("", on_terminal(crash, width))
        (line,) = [line for line in text.splitlines() if "std::map" in line]
        assert cell_len(line) <= width
        assert "…" in line
        assert "file.cpp:123456" in line

    @pytest.mark.parametrize("width", [60, 80])
    def test_a_long_file_name_is_shown_by_its_end_with_the_line(self, width: int) -> None:
        crash = processed(frame(function="f", file="a/" + "long_" * 10 + "name.cpp", line=500))
        assert "…" in (text := SGR.sub("", on_terminal(crash, width)))
        assert "name.cpp:500" in text

    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_fields_and_notes_are_wrapped_at_words_and_indented(self, width: int) -> None:
        words = " ".join(f"word{number}" for number in range(40))
        lines = SGR.sub("", on_terminal(processed(app_notes=words, processor_notes=words), width)).splitlines()
        for beginning, indent in (("app notes     word0", 14), ("  word0", 4)):
            first = next(n for n, line in enumerate(lines) if line.startswith(beginning))
            going_on = [line for line in lines[first + 1 :] if line.startswith(" " * indent + "word")]
            assert going_on
            assert all(cell_len(line) <= width for line in [lines[first], *going_on])
        assert f"app notes     {words}\n" in report(processed(app_notes=words))

    def test_a_signature_stays_in_one_line_to_be_copied(self) -> None:
        signature = " | ".join(["codec::decode"] * 20)
        assert signature in on_terminal(processed(signature=signature), 80)

    def test_in_a_pipe_no_function_is_cut(self) -> None:
        assert f"  {self.LONG}  libcodec.so\n" not in on_terminal(processed(frame(function=self.LONG)))
        assert f"  {self.LONG}  a.c:1  libcodec.so\n" in report(
            processed(frame(function=self.LONG, file="a.c", line=1))
        )

    def test_a_long_text_does_not_flood_a_terminal(self) -> None:
        crash = processed(app_notes="x" * 100_000)
        assert len(on_terminal(crash)) < 10_000
        assert "x" * 100_000 in report(crash)

    def test_there_are_colours_only_on_a_terminal_that_wants_them(self) -> None:
        crash = processed(frame(function="f", trust="scan"))
        colour = re.compile(r"\x1b\[[0-9;]*3\d")
        assert colour.search(on_terminal(crash))
        assert not colour.search(on_terminal(crash, environ={"NO_COLOR": "1"}))
        assert "\x1b" not in report(crash)
