"""Whatever comes over the socket is either a question or refused."""

from __future__ import annotations

import json
import socket

from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.stackwalk.question import LONGEST_QUESTION, BadQuestion, Question, receive

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=5,
)
_KEYS = ("number", "debug_file", "debug_id")


def received(message: bytes) -> Question | BadQuestion | None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.send(message)
        try:
            return receive(ours, bytearray(LONGEST_QUESTION))
        except BadQuestion as error:
            return error


@given(st.integers(0, 2**32 - 1), st.text(max_size=1000), st.text(max_size=1000))
def test_a_question_is_read_as_it_was_asked(number, debug_file, debug_id):
    message = json.dumps({"number": number, "debug_file": debug_file, "debug_id": debug_id, "more": 1}).encode()
    assert received(message) == Question(number, debug_file, debug_id)


def test_the_longest_names_are_taken():
    name = "\x01" * 4096
    content = {"number": 2**32 - 1, "debug_file": name, "debug_id": "0" * 40, "code_file": name, "code_id": name}
    assert received(json.dumps(content).encode()) == Question(2**32 - 1, name, "0" * 40)


@given(st.binary(min_size=1) | st.dictionaries(st.sampled_from(_KEYS), _VALUES).map(lambda it: json.dumps(it).encode()))
def test_anything_else_is_refused_with_a_reason(message):
    result = received(message)
    assert isinstance(result, Question | BadQuestion)
    if isinstance(result, Question):
        assert set(json.loads(message)) == set(_KEYS)
