"""The signature of a Java stack."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.signature.java_signature import NO_STACK, JavaSignatureTool
from tests.cpu_time import cpu_seconds

TOOL = JavaSignatureTool()


@pytest.mark.parametrize(
    ("stack_trace", "signature"),
    [
        ("a.B: c\n\tat d.E.f(E.java:12)", "a.B: c at d.E.f(E.java)"),
        ("a.B: c@1234abcd\n\tat d.E.f(E.java:12)", "a.B: c@<addr>: at d.E.f(E.java)"),
        ("a.B: c@1234abcd d\n\tat d.E.f(E.java:12)", "a.B: c@<addr> d at d.E.f(E.java)"),
        ("a.B: c@1234\n\tat d.E.f(E.java:12)", "a.B: c@1234 at d.E.f(E.java)"),
        ("a.B: c: d\n\tat d.E.f(E.kt:12)", "a.B: c: d at d.E.f(E.kt)"),
        ("a.B: c\n\tat d.E.f(Native Method)", "a.B: c at d.E.f(Native Method)"),
        ("a.B: c\nof two lines\n\tat d.E.f(E.java:12)\n\tat g", "a.B: c at d.E.f(E.java)"),
        ("a.B: c\nat offset 12 of /data/a.txt\n\tat d.E.f(E.java:12)", "a.B: c at d.E.f(E.java)"),
        ("a.B: c\nat line 3 (in d)\n\tat d.E.<init>(E.java:12)", "a.B: c at d.E.<init>(E.java)"),
        ("a.B: c\nd.E.f(E.java:12)", "a.B: c d.E.f(E.java)"),
        ("a.B\n\tat d.E.f(E.java:12)", "a.B: at d.E.f(E.java)"),
        ("a.B: c\n\n", "a.B: c"),
        ("a.B", "a.B"),
        ("a.B: it's", "a.B: it''s"),
        (f"a.B: {'c' * 255}\n\tat d.E.f(E.java:12)", "a.B: at d.E.f(E.java)"),
        (f"{'B' * 300}: c", "B" * 252 + "..."),
        (["a.B: c"], NO_STACK),
    ],
)
def test_a_java_signature_names_what_was_thrown_why_and_where(stack_trace, signature):
    assert TOOL.generate(stack_trace)[0] == signature


@pytest.mark.parametrize(
    ("stack_trace", "notes"),
    [
        ("a.B: c\n\tat d", []),
        ("a.B\n\tat d", ["line 1 "]),
        ("a.B: c", ["line 2 of the Java stack trace is missing"]),
        ("a.B: c\n\n", ["line 2 of the Java stack trace is empty"]),
        (f"a.B: {'c' * 255}\n\tat d", ["left out"]),
        (f"{'B' * 300}: c\n\tat d", ["left out", "cut"]),
        (7, ["int"]),
    ],
)
def test_a_note_says_what_is_wrong_with_a_java_stack(stack_trace, notes):
    told = TOOL.generate(stack_trace)[1]

    assert len(told) == len(notes)
    assert all(part in note for part, note in zip(notes, told, strict=True))


@given(st.text() | st.integers() | st.lists(st.text(), max_size=2))
def test_whatever_the_stack_is_there_is_a_signature_of_a_stored_length(stack_trace):
    signature, _ = TOOL.generate(stack_trace)

    assert len(signature) <= 255
    assert isinstance(signature, str)


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 100_000,
        "@" * 100_000,
        "a:1)" * 25_000,
        "at " * 30_000,
        "at " + "(" * 90_000,
        ("at " + "a(" * 2000 + "\n") * 25,
        "'" * 100_000,
    ],
)
def test_a_long_stack_takes_no_time(text):
    assert cpu_seconds(lambda: TOOL.generate(text)) < 0.25
