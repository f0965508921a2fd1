"""The names of the program, which each kind of client sends under other names."""

from __future__ import annotations

import json

import pytest

from socorro_processor.rules.client_names import ClientNamesRule
from tests.unit.rules.fields_of_crashes import after, crash

NAMES = ("product", "version", "release_channel", "build")
FRAMEWORK = ("framework", "framework_version")


def names(raw: dict[str, object]) -> tuple[object, ...]:
    processed = after(ClientNamesRule(), crash(raw)).processed
    assert not any(name in processed for name in FRAMEWORK)
    return tuple(processed[name] for name in NAMES)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, ("", "", "", "")),
        (
            {"ProductName": "Crane", "Version": "4", "ReleaseChannel": "beta", "BuildID": "7", "prod": "x", "ver": "y"},
            ("Crane", "4", "beta", "7"),
        ),
        ({"product": "Crane", "version": "4", "channel": "beta", "build": "7"}, ("Crane", "4", "beta", "7")),
        ({"prod": "Crane", "ver": "4", "release_channel": "dev"}, ("Crane", "4", "dev", "")),
        ({"product": "Crane", "prod": "Chrome", "version": "\0 ", "ver": "4"}, ("Crane", "4", "", "")),
        ({"ProductName": None, "product": "Crane \n"}, ("Crane", "", "", "")),
        ({"ProductName": {"a": 1}, "prod": "Crane"}, ("Crane", "", "", "")),
        ({"Version": 52, "BuildID": 2026}, ("", "52", "", "2026")),
        ({"sentry[release]": "crane@4.2.1+77"}, ("crane", "4.2.1", "", "77")),
        ({"sentry[release]": "crane@4.2.1"}, ("crane", "4.2.1", "", "")),
        ({"sentry[release]": "@harbor/crane@4.2.1-rc.1+77.2"}, ("@harbor/crane", "4.2.1-rc.1", "", "77.2")),
        ({"sentry[release]": "4.2.1+77"}, ("", "4.2.1+77", "", "")),
        ({"sentry[release]": "crane@"}, ("crane", "", "", "")),
        ({"sentry[release]": "crane@4+"}, ("crane", "4", "", "")),
        ({"sentry[release]": "crane@4+7", "ver": "5"}, ("crane", "5", "", "7")),
        ({"sentry[environment]": " staging", "channel": ""}, ("", "", "staging", "")),
        ({"sentry[environment]": "staging", "channel": "stable"}, ("", "", "stable", "")),
        ({"sentry": '{"release": "crane@4+7", "environment": "dev"}'}, ("crane", "4", "dev", "7")),
        ({"sentry": {"release": "crane@4+7", "environment": None}}, ("crane", "4", "", "7")),
        ({"sentry": '{"release": "crane@4"}', "sentry[release]": "crane@5"}, ("crane", "5", "", "")),
        ({"sentry": '{"environment": "dev"}', "sentry[release]": "crane@5"}, ("crane", "5", "dev", "")),
        ({"sentry": '{"release": 4}'}, ("", "4", "", "")),
    ],
)
def test_the_first_name_that_is_not_empty_counts_in_the_order_of_clients(raw, expected):
    assert names(raw) == expected


@pytest.mark.parametrize("value", ["not JSON", "[]", '{"release": ["a"]}', 7])
def test_a_sentry_annotation_of_another_form_is_noted_and_left_out(value):
    found = after(ClientNamesRule(), crash({"sentry": value}))
    assert found.processed["version"] == ""
    (note,) = found.notes
    assert note.startswith("sentry is left out: ")


def test_if_an_application_has_names_of_its_own_prod_and_ver_are_its_frameworks():
    raw = {"_productName": "Crane Desktop", "_version": "7.0.3", "prod": "Electron", "ver": "33.2.0"}
    processed = after(ClientNamesRule(), crash(raw)).processed
    assert [processed[name] for name in (*NAMES, *FRAMEWORK)] == [
        "Crane Desktop",
        "7.0.3",
        "",
        "",
        "Electron",
        "33.2.0",
    ]


def test_the_version_of_a_framework_is_not_that_of_an_application_that_names_none():
    processed = after(
        ClientNamesRule(), crash({"_productName": "Crane", "prod": "Electron", "ver": "33.2.0"})
    ).processed
    assert (processed["product"], processed["version"], processed["framework_version"]) == ("Crane", "", "33.2.0")


def test_names_of_mozilla_come_before_an_applications_own():
    raw = {"ProductName": "A", "Version": "1", "_productName": "B", "_version": "2", "prod": "Electron"}
    processed = after(ClientNamesRule(), crash(raw)).processed
    assert (processed["product"], processed["version"], processed["framework"]) == ("A", "1", "Electron")


def test_a_long_release_is_read_in_no_time():
    assert names({"sentry[release]": "@" * 1_000_000})[0] == "@"
    assert names({"sentry": json.dumps({"release": "+" * 1_000_000})})[1] == "+" * 1_000_000
