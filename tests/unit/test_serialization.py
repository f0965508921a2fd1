from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import math
import pathlib
import re
import signal
import time
import uuid

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.serialization import MAXIMUM_DEPTH, PART, NotJSON, decode, encode

pytestmark = pytest.mark.long

MILLION = 1_000_000
SECONDS = 30
"""Seconds, far more than any of the cases takes; quadratic time would be hours."""

texts = st.text(st.characters(exclude_categories=["Cs"]))
clean_scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | texts
clean_values = st.recursive(
    clean_scalars.filter(lambda value: not (isinstance(value, float) and math.isinf(value))),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)
any_text = st.text(st.characters())
any_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary() | st.datetimes() | st.dates(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(any_text | st.integers() | st.none() | st.floats() | st.booleans(), inner)
    ),
)
almost_json = any_values.map(lambda value: json.dumps(value, default=str).encode("utf-8", "surrogatepass")) | st.lists(
    st.sampled_from(
        [b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\ud800", b"1e400", b"9" * 25, b"NaN", b"-", b" "]
    )
    | st.binary(max_size=3)
).map(b"".join)


def nested(depth: int, opening: bytes = b"[", inside: bytes = b"", closing: bytes = b"]") -> bytes:
    return opening * depth + inside + closing * depth


def depth_of(value: object) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def no_note(text: str) -> None:
    raise AssertionError(text)


@given(clean_values)
def test_a_clean_value_comes_back_as_it_was_without_a_note(value):
    assert decode(encode(value, no_note), no_note) == value


@given(almost_json | st.binary())
def test_any_bytes_give_a_clean_value_or_are_not_json(data):
    try:
        value = decode(data)
    except NotJSON:
        return
    assert orjson.loads(orjson.dumps(value)) == value
    assert decode(encode(value, no_note), no_note) == value


@given(any_values)
def test_whatever_is_encoded_is_decoded_without_a_note(value):
    decode(encode(value), no_note)


@pytest.mark.parametrize(
    ("data", "value", "note"),
    [
        (rb'{"a": "x\ud800y"}', {"a": "x\ufffdy"}, "surrogates"),
        (rb'{"\udc00": 1}', {"\ufffd": 1}, "surrogates"),
        (b'["\xff\xfe"]', ["\ufffd\ufffd"], "not UTF-8"),
        (b"[NaN, -Infinity, 1e400]", [None, None, None], r"null \(3\)"),
        (b"18446744073709551616", "18446744073709551616", "text"),
        (b"-9223372036854775809", "-9223372036854775809", "text"),
        (b'{"a":[1,123456789012345678901234567890]}', {"a": [1, "123456789012345678901234567890"]}, r"text \(1\)"),
        (nested(201), json.loads(nested(200, inside=b"null")), "deeper than 200"),
        (nested(201, b'{"[":', b"1", b"}"), json.loads(nested(200, b'{"[":', b"null", b"}")), "deeper than 200"),
        (nested(1024), json.loads(nested(200, inside=b"null")), "deeper than 200"),
        (nested(5000), json.loads(nested(200, inside=b"null")), "deeper than 200"),
    ],
)
def test_values_that_orjson_refuses_or_loses_are_repaired_with_one_note(data, value, note):
    notes: list[str] = []
    assert decode(data, notes.append) == value
    assert len(notes) == 1
    assert re.search(note, notes[0])


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"18446744073709551615", 2**64 - 1),
        (b"-9223372036854775808", -(2**63)),
        (
            b"[1234567890123456789,12345678901234567890.0,12345678901234567890e3]",
            [1234567890123456789, 12345678901234567890.0, 12345678901234567890e3],
        ),
        (b'["12345678901234567890123"]', ["12345678901234567890123"]),
        (b'["99999999999999999999,99999999999999999999"]', ["99999999999999999999,99999999999999999999"]),
        (rb'["\u0000"]', ["\0"]),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"\xef\xbb\xbf[]", []),
        (b'["tab\there"]', ["tab\there"]),
        (nested(200), json.loads(nested(200))),
        (b'["' + b"[" * 5000 + b'"]', ["[" * 5000]),
        (b"[" + b"{}," * 50_000 + b"1]", [{}] * 50_000 + [1]),
    ],
)
def test_values_that_can_be_kept_are_kept_without_a_note(data, value):
    assert decode(data, no_note) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\0",
        b"{",
        b"[1,]",
        b"{]",
        b"nul",
        b"'a'",
        b"1],[2",
        b"1],[2" + b" " * 100_000,
        b"[" * 300,
        b"]" * 300,
        b"\\",
    ],
)
def test_bytes_that_are_not_json_are_refused(data):
    with pytest.raises(NotJSON, match="not JSON"):
        decode(data)


