"""The annotations of a stored crash, where its raw crash has none."""

from __future__ import annotations

from socorro_processor.signing.stored_crashes import crash_to_sign

FIELDS = {
    "abort_message": "no gate",
    "oom_allocation_size": 8,
    "java_stack_trace": "a.B\n\tat c.D.e(D.java:1)",
    "java_exception": {"exception": {}},
    "uptime": 7,
}
OF_2026 = FIELDS | {"processing": {"algorithm": 2026}}


def test_a_crash_of_2026_has_the_annotations_that_its_fields_keep():
    assert crash_to_sign("id", {}, OF_2026).raw == {
        "AbortMessage": "no gate",
        "OOMAllocationSize": 8,
        "JavaStackTrace": "a.B\n\tat c.D.e(D.java:1)",
        "JavaException": {"exception": {}},
    }


def test_a_field_with_the_messages_comes_before_the_one_without():
    unabridged = {"java_stack_trace_raw": "a.B: jane\n\tat c.D.e(D.java:1)"}
    assert crash_to_sign("id", {}, OF_2026 | unabridged).raw["JavaStackTrace"] == unabridged["java_stack_trace_raw"]


def test_what_was_sent_comes_before_what_a_field_keeps():
    assert crash_to_sign("id", {"AbortMessage": "sent"}, OF_2026).raw["AbortMessage"] == "sent"


def test_a_crash_of_2015_keeps_its_java_stack_only():
    assert list(crash_to_sign("id", {}, FIELDS).raw) == ["JavaStackTrace"]
