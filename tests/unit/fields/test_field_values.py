"""The value of an annotation in the type and form of its field."""

import json
import time
from contextlib import suppress

import pytest

from socorro_processor.fields import FIELDS_BY_NAME
from socorro_processor.fields.forms import FORMS
from socorro_processor.fields.values import NotOfType, converted, is_empty

WRONG = object()
TYPES = ("string", "integer", "number", "boolean", "date", "array", "object")


@pytest.mark.parametrize(
    ("field_type", "value", "expected"),
    [
        ("string", "cargo \0list\0 \n", "cargo list"),
        ("string", "  cargo", "  cargo"),
        ("string", 52, "52"),
        ("string", True, "true"),
        ("string", 1.5, "1.5"),
        ("string", {"a": 1}, WRONG),
        ("string", ["a"], WRONG),
        ("boolean", "1", True),
        ("boolean", "0", False),
        ("boolean", " TRUE\0 ", True),
        ("boolean", "False", False),
        ("boolean", True, True),
        ("boolean", 0, False),
        ("boolean", "yes", WRONG),
        ("boolean", "perhaps", WRONG),
        ("boolean", "01", WRONG),
        ("boolean", "\uff11", WRONG),
        ("boolean", 2, WRONG),
        ("boolean", 1.0, WRONG),
        ("boolean", [True], WRONG),
        ("integer", "17179869184", 17179869184),
        ("integer", " -7 ", -7),
        ("integer", "+7\0", 7),
        ("integer", 7, 7),
        ("integer", 7.0, 7),
        ("integer", "7.0", WRONG),
        ("integer", "7.5", WRONG),
        ("integer", 7.5, WRONG),
        ("integer", "0x10", WRONG),
        ("integer", "1_000", WRONG),
        ("integer", "\u0667", WRONG),
        ("integer", "lots", WRONG),
        ("integer", True, WRONG),
        ("integer", str(2**63 - 1), 2**63 - 1),
        ("integer", str(2**63), WRONG),
        ("integer", 2**64, WRONG),
        ("integer", "9" * 1_000_000, WRONG),
        ("integer", float("inf"), WRONG),
        ("integer", float("nan"), WRONG),
        ("number", "12.5", 12.5),
        ("number", "12", 12.0),
        ("number", 12, 12.0),
        ("number", "-1e3", -1000.0),
        ("number", ".5", 0.5),
        ("number", "nan", WRONG),
        ("number", "inf", WRONG),
        ("number", "1e999", WRONG),
        ("number", "1_0", WRONG),
        ("number", "soon", WRONG),
        ("number", False, WRONG),
        ("date", "2026-11-24T10:00:00+01:00", "2026-11-24T09:00:00+00:00"),
        ("date", "2026-11-24 10:00:00", "2026-11-24T10:00:00+00:00"),
        ("date", "0001-01-01T00:00:00+14:00", WRONG),
        ("date", "yesterday", WRONG),
        ("date", {}, WRONG),
        ("array", '["a\\u0000b", 1]', ["ab", 1]),
        ("array", ["a\0b"], ["ab"]),
        ("array", "{}", WRONG),
        ("array", "a, b", WRONG),
        ("object", '{"a\\u0000": {"b": ["\\u0000c"]}}', {"a": {"b": ["c"]}}),
        ("object", {"a": 1}, {"a": 1}),
        ("object", "[]", WRONG),
        ("object", "not JSON", WRONG),
        ("object", '"\ud800', WRONG),
    ],
)
def test_a_value_is_read_as_its_type_or_refused(field_type, value, expected):
    if expected is WRONG:
        with pytest.raises(NotOfType, match="it is not "):
            converted(value, field_type)
    else:
        read = converted(value, field_type)
        assert (read, type(read)) == (expected, type(expected))


@pytest.mark.parametrize("value", [None, "", " ", "\0", " \t\0\n", "\u3000"])
def test_null_and_a_text_of_white_space_and_nul_characters_are_empty(value):
    assert is_empty(value)


