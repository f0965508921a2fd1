"""Crashes with a known way out."""

from __future__ import annotations

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.support import BitguardClassifier, OutOfDateClassifier

LATEST = "update-firefox-latest-version"
WINDOWS_2000 = "firefox-no-longer-works-windows-2000"
WINDOWS_XP = "firefox-no-longer-works-some-versions-windows-xp"
MAC_10_4 = "firefox-no-longer-works-mac-os-10-4-or-powerpc"
MAC_10_5 = "firefox-no-longer-works-mac-os-x-10-5"


def found(crash: Crash) -> object:
    return crash.processed.get("classifications", {}).get("support", {}).get("classification")


def old_firefox(system_info: object, version: str = "16.0.2") -> Crash:
    return Crash(
        id="", raw={"ProductName": "Firefox", "Version": version}, processed={"json_dump": {"system_info": system_info}}
    )


@pytest.mark.parametrize(
    ("modules", "is_found"),
    [
        ([{"filename": "xul.dll"}, {"filename": "bitguard.dll"}], True),
        ([{"filename": "bitguard.dll.mui"}], False),
        ([None, "bitguard.dll", {"filename": ["bitguard.dll"]}], False),
        ({"filename": "bitguard.dll"}, False),
        (None, False),
    ],
)
def test_bitguard_is_known_by_its_module(modules, is_found):
    crash = Crash(id="", raw={}, processed={"json_dump": {"modules": modules}})

    assert BitguardClassifier().act(crash) == (True, is_found)
    assert found(crash) == ("bitguard" if is_found else None)


def test_classifications_of_other_classifiers_stay():
    crash = Crash(id="", raw={}, processed={"json_dump": {"modules": [{"filename": "bitguard.dll"}]}})
    crash.processed["classifications"] = {"jit": {"category": "x"}}

    BitguardClassifier().act(crash)
    assert crash.processed["classifications"] == {
        "jit": {"category": "x"},
        "support": {"classification": "bitguard", "classification_data": None, "classification_version": "1.0"},
    }


@pytest.mark.parametrize(
    ("system", "version", "cpu", "advice"),
    [
        ("Windows NT", "5.0.2195 Service Pack 4", "x86", WINDOWS_2000),
        ("Windows NT", "4.10.2222", "x86", WINDOWS_XP),
        ("Windows NT", "5.1.2600", "x86", WINDOWS_XP),
        ("Windows NT", "5.1.2600 Service Pack 2", "x86", WINDOWS_XP),
        ("Windows NT", "5.1.2600 Service Pack 3", "x86", LATEST),
        ("Windows NT", "5.1.2600 Service Pack 10", "x86", LATEST),
        ("Windows NT", "5.2.3790", "x86", LATEST),
        ("Windows NT", "10.0.19041", "x86", LATEST),
        ("Windows NT", "abc", "x86", LATEST),
        ("Windows NT", None, "x86", LATEST),
        ("Mac OS X", "10.4.11 8S165", "x86", MAC_10_4),
        ("Mac OS X", "10.5.8 9L31a", "ppc", MAC_10_4),
        ("Mac OS X", "10.5.8 9L31a", "x86", MAC_10_5),
        ("Mac OS X", "10.6.8", "amd64", LATEST),
        ("Mac OS X", 10.4, ["ppc"], LATEST),
        ("Linux", "0.0.0 Linux 5.9.15", "ppc", LATEST),
        (None, "5.0", "x86", None),
        (["Windows NT"], "5.0", "x86", None),
    ],
)
def test_the_advice_depends_on_the_system(system, version, cpu, advice):
    crash = old_firefox({"os": system, "os_ver": version, "cpu_arch": cpu})

    assert OutOfDateClassifier().act(crash) == (True, advice is not None)
    assert found(crash) == advice


@pytest.mark.parametrize(
    ("raw", "applies"),
    [
        ({"ProductName": "Firefox", "Version": "17.0a1"}, True),
        ({"ProductName": "Firefox", "Version": "abc"}, True),
        ({"ProductName": "Firefox", "Version": "17.0"}, False),
        ({"ProductName": "Firefox", "Version": "100.0"}, False),
        ({"ProductName": "Fennec", "Version": "3.6"}, False),
        ({"ProductName": "Firefox"}, False),
        ({"ProductName": "Firefox", "Version": 16}, True),
        ({"ProductName": "Firefox", "Version": [16]}, False),
        ({"Version": "3.6"}, False),
    ],
)
def test_only_an_old_firefox_is_out_of_date(raw, applies):
    assert OutOfDateClassifier().predicate(Crash(id="", raw=raw)) is applies


def test_an_operator_sets_the_oldest_version_that_is_not_out_of_date():
    rule = OutOfDateClassifier(defaults(OutOfDateClassifier, firefox_out_of_date_version="78.5"))

    assert rule.predicate(old_firefox({}, "78.4.1"))
    assert not rule.predicate(old_firefox({}, "78.5.0"))
