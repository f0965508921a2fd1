"""Versions that clients send in another form than people use."""

from __future__ import annotations

import json

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.rules.program_version import ProgramVersionRule
from tests.unit.rules.fields_of_crashes import after, crash


@pytest.fixture
def rule(tmp_path) -> ProgramVersionRule:
    build = {"release_version": "140.0", "build_type": "beta", "build_id": 20260726073904, "version_string": "140.0b9"}
    tables = {
        "product_productid_map": [],
        "windows_versions": [],
        "product_versions": [build | {"product": name} for name in ("Firefox", "Crane")],
    }
    file = tmp_path / "reference.json"
    file.write_text(json.dumps(tables))
    return ProgramVersionRule(defaults(ProgramVersionRule, **{"resource.reference.reference_file": str(file)}))


KNOWN = "20260726073904"


@pytest.mark.parametrize(
    ("product", "channel", "version", "build", "expected", "notes"),
    [
        ("Firefox", "release", "140.0", KNOWN, "140.0", 0),
        ("Firefox", "beta", "140.0", KNOWN, "140.0b9", 0),
        ("Firefox", "Beta", "140.0", KNOWN, "140.0b9", 0),
        ("Crane", "beta", "140.0", KNOWN, "140.0b9", 0),
        ("Firefox", "beta", "140.0", "1", "140.0b0", 1),
        ("Thunderbird", "beta", "140.0", KNOWN, "140.0b0", 1),
        ("Thunderbird", "beta", "140.0", "", "140.0b0", 1),
        ("Crane", "beta", "4.2.1", KNOWN, "4.2.1", 0),
        ("Crane", "beta", "4.2.1", "not a number", "4.2.1", 0),
        ("Fenix", "beta", "140.0", "1", "140.0", 0),
        ("", "beta", "", "", "", 0),
        ("Firefox", "esr", "140.5.0", "1", "140.5.0esr", 0),
        ("Crane", "esr", "4.2", "1", "4.2esr", 0),
        ("Firefox", "ESR", "140.5.0", "1", "140.5.0", 0),
        ("Firefox", "esr", "", "1", "", 1),
    ],
)
def test_a_version_is_as_people_say_it(product, channel, version, build, expected, notes, rule):
    found = after(rule, crash(product=product, release_channel=channel, version=version, build=build))
    assert (found.processed["version"], len(found.notes)) == (expected, notes)


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("140.5.0", 140),
        ("4", 4),
        (" 4.1", 4),
        ("140esr", 140),
        ("0.9", 0),
        ("", 0),
        ("v4.2", 0),
        ("beta", 0),
        (".4", 0),
        ("-1.2", 0),
        ("17a1", 0),
        ("\u0664.2", 0),
        ("9" * 1_000_000, 0),
    ],
)
def test_the_major_version_is_the_number_before_the_first_dot(version, number, rule):
    assert after(rule, crash(product="Crane", release_channel="", version=version)).processed["major_version"] == number


@pytest.mark.parametrize("channel", ["beta", "esr"])
def test_the_major_version_is_that_of_a_beta_and_an_extended_support_release_too(channel, rule):
    processed = after(rule, crash(product="Firefox", release_channel=channel, version="140", build="1")).processed
    assert processed["major_version"] == 140
