"""Java stack traces, line by line: what everyone may see of them, and what they are signed as."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.signature.java_lines import Kind, read_lines
from socorro_processor.signature.java_stack import read_printed_stack

FRAME = "\tat org.harbor.Crane.lift(Crane.java:212)"
FRAME_IN_SIGNATURE = "at org.harbor.Crane.lift(Crane.java)"


def without_messages(text: str) -> str | None:
    lines = read_lines(text)
    return None if lines is None else "\n".join(map(str, lines))


@pytest.mark.parametrize(
    ("text", "public", "signature"),
    [
        # The message, of any number of lines, whatever it looks like.
        (f"java.lang.Error: jane\n{FRAME}", f"java.lang.Error\n{FRAME}", "java.lang.Error"),
        (f"java.lang.Error\n{FRAME}\n\n", f"java.lang.Error\n{FRAME}", "java.lang.Error"),
        (f"\n\njava.lang.Error: \r\n{FRAME}\r\n", f"java.lang.Error\n{FRAME}", "java.lang.Error"),
        (f"a.B: jane: lost\n{FRAME}", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: jane\n  wrote:\n  at 10:30 by jane\n{FRAME}", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: jane\nat jane (home)\n{FRAME}", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: jane\n  at jane(home)\n{FRAME}", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: jane\n  at .jane(home)\n{FRAME}", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: jane\n  at jane).doe(home)\n{FRAME}", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: x\n{FRAME} of jane", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: x\n{FRAME}\n\t[CIRCULAR REFERENCE: a.B: jane]", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: x\n{FRAME}\n\t... 2 more of jane", f"a.B\n{FRAME}\n\t... 2 more", "a.B"),
        (f"a.B: x\nCaused by: jane\nSuppressed: jane\n\tSuppressed: jane\n{FRAME[1:]}", f"a.B\n{FRAME[1:]}", "a.B"),
        (f"a.B: x\nSuppressed: nothing of jane\n{FRAME}", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: x\n{FRAME}\nCaused by: jane", f"a.B\n{FRAME}", "a.B"),
        (f"a.B: x\n{FRAME}\nCaused by: jane wrote: x", f"a.B\n{FRAME}", "a.B"),
        # Classes of all kinds.
        (f"a: jane\n{FRAME}", f"a\n{FRAME}", "a"),
        (f"org.harbor.Crane$Hook: x\n{FRAME}", f"org.harbor.Crane$Hook\n{FRAME}", "org.harbor.Crane$Hook"),
        (f"org.harbor.Crane-Hook: x\n{FRAME}", f"org.harbor.Crane-Hook\n{FRAME}", "org.harbor.Crane-Hook"),
        (f"java.base/java.lang.Error: x\n{FRAME}", f"java.base/java.lang.Error\n{FRAME}", "java.base/java.lang.Error"),
        (f"org.harbor.Lost/0x0800c030: x\n{FRAME}", f"org.harbor.Lost/0x0800c030\n{FRAME}", "org.harbor.Lost"),
        (f"Überlauf : x\n{FRAME}", f"Überlauf\n{FRAME}", "Überlauf"),
        # The name of a thread.
        (f'Exception in thread "crane of jane" a.B: x\n{FRAME}', f"a.B\n{FRAME}", "a.B"),
        (f'Exception in thread "main" a.B: he said "x" jane\n{FRAME}', f"a.B\n{FRAME}", "a.B"),
        (f'Exception in thread "a "b" c" a.B: x\n{FRAME}', f"a.B\n{FRAME}", "a.B"),
        # Other exceptions.
        (
            f"a.B: x\n{FRAME}\n\tSuppressed: c.D: jane\n\t{FRAME}\nCaused by: e.F: jane\n{FRAME}\n\t... 2 more",
            f"a.B\n{FRAME}\n\tSuppressed: c.D\n\t{FRAME}\nCaused by: e.F\n{FRAME}\n\t... 2 more",
            "e.F",
        ),
        (f"a.B\n{FRAME}\nCaused by: e\n{FRAME}", f"a.B\n{FRAME}\nCaused by: e\n{FRAME}", "e"),
        (f"a\nCaused by: e.F\n{FRAME}", f"a\nCaused by: e.F\n{FRAME}", "e.F"),
        (
            f"a.B\n{FRAME}\n\tSuppressed: jane is lost\n\t{FRAME}\n\tCaused by: e.F\n\t{FRAME}",
            f"a.B\n{FRAME}\n\tSuppressed:\n\t{FRAME}\n\tCaused by: e.F\n\t{FRAME}",
            "a.B",
        ),
    ],
)  # fmt: skip
def test_no_line_of_a_message_is_left_of_a_stack(text, public, signature):
    assert without_messages(text) == public
    assert str(read_printed_stack(text)) == f"{signature}: {FRAME_IN_SIGNATURE}"


@pytest.mark.parametrize(
    ("text", "public", "signature"),
    [
        ("java.lang.OutOfMemoryError: jane's box", "java.lang.OutOfMemoryError", "java.lang.OutOfMemoryError"),
        ("java.lang.OutOfMemoryError", "java.lang.OutOfMemoryError", "java.lang.OutOfMemoryError"),
        ("a.B: x\nCaused by: c.D: jane", "a.B\nCaused by: c.D", "c.D"),
        (f"a.B\n{FRAME}\nCaused by: e\n\t... 2 more", f"a.B\n{FRAME}\nCaused by: e\n\t... 2 more", "e"),
        (f"a.B: x\n{FRAME}\nCaused by: e.F", f"a.B\n{FRAME}\nCaused by: e.F", "e.F"),
    ],
)
def test_a_class_without_frames_is_enough_where_it_is_surely_one(text, public, signature):
    assert without_messages(text) == public
    assert str(read_printed_stack(text)) == signature


@pytest.mark.parametrize(
    ("frame", "signature"),
    [
        ("java.base/java.lang.Thread.run(Thread.java:829)", "java.base/java.lang.Thread.run(Thread.java)"),
        ("java.base@17.0.2/java.lang.Thread.run(T:8)", "java.base/java.lang.Thread.run(T)"),
        ("app//org.harbor.Crane.lift(Crane.java:1)", "app//org.harbor.Crane.lift(Crane.java)"),
        ("c.D.<init>(Unknown Source)", "c.D.<init>(Unknown Source)"),
        ("okio.-Util.size(-Util.kt:3)", "okio.-Util.size(-Util.kt)"),
        ("c.D-E.f-g(Native Method)", "c.D-E.f-g(Native Method)"),
        ("c.D.e()", "c.D.e"),
        ("o.Y$$Lambda$14/0x0800c030.run(Unknown Source)", "o.Y$$Lambda.run(Unknown Source)"),
        ("c.Form$MH/0x0800c030.invoke(Form$MH)", "c.Form$MH.invoke(Form$MH)"),
        ("c.Form$MH/1418481495.invoke(Form$MH)", "c.Form$MH.invoke(Form$MH)"),
    ],
)
def test_a_frame_is_shown_whole_and_signed_without_what_differs(frame, signature):
    assert without_messages(f"a.B: x\n    at {frame}\n") == f"a.B\n    at {frame}"
    assert str(read_printed_stack(f"a.B: x\n    at {frame}\n")) == f"a.B: at {signature}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the gate of jane@example.com is stuck",
        f"the gate of jane is stuck\n{FRAME}",
        "jane",
        "jane: the gate is stuck",
        "jane.doe",
        "jane.doe: the gate is stuck",
        "jane: the gate is stuck\n\t... 2 more",
        "jane: the gate is stuck\nCaused by: a.B",
        f"{FRAME}\n{FRAME}",
        f"jane@example.com: x\n{FRAME}",
        'Exception in thread "jane',
        'Exception in thread "jane" ',
        "{}",
        ":",
    ],
)
def test_other_texts_are_not_stacks(text):
    assert read_lines(text) is None
    assert read_printed_stack(text) is None


def test_a_line_says_its_kind_name_and_file():
    lines = read_lines(f"a.B\n{FRAME}\n\tSuppressed: c.D\n\t\t... 2 more\nCaused by: e.F")
    assert lines is not None
    assert [(line.kind, line.name, line.file) for line in lines] == [
        (Kind.THROWN, "a.B", ""),
        (Kind.FRAME, "org.harbor.Crane.lift", "Crane.java:212"),
        (Kind.SUPPRESSED, "c.D", ""),
        (Kind.MORE, "", ""),
        (Kind.CAUSE, "e.F", ""),
    ]


@given(st.text(alphabet="\n\t .:@$/()aB0-", max_size=200))
def test_no_text_is_too_odd(text):
    public = without_messages(text)
    assert (public is None) == (read_printed_stack(text) is None)
    # What is shown is a stack, too, and shows nothing else.
    assert public is None or without_messages(public) == public


@pytest.mark.parametrize(
    "line",
    [
        "a$" * 500_000,
        "a." * 500_000,
        "a-" * 500_000,
        "\tat " + "a." * 500_000,
        "\tat a.b(" * 100_000,
        " " * 1_000_000,
        "Caused by: " * 90_000,
        "Caused by: a\n" * 20_000,
        "Suppressed: a\n" * 20_000,
        '" ' * 500_000,
        "\n" * 1_000_000,
    ],
)
def test_a_hostile_stack_costs_little(line):
    before = time.thread_time()
    read_lines(line)
    read_lines(f'Exception in thread "{line}')
    read_lines(f"a.B: x\n{line}")
    read_lines(f"a.B: x\n{FRAME}\n" + f"{line[:100]}\n" * 2_000)
    assert time.thread_time() - before < 10
