"""The system and processor of the client, in the words of the stackwalker and of people."""

from __future__ import annotations

import pytest

from socorro_processor.rules.system import SystemRule
from tests.unit.rules.fields_of_crashes import after, crash


@pytest.fixture(scope="module")
def rule() -> SystemRule:
    return SystemRule()


def pretty(
    rule: SystemRule, system: str, version: object, raw: dict[str, object] | None = None, **more: object
) -> object:
    json_dump = {"system_info": {"os": system, "os_ver": version}, **more}
    return after(rule, crash(raw, json_dump)).processed["os_pretty_version"]


@pytest.mark.parametrize(
    ("system", "version", "expected"),
    [
        ("Windows NT", "10.0.22000", "Windows 11"),
        ("Windows NT", "10.0.26100 ", "Windows 11"),
        ("Windows NT", "10.0.100000.1", "Windows 11"),
        ("Windows NT", "10.0.21999", "Windows 10"),
        ("Windows NT", "10.0.9926", "Windows 10"),
        ("Windows NT", "10.0", "Windows 10"),
        ("Windows NT", "6.3.9600", "Windows 8.1"),
        ("Windows NT", "6.1.7601 Service Pack 1", "Windows 7"),
        ("Windows NT", "5.1.2600", "Windows XP"),
        ("Windows NT", "6.2.22000", "Windows 8"),
        ("Windows NT", "11.0.30000", "Windows Unknown"),
        ("Windows NT", "7.3.1", "Windows Unknown"),
        ("Windows NT", "", "Windows NT"),
        ("Windows NT", "build x", "Windows NT"),
        ("Windows NT", None, "Windows NT"),
        ("Windows NT", 10, "Windows NT"),
        ("Mac OS X", "26.1.0 25B78", "macOS 26"),
        ("Mac OS X", "16.0.0 25A354", "macOS 26"),
        ("Mac OS X", "15.5.0 24F74", "macOS 15"),
        ("Mac OS X", "14", "macOS 14"),
        ("Mac OS X", "11.7.10 20G1427", "macOS 11"),
        ("Mac OS X", "27.0", "macOS 27"),
        ("Mac OS X", "10.16.0 20G1427", "macOS 11"),
        ("Mac OS X", "10.15.7 19H15", "OS X 10.15"),
        ("Mac OS X", "10.6.8", "OS X 10.6"),
        ("Mac OS X", "10.20.1", "OS X Unknown"),
        ("Mac OS X", "9.2", "OS X Unknown"),
        ("Mac OS X", "", "Mac OS X"),
        ("iOS", "17.4.1 21E236", "iOS 17"),
        ("iOS", "26", "iOS 26"),
        ("iOS", "", "iOS"),
        ("Linux", "6.12.9-quay #3 SMP", "Linux"),
        ("Android", "0.0.0 Linux 5.10.198-android13", "Android"),
        ("Solaris", "11.4", "Solaris"),
        ("Windows NT", "9" * 1_000_000, "Windows NT"),
    ],
)
def test_a_system_is_named_as_people_name_it(system, version, expected, rule):
    assert pretty(rule, system, version) == expected


@pytest.mark.parametrize(
    ("release", "raw", "expected"),
    [
        (
            {"description": "Debian GNU/Linux 12 (bookworm)", "id": "debian"},
            {"lsb-release": "x"},
            "Debian GNU/Linux 12 (bookworm)",
        ),
        ({"description": "unknown", "id": "debian", "release": "12"}, {}, "debian 12"),
        ({"description": " ", "id": "", "release": None}, {"lsb-release": "Debian 13  "}, "Debian 13"),
        (None, {"lsb-release": " ", "LinuxLSBDescription": "Ubuntu 24.04.1 LTS"}, "Ubuntu 24.04.1 LTS"),
        ([], {"lsb-release": ["Debian"]}, "Linux"),
        ({"description": 7}, {}, "Linux"),
    ],
)
def test_linux_is_named_by_its_distribution(release, raw, expected, rule):
    assert pretty(rule, "Linux", "6.1", raw, lsb_release=release) == expected


def test_the_distribution_is_ignored_on_other_systems(rule):
    assert pretty(rule, "Windows NT", "6.1.7601", {"lsb-release": "Debian 13"}) == "Windows 7"


