"""Names for people: the release of a beta, the name of a system."""

from __future__ import annotations

import json

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.releases import BetaVersionRule, OSPrettyVersionRule

CRASH_ID = "00000000-0000-4000-8000-000000161123"
BETA = {"product": "Firefox", "version": "48.0", "release_channel": "beta", "build": "20160726073904"}
DATA = {
    "product_productid_map": [],
    "windows_versions": [
        {"name": "Windows 7", "major": 6, "minor": 1},
        {"name": "Windows 10", "major": 10, "minor": 0},
    ],
    "product_versions": [
        {
            "product": "Firefox",
            "release_version": "48.0",
            "build_type": "Beta",
            "build_id": 20160726073904,
            "version_string": "48.0b10",
        }
    ],
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "reference.json"
    path.write_text(json.dumps(DATA))
    return str(path)


@pytest.fixture(scope="module")
def beta_version(file):
    return BetaVersionRule(defaults(BetaVersionRule, reference_file=file))


@pytest.fixture(scope="module")
def pretty_version(file):
    return OSPrettyVersionRule(defaults(OSPrettyVersionRule, reference_file=file))


def crash_with(**processed: object) -> Crash:
    return Crash(id=CRASH_ID, raw={}, processed=processed)


@pytest.mark.parametrize("channel", ["beta", "Beta", "BETA"])
def test_the_build_of_a_beta_gets_the_version_it_was_released_as(beta_version, channel):
    crash = crash_with(**BETA | {"release_channel": channel})

    assert beta_version.act(crash) == (True, True)
    assert crash.processed["version"] == "48.0b10"
    assert crash.notes == []


@pytest.mark.parametrize(
    ("difference", "version"),
    [
        ({"build": "20160726073905"}, "48.0b0"),
        ({"build": ""}, "48.0b0"),
        ({"build": None}, "48.0b0"),
        ({"build": ["20160726073904"]}, "48.0b0"),
        ({"product": "Fennec"}, "48.0b0"),
        ({"product": ["Firefox"]}, "48.0b0"),
        ({"version": "47.0"}, "47.0b0"),
        ({"version": ""}, "b0"),
        ({"version": None}, "b0"),
    ],
)
def test_a_build_that_is_not_known_ends_in_b0_and_is_noted(beta_version, difference, version):
    crash = crash_with(**BETA | difference)

    assert beta_version.act(crash) == (True, True)
    assert crash.processed["version"] == version
    assert crash.notes == ["the release channel is beta, but this build is not known: b0 was added to the version"]


@pytest.mark.parametrize("channel", ["release", "", None, 5, ["beta"]])
def test_other_channels_keep_their_version(beta_version, channel):
    crash = crash_with(**BETA | {"release_channel": channel})

    assert beta_version.act(crash) == (False, None)
    assert crash.processed["version"] == "48.0"


@pytest.mark.parametrize(
    ("os_name", "os_version", "pretty"),
    [
        ("Windows NT", "6.1.7601 Service Pack 1", "Windows 7"),
        ("Windows NT", "10.0.19041", "Windows 10"),
        ("Windows NT", "10.0.22631", "Windows 10"),
        ("windows me", "6.1", "Windows 7"),
        ("Windows NT", "6.9", "Windows Unknown"),
        ("Windows NT", "", "Windows NT"),
        ("Windows NT", "6", "Windows NT"),
        ("Windows NT", "6.x", "Windows NT"),
        ("Windows NT", "9" * 5000 + ".0", "Windows NT"),
        ("Mac OS X", "10.0", "OS X 10.0"),
        ("Mac OS X", "10.19.6 15G31", "OS X 10.19"),
        ("Mac OS X", "10.20", "OS X Unknown"),
        ("Mac OS X", "11.1.0 20C69", "OS X Unknown"),
        ("Mac OS X", "", "Mac OS X"),
        ("Linux", "5.9.15-200.fc33.x86_64", "Linux"),
        ("Linux", None, "Linux"),
        ("Linux", ["5.9"], "Linux"),
        ("", "", ""),
        (None, "6.1", None),
        (["Windows NT"], "6.1", None),
    ],
)
def test_a_system_is_named_as_people_name_it(pretty_version, os_name, os_version, pretty):
    crash = crash_with(os_name=os_name, os_version=os_version)

    assert pretty_version.act(crash) == (True, True)
    assert crash.processed["os_pretty_version"] == pretty


def test_an_unknown_system_has_no_name(pretty_version):
    crash = crash_with()

    assert pretty_version.act(crash) == (True, True)
    assert crash.processed == {"os_pretty_version": None}
