"""The table of fields, and what a configuration adds to it."""

import json

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.fields import FIELDS, FIELDS_BY_NAME, FieldTable
from socorro_processor.fields.field_table import OwnFields, PublicAnnotations
from socorro_processor.rules.fields import FieldsRule
from tests.shared import shared

OURS = {"json_dump.socorro_stackwalk.crashpad", "earlier_signature"}
"""Fields that only our own stackwalker prints, or only the app knows."""


def test_the_table_is_that_of_the_contract():
    rows = json.loads((shared("golden") / "today" / "fields.json").read_text())
    contract = {
        row["name"]: (
            row["type"],
            row["access"],
            row["search"],
            tuple(row["source"].get("annotation", ())),
            row["source"].get("json_dump", ""),
            "computed" in row["source"],
            row.get("default"),
            row.get("name_of_2016", ""),
        )
        for row in rows
    }
    ours = {
        field.name: (
            field.type,
            field.access,
            field.search,
            field.annotations,
            field.json_dump,
            bool(field.computed),
            field.default,
            field.name_of_2016,
        )
        for field in FIELDS
        if field.name not in OURS
    }
    assert ours == contract


def test_field_names_are_unique_and_each_has_a_source_and_a_description():
    assert len(FIELDS_BY_NAME) == len(FIELDS)
    assert [field.name for field in FIELDS if not (field.annotations or field.json_dump or field.computed)] == []
    assert [field.name for field in FIELDS if not field.doc or field.doc.endswith(".")] == []


def test_an_annotation_that_no_field_names_is_protected_unless_the_configuration_names_it():
    assert not FieldTable().is_public("CrashCount")
    assert table(public_annotations="Theme, CrashCount").is_public("CrashCount")


@pytest.mark.parametrize("name", ["ProductName", "prod", "sentry[release]", "Android_CPU_ABI", "PluginName"])
def test_an_annotation_of_only_public_fields_is_public(name):
    assert FieldTable().is_public(name)


@pytest.mark.parametrize(
    "name",
    ["URL", "comments", "email", "guid", "metadata", "MozCrashReason", "JavaStackTrace", "exception_info", "sentry"],
)
def test_an_annotation_that_a_protected_field_holds_is_protected(name):
    assert not FieldTable().is_public(name)


def table(**options: str) -> FieldTable:
    return FieldTable.of(defaults(FieldsRule, **options))


def own(**row: object) -> str:
    return json.dumps([{"name": "album", "annotations": ["Album"], **row}])


def test_an_own_field_is_a_protected_text_unless_it_says_more():
    field = table(own_fields=own()).by_name["album"]
    assert (field.type, field.access, field.search) == ("string", "protected", "keyword")
    assert not table(own_fields=own()).is_public("Album")
    assert table(own_fields=own(access="public")).is_public("Album")


def test_an_own_protected_field_protects_its_annotations():
    assert not table(own_fields=own(annotations=["Notes"])).is_public("Notes")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("album", "Expecting value"),
        ('{"name": "album"}', "a JSON list of objects"),
        ('["album"]', "a field is an object"),
        (own(name="Album"), "small letters"),
        (own(name="a.b"), "small letters"),
        (own(name="a" * 101), "small letters"),
        (own(name="product"), "taken"),
        (own(name="cpu_name"), "taken"),
        (own(name="upload_file_minidump_x"), "taken"),
        (own(type="text"), "its type must be one of"),
        (own(search="number"), "its search must be one of keyword, text, no"),
        (own(access="secret"), "its access must be one of"),
        (own(access=["public"]), "its access must be one of"),
        (own(annotations=[]), "it has no source"),
        (own(annotations="Album"), "a list of names"),
        (own(json_dump="a..b"), "a path"),
        (own(default=[1]), "its default"),
        (own(type="integer", default="x"), "it is not a whole number"),
        (own(kind="x"), "'kind' is not a key of a field"),
        (own(annotations=["URL"], access="public"), "protected, as that of url"),
        (own(json_dump="handles.0.name", access="public"), "protected, as that of json_dump.handles"),
        (own(json_dump="crash_info", access="public"), "protected, as that of json_dump.crash_info.memory_accesses"),
        (own(json_dump="threads.0.frames.0.registers.rax", access="public"), "protected"),
        (json.dumps([*json.loads(own()), *json.loads(own())]), "two fields are named 'album'"),
    ],
)
def test_a_bad_own_field_is_refused_with_the_reason(text, why):
    with pytest.raises(ValueError, match=why):
        OwnFields(text)


@pytest.mark.parametrize("name", ["URL", "MozCrashReason", "comments"])
def test_an_annotation_that_a_field_protects_cannot_be_made_public(name):
    with pytest.raises(ValueError, match=f"{name} stays protected"):
        PublicAnnotations(f"Theme, {name}")


def test_options_are_written_as_they_were_read():
    assert OwnFields(own()).to_str() == own()
    assert PublicAnnotations(" Theme,CrashCount ,").to_str() == "Theme, CrashCount"
