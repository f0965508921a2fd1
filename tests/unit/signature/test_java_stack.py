"""Java stack traces as clients send them, and texts that only look like one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.signature.java_stack import JavaException, read_exception_object, read_printed_stack

STACK = "\tat org.ferry.Deck.open(Deck.java:12)\n\tat org.ferry.Main.run(Main.java:9)\n"


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        (f"java.lang.Error: x\n{STACK}", "java.lang.Error: at org.ferry.Deck.open(Deck.java)"),
        (f"\n\njava.lang.Error\r\n{STACK}", "java.lang.Error: at org.ferry.Deck.open(Deck.java)"),
        (f"Mutiny: x\n{STACK}", "Mutiny: at org.ferry.Deck.open(Deck.java)"),
        ("java.lang.OutOfMemoryError", "java.lang.OutOfMemoryError"),
        ("java.lang.OutOfMemoryError: of jane\n\t... 3 more", "java.lang.OutOfMemoryError"),
        # A message of several lines may look like a stack.
        (f"a.B: the\nat noon\nat last (jane)\n{STACK}", "a.B: at org.ferry.Deck.open(Deck.java)"),
        # The last cause counts, with its own frame or none.
        (f"a.B: x\n{STACK}Caused by: c.D: y\n\tat e.F.g(F.kt:3)\nCaused by: h.I\n\t... 2 more", "h.I"),
        (f"a.B: x\n{STACK}Caused by: nothing that anybody knows\n", "a.B: at org.ferry.Deck.open(Deck.java)"),
        # Suppressed exceptions and their causes do not count.
        (f"a.B\n\tSuppressed: c.D\n\t\tat e.F.g(F.kt:3)\n\tCaused by: h.I\n\t\tat j.K.l(K.kt:3)\n{STACK}", "a.B"),
        (
            f"a.B\n{STACK}\tSuppressed: c.D\n\t\tat e.F.g(F.kt:3)\n\tCaused by: h.I\nCaused by: m.N\n\tat o.P.q(P.kt)",
            "m.N: at o.P.q(P.kt)",
        ),
        (f"a.B\n{STACK}Suppressed: c.D\nat e.F.g(F.kt:3)\nCaused by: h.I\nat j.K.l(K.kt:3)", "h.I: at j.K.l(K.kt)"),
        # Parts of a frame that differ between builds and runs.
        ("a.B\n at java.base@17.0.2/java.lang.Thread.run(T:833)", "a.B: at java.base/java.lang.Thread.run(T)"),
        ("a.B\n at app//org.ferry.Deck.open(D.java:12) ~[ferry.jar:1.2]", "a.B: at app//org.ferry.Deck.open(D.java)"),
        ("a.B\n at o.Y$$Lambda/0x00007f3a.run(Unknown Source)", "a.B: at o.Y$$Lambda.run(Unknown Source)"),
        ("a.B\n at o.Y$$Lambda$7/1418481495.run(Unknown Source)", "a.B: at o.Y$$Lambda.run(Unknown Source)"),
        ("a.B\n at o.Y$$LambdaRunner.run(Y.java:-2)", "a.B: at o.Y$$LambdaRunner.run(Y.java)"),
        ("a.B\n at sun.misc.Unsafe.park(Native Method)", "a.B: at sun.misc.Unsafe.park(Native Method)"),
        ("a.B\n at b.c.d()", "a.B: at b.c.d"),
        ('Exception in thread "a "b" c" a.B: x\n at b.c.d(E.java:1)', "a.B: at b.c.d(E.java)"),
        # Not a stack.
        ("", None),
        ("jane", None),
        ("jane: at home\n", None),
        ("the gate is stuck\n\tat b.c.d(E.java:1)", None),
    ],
)  # fmt: skip
def test_a_printed_stack_is_read_by_its_last_cause(text, signature):
    exception = read_printed_stack(text)

    assert (None if exception is None else str(exception)) == signature


FRAME = {"module": "org.ferry.Deck", "function": "open", "filename": "Deck.kt", "lineno": 3}


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ({"stacktrace": {"type": "E", "module": "a.b", "frames": [FRAME]}}, ("a.b.E", "org.ferry.Deck.open(Deck.kt)")),
        ({"type": "E", "module": "a.b", "stacktrace": {"frames": [FRAME]}}, ("a.b.E", "org.ferry.Deck.open(Deck.kt)")),
        ({"type": "E", "stacktrace": {"frames": [{"function": "open"}]}}, ("E", "open")),
        ({"type": "E", "module": "a.b"}, ("a.b.E", "")),
        ({"type": "E", "stacktrace": {"frames": []}}, ("E", "")),
        ({"type": "E", "stacktrace": {"frames": [{"module": "org.ferry.Deck"}]}}, ("E", "")),
        ({"type": "E", "stacktrace": {"frames": {"0": FRAME}}}, ("E", "")),
        ({"module": "a.b", "stacktrace": {"frames": [FRAME]}}, None),
        ({"type": 3}, None),
        ("E", None),
        (None, None),
    ],
)
def test_an_exception_that_is_an_object_is_read_by_its_first_value(first, expected):
    exception = read_exception_object({"exception": {"values": [first, {"type": "Second"}]}})

    assert exception == (expected and JavaException(*expected))


@pytest.mark.parametrize("value", [None, [], "x", 1, {}, {"exception": None}, {"exception": {"values": {}}}])
def test_any_other_object_is_not_an_exception(value):
    assert read_exception_object(value) is None


@given(st.text(alphabet="\n\t .:@$/()aC0", max_size=200))
def test_any_text_can_be_read(text):
    read_printed_stack("a.B\n" + text)


@pytest.mark.parametrize("part", ["a.", "@", "(", "at a.", "\n\t", '" ', "$$Lambda$1", "Caused by: a.B\n", "a-", ":1"])
def test_the_time_is_in_proportion_to_the_length(part):
    begun = time.thread_time()

    read_printed_stack("a.B\n at " + part * 500_000)
    read_printed_stack('Exception in thread "' + part * 500_000)

    assert time.thread_time() - begun < 30