@pytest.mark.parametrize("value", ["0", 0, False, "a", [], {}])
def test_any_other_value_is_not_empty(value):
    assert not is_empty(value)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("process_type", "main", "parent"),
        ("process_type", "browser ", "parent"),
        ("process_type", "gpu-process", "gpu-process"),
        ("process_type", [], WRONG),
        ("utility_actors_name", "audio-decoder, js-oracle,,", ["audio-decoder", "js-oracle"]),
        ("utility_actors_name", ["audio-decoder", " "], ["audio-decoder"]),
        ("utility_actors_name", " , ", None),
        ("utility_actors_name", {"a": 1}, WRONG),
        ("list_annotations", "abort() called\r\n  crane: a, b \n\n\0\n", ["abort() called", "  crane: a, b"]),
        ("list_annotations", "\n\n", None),
        ("breadcrumbs", "[]", []),
        ("breadcrumbs", [{"message": "a\0"}], [{"message": "a"}]),
        ("breadcrumbs", {"values": [{"message": "a"}]}, [{"message": "a"}]),
        ("breadcrumbs", ' {"values": [{}]}', [{}]),
        ("breadcrumbs", '{"values": {"message": "a"}}', WRONG),
        ("breadcrumbs", '{"message": "a"}', WRONG),
        ("breadcrumbs", '[{"message": "a"}, "b"]', WRONG),
        ("breadcrumbs", '{"values": [', WRONG),
        ("breadcrumbs", 7, WRONG),
        ("crash_inconsistencies", ["a"], ["a"]),
        ("crash_inconsistencies", [1], WRONG),
        ("cpu_microcode_version", 429, "0x1ad"),
        ("cpu_microcode_version", "0x1ad", "0x1ad"),
        ("phc_base_address", "8335888", "0x7f3210"),
        ("phc_base_address", 8335888, "0x7f3210"),
        ("phc_base_address", str(2**64 - 16), "0xfffffffffffffff0"),
        ("phc_base_address", "-1", WRONG),
        ("phc_base_address", "0x7f3210", WRONG),
        ("phc_base_address", str(2**64), WRONG),
        ("phc_base_address", True, WRONG),
        ("mac_boot_args", " keepsyms=1 ", "keepsyms=1"),
        ("mac_crash_info", {"records": [], "num_records": 0}, None),
        ("mac_crash_info", {"num_records": 0}, None),
        (
            "mac_crash_info",
            {"b": 1, "records": [{"z": "ö", "a": 1}]},
            r'{"b": 1, "records": [{"a": 1, "z": "\u00f6"}]}',
        ),
        ("mac_crash_info", "words", WRONG),
        ("soft_errors", [], None),
        ("soft_errors", [{"b": 1, "a": "x"}], '[{"a": "x", "b": 1}]'),
        ("soft_errors", 3, WRONG),
        ("async_shutdown_timeout", '{"phase": "a"} ', '{"phase": "a"}'),
        ("async_shutdown_timeout", {"phase": "a"}, '{"phase": "a"}'),
    ],
)
def test_a_value_takes_the_form_of_its_field(field, value, expected):
    if expected is WRONG:
        with pytest.raises(NotOfType):
            FORMS[field](value)
    else:
        assert FORMS[field](value) == expected


HOSTILE = {
    "digits": "9" * 1_000_000,
    "spaces": " " * 1_000_000 + "x",
    "NULs": "\0" * 1_000_000,
    "commas": "," * 1_000_000,
    "line ends": "\r\n" * 500_000,
    "brackets": "[" * 1_000_000,
    "objects": '{"values":' * 100_000,
    "exponents": "1e" * 500_000,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_of_a_million_characters_costs_little(value):
    before = time.thread_time()
    for read in (*FORMS.values(), *(lambda text, kind=kind: converted(text, kind) for kind in TYPES), is_empty):
        with suppress(NotOfType):
            read(value)
    assert time.thread_time() - before < 10


def test_each_form_belongs_to_a_field_of_the_table():
    assert FORMS.keys() <= FIELDS_BY_NAME.keys()
    assert json.loads(FORMS["soft_errors"]([{"a": 1}])) == [{"a": 1}]
