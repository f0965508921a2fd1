"""The names in a report, the data that the collector added, and what the client said about itself."""

from __future__ import annotations

import pytest

from socorro_processor.rules.crash_report import CrashReportRule, InstalledAddonsRule, MozCrashReasonRule
from tests.unit.rules.fields_of_crashes import after, crash


def test_all_names_that_were_sent_are_listed_in_order(tmp_path):
    given = crash({"Version": "", "Add-ons": "a", "AbortMessage": None, "_version": 7, "dump_1": "x"})
    given.dumps = {"upload_file_minidump": tmp_path, "memory_report": tmp_path}
    found = after(CrashReportRule(), given)
    assert found.processed["crash_report_keys"] == [
        "Add-ons",
        "Version",
        "_version",
        "dump_1",
        "memory_report",
        "upload_file_minidump",
        "uuid",
    ]
    assert found.notes == []


def test_names_of_other_characters_are_left_out_and_noted():
    names = ["sentry[release]", "of jane", "\u00e4", "a\nb", "a\0", "", "a.b", "\u0661"]
    found = after(CrashReportRule(), crash(dict.fromkeys(names, "x") | {"A": "x"}))
    assert found.processed["crash_report_keys"] == ["A", "uuid"]
    assert found.notes == ["8 names of annotations or dumps are not fit for crash_report_keys"]


def test_what_the_collector_added_is_kept():
    metadata = {
        "dump_checksums": {"upload_file_minidump": "9f2f", "upload_file_minidump_browser": "ab"},
        "user_agent": "x",
    }
    processed = after(CrashReportRule(), crash({"metadata": metadata})).processed
    assert processed["collector_metadata"] == metadata
    assert processed["minidump_sha256_hash"] == "9f2f"


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"dump_checksums": None},
        {"dump_checksums": {"upload_file_minidump": 7}},
        {"dump_checksums": {"other": "9f2f"}},
    ],
)
def test_metadata_without_a_checksum_gives_no_checksum(metadata):
    processed = after(CrashReportRule(), crash({"metadata": metadata})).processed
    assert processed["collector_metadata"] == metadata
    assert "minidump_sha256_hash" not in processed


def test_metadata_that_a_client_made_up_is_noted_and_left_out():
    found = after(CrashReportRule(), crash({"metadata": "jane"}))
    assert "collector_metadata" not in found.processed
    assert found.notes == ["metadata is left out: it is not an object"]


def test_the_end_of_the_stackwalkers_log_is_kept():
    given = crash()
    given.stackwalker_logs = {
        "upload_file_minidump": "".join(f"line {number}\n" for number in range(100)),
        "other": "x",
    }
    log = after(CrashReportRule(), given).processed["mdsw_stderr"].splitlines()
    assert (log[0], log[-1], len(log)) == ("line 80", "line 99", 20)
    given.stackwalker_logs = {"upload_file_minidump": "x" * 1_000_000}
    assert len(after(CrashReportRule(), given).processed["mdsw_stderr"]) == 4096


@pytest.mark.parametrize("log", ["", " \n", "\0"])
def test_a_stackwalker_that_logs_nothing_leaves_no_field(log):
    given = crash()
    given.stackwalker_logs = {"upload_file_minidump": log}
    assert "mdsw_stderr" not in after(CrashReportRule(), given).processed


@pytest.mark.parametrize(
    ("reason", "public"),
    [
        ("MOZ_CRASH(gate)", "MOZ_CRASH(gate)"),
        ("assertion failed: byte index 4", "assertion failed: byte index 4"),
        ("byte index 4 of `jane`", "sanitized--see moz_crash_reason_raw"),
        (" \0byte index 4 of `jane`", "sanitized--see moz_crash_reason_raw"),
        ('Failed to load module "jane.js"', "sanitized--see moz_crash_reason_raw"),
        ("do not use eval with system privileges: jane", "sanitized--see moz_crash_reason_raw"),
    ],
)
def test_a_reason_that_may_hold_a_users_data_is_not_for_everyone(reason, public):
    processed = after(MozCrashReasonRule(), crash({"MozCrashReason": f"{reason} \n"})).processed
    assert processed["moz_crash_reason"] == public
    assert processed["moz_crash_reason_raw"] == reason.replace("\0", "")


@pytest.mark.parametrize("value", [None, " ", {"a": "jane"}])
def test_without_a_reason_there_are_no_fields(value):
    assert after(MozCrashReasonRule(), crash({"MozCrashReason": value})).processed == {}


@pytest.mark.parametrize(("sent", "checked"), [("true", True), ("TRUE", True), ("0", False), (True, True)])
def test_add_ons_are_listed_as_in_2016_and_their_check_is_a_boolean(sent, checked):
    raw = {"Add-ons": "a%40b:1.0,c:2", "EMCheckCompatibility": sent}
    processed = after(InstalledAddonsRule(), crash(raw)).processed
    assert processed == {"addons": [["a@b", "1.0"], ["c", "2"]], "addons_checked": checked}


def test_add_ons_that_were_not_sent_leave_no_field_and_a_bad_check_is_noted():
    found = after(InstalledAddonsRule(), crash({"Add-ons": " ", "EMCheckCompatibility": "perhaps"}))
    assert found.processed == {}
    assert found.notes == ["EMCheckCompatibility is left out: it is not a boolean"]