@pytest.mark.parametrize("depth", [0, 1, MAXIMUM_DEPTH, MAXIMUM_DEPTH + 1, 250, 255, 1023, 1024, 1025, 100_000])
@pytest.mark.parametrize("inside", [b"", b"1", rb'"\ud800"', b'"' + b"x" * 70_000 + b'"'])
def test_the_depth_is_the_same_whichever_parser_read_it(depth, inside):
    data = nested(depth, inside=inside) or b"1"
    if not depth:
        data = inside or b"1"
    assert depth_of(decode(data)) == min(depth, MAXIMUM_DEPTH)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[" * 20 * MILLION, id="open arrays"),
        pytest.param(b'{"a":' * 4 * MILLION, id="open objects"),
        pytest.param(nested(10 * MILLION), id="deep arrays"),
        pytest.param(b"1" * 10 * MILLION, id="long integer"),
        pytest.param(b"[-" + b"1" * 10 * MILLION + b".5]", id="long float"),
        pytest.param(b"1e" + b"9" * 10 * MILLION, id="long exponent"),
        pytest.param(b"[" * 201 + b'"' + b'\\"' * 5 * MILLION, id="open text of escapes"),
        pytest.param(b"[" * 201 + b'"' * 5 * MILLION, id="quotes"),
        pytest.param(b'"' + b"\xff" * 20 * MILLION + b'"', id="not UTF-8"),
        pytest.param(b"[" + b"99999999999999999999," * MILLION + b"0]", id="many long integers"),
        pytest.param(b"[" + b"1111111111111111111," * MILLION + b"0]", id="many integers of 19 digits"),
        pytest.param(b"{" + b'"a":1,' * 3 * MILLION + b'"a":NaN}', id="one key"),
    ],
)
def test_a_large_hostile_text_costs_seconds_at_most(data):
    begun = time.thread_time()
    with contextlib.suppress(NotJSON):
        encode(decode(data), no_note)
    assert time.thread_time() - begun < SECONDS


def wrapped(depth: int, wrap) -> object:
    value: object = 1
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: (value,), lambda value: {"a": value}])
def test_a_value_nested_a_hundred_thousand_deep_is_cut_when_encoded(wrap):
    notes: list[str] = []
    assert depth_of(decode(encode(wrapped(100_000, wrap), notes.append), no_note)) == MAXIMUM_DEPTH
    assert len(notes) == 1


@pytest.mark.parametrize(("depth", "notes"), [(MAXIMUM_DEPTH, 0), (MAXIMUM_DEPTH + 1, 1)])
def test_encoding_cuts_at_the_same_depth_as_decoding(depth, notes):
    noted: list[str] = []
    assert depth_of(json.loads(encode(wrapped(depth, lambda value: [value]), noted.append))) == MAXIMUM_DEPTH
    assert len(noted) == notes


def test_a_value_within_itself_is_cut_there():
    value: list[object] = [1]
    value += [value, value]
    assert encode(value) == b"[1,null,null]"


@pytest.mark.parametrize(
    ("value", "data", "noted"),
    [
        ({"a": "\ud800"}, '{"a":"\ufffd"}', True),
        ({"a": "\ud83d\ude00"}, '{"a":"\U0001f600"}', True),
        ({"a": [math.nan, -math.inf]}, '{"a":[null,null]}', True),
        ({"a": -math.nan}, '{"a":null}', True),
        ([2**64, -(2**63) - 1], '["18446744073709551616","-9223372036854775809"]', True),
        ({1: 1, None: 2, 1.5: 4, False: 5}, '{"1":1,"null":2,"1.5":4,"false":5}', True),
        ([datetime.datetime(2016, 11, 23, 1, 2, 3, tzinfo=datetime.UTC)], '["2016-11-23T01:02:03+00:00"]', False),
        ([datetime.date(2016, 11, 23)], '["2016-11-23"]', False),
        ((1, b"\xff\0", {2}), '[1,"\ufffd\\u0000",[2]]', False),
        (
            [uuid.UUID(int=0), pathlib.PurePath("/a"), decimal.Decimal("1.5")],
            f'["{uuid.UUID(int=0)}","/a","1.5"]',
            False,
        ),
        ([signal.SIGKILL], "[9]", False),
        ([object()], '["object"]', True),
    ],
)
def test_values_outside_json_are_encoded_as_closely_as_possible(value, data, noted):
    notes: list[str] = []
    before = repr(value)
    assert encode(value, notes.append).decode() == data
    assert bool(notes) == noted
    assert repr(value) == before


def test_an_integer_too_long_for_decimal_is_written_in_hexadecimal():
    assert json.loads(encode(1 << 40_000_000)) == hex(1 << 40_000_000)


def test_each_kind_of_repair_is_one_note_with_its_count():
    notes: list[str] = []
    decode(b'["\\ud800", NaN, NaN, "\\udfff", 99999999999999999999]', notes.append)
    assert sorted(notes) == [
        "JSON: NaN and infinite numbers became null (2)",
        "JSON: integers beyond 64 bits became text (1)",
        "JSON: texts with lone surrogates got U+FFFD in their place (2)",
    ]


@pytest.mark.parametrize("before", [0, 1, 18, 19, 20, 30])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_large_integer_is_found_anywhere_in_much_text(before, parts):
    large = 2**64 + 1
    text = "x" * (parts * PART - before - 2)
    assert decode(b'["%b",%d,"%b"]' % (text.encode(), large, text.encode())) == [text, str(large), text]
    digits = "7" * (parts * PART)
    assert decode(b'["%b", 1]' % digits.encode()) == [digits, 1]