@pytest.mark.parametrize(
    ("raw", "version", "expected"),
    [
        ({"Android_Version": "35 (REL)"}, "35", "Android 35"),
        ({"sdk": "34"}, "34", "Android 34"),
        ({"android-sdk-int": 33}, "33", "Android 33"),
        ({"Android_Version": " ", "sdk": "34"}, "34", "Android 34"),
        ({"Android_Version": "REL"}, "REL", "Android"),
        ({"OSVersion": "15", "sdk": "35"}, "35", "Android 35"),
        ({}, "0.0.0 Linux 6.1.75", "Android"),
    ],
)
def test_the_version_of_android_is_its_api_level_before_that_of_the_kernel_in_the_dump(raw, version, expected, rule):
    json_dump = {"system_info": {"os": "Android", "os_ver": "0.0.0 Linux 6.1.75"}}
    processed = after(rule, crash(raw, json_dump)).processed
    assert (processed["os_name"], processed["os_version"], processed["os_pretty_version"]) == (
        "Android",
        version,
        expected,
    )


@pytest.mark.parametrize("raw", [{"Android_Version": "35 (REL)"}, {"sdk": "35"}, {"android-sdk-int": "35"}])
@pytest.mark.parametrize("json_dump", [None, {"system_info": {"os": "Unknown", "os_ver": ""}}])
def test_a_crash_with_an_android_version_and_no_other_system_is_androids(json_dump, raw, rule):
    processed = after(rule, crash(raw, json_dump)).processed
    assert (processed["os_name"], processed["os_version"], processed["os_pretty_version"]) == (
        "Android",
        "35",
        "Android 35",
    )


def test_a_crash_with_an_android_version_and_another_system_is_that_systems(rule):
    assert after(rule, crash({"sdk": "35", "plat": "Linux"})).processed["os_name"] == "Linux"
    in_dump = after(rule, crash({"sdk": "35"}, {"system_info": {"os": "Linux", "os_ver": "6.1"}})).processed
    assert (in_dump["os_name"], in_dump["os_version"]) == ("Linux", "6.1")


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("win32", "Windows NT"),
        ("Win32", "Windows NT"),
        ("darwin", "Mac OS X"),
        ("linux", "Linux"),
        ("android", "Android"),
        ("Windows NT", "Windows NT"),
        ("QNX", "QNX"),
    ],
)
@pytest.mark.parametrize("annotation", ["OS", "plat", "platform"])
def test_clients_names_for_systems_become_the_stackwalkers(annotation, sent, name, rule):
    assert after(rule, crash({annotation: f"{sent} \0"})).processed["os_name"] == name


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("x86_64", "amd64"),
        ("arm64-v8a", "arm64"),
        ("armeabi-v7a", "arm"),
        ("x86", "x86"),
        ("mips", "mips"),
        ("x64", "amd64"),
    ],
)
@pytest.mark.parametrize("annotation", ["Android_CPU_ABI", "abi_name", "CPUArchitecture", "osarch"])
def test_clients_names_for_processors_become_the_stackwalkers(annotation, sent, name, rule):
    assert after(rule, crash({annotation: sent})).processed["cpu_arch"] == name


@pytest.mark.parametrize("unknown", ["Unknown", "unknown", "", " ", None, 7, {}])
def test_annotations_fill_in_fields_that_the_dump_lacks(unknown, rule):
    raw = {"OS": "Linux", "OSVersion": "6.1", "CPUArchitecture": "arm64", "CPUInfo": "Cortex"}
    system_info = {"os": unknown, "os_ver": unknown, "cpu_arch": unknown, "cpu_info": unknown}
    processed = after(rule, crash(raw, {"system_info": system_info})).processed
    assert [processed[name] for name in ("os_name", "os_version", "cpu_arch", "cpu_info")] == [
        "Linux",
        "6.1",
        "arm64",
        "Cortex",
    ]


@pytest.mark.parametrize("json_dump", [None, {}, {"system_info": None}, {"system_info": {"os": None}}])
def test_unknown_fields_are_called_unknown(json_dump, rule):
    processed = after(rule, crash({}, json_dump)).processed
    assert {name: processed[name] for name in sorted(SystemRule.fields)} == {
        "os_name": "Unknown",
        "os_version": "",
        "cpu_arch": "unknown",
        "cpu_info": "unknown",
    }
    assert processed["os_pretty_version"] == "Unknown"
