"""Facts about the crash itself in the stackwalker's JSON."""

from __future__ import annotations

import pytest

from socorro_processor.rules.crash_facts import AddressRule, CrashedThreadRule, HardwareHintsRule, MacBootArgsRule
from tests.unit.rules.fields_of_crashes import after, crash

THREADS = [{"thread_name": "Main"}, {"thread_name": "Crane \0"}, {"thread_name": None}]


@pytest.mark.parametrize(
    ("json_dump", "thread", "name"),
    [
        ({"crash_info": {"crashing_thread": 1}, "threads": THREADS}, 1, "Crane"),
        (
            {"crash_info": {"crashing_thread": 0}, "threads": THREADS, "crashing_thread": {"thread_name": "Copy"}},
            0,
            "Copy",
        ),
        (
            {"crash_info": {"crashing_thread": 1}, "threads": THREADS, "crashing_thread": {"thread_name": " "}},
            1,
            "Crane",
        ),
        ({"crashing_thread": {"threads_index": 1}, "threads": THREADS}, 1, "Crane"),
        ({"crash_info": {"crashing_thread": 2}, "threads": THREADS}, 2, None),
        ({"crash_info": {"crashing_thread": 9}, "threads": THREADS}, 9, None),
        ({"crash_info": {"crashing_thread": 1}, "threads": {"1": {}}}, 1, None),
    ],
)
def test_the_thread_that_crashed_has_its_index_and_name(json_dump, thread, name):
    found = after(CrashedThreadRule(), crash({}, json_dump))
    assert (found.processed["crashing_thread"], found.processed["crashing_thread_name"]) == (thread, name)
    assert found.notes == []


@pytest.mark.parametrize("index", [None, -1, "0", True, 1.0])
def test_a_thread_that_is_not_known_is_null_with_a_note(index):
    json_dump = {
        "crash_info": {"crashing_thread": index},
        "threads": THREADS,
        "crashing_thread": {"thread_name": "Copy"},
    }
    found = after(CrashedThreadRule(), crash({}, json_dump))
    assert (found.processed["crashing_thread"], found.processed["crashing_thread_name"]) == (None, None)
    assert found.notes == ["the stackwalker did not say which thread crashed"]


@pytest.mark.parametrize(
    ("address", "adjusted", "expected"),
    [
        ("0x000000000000002c", None, "0x000000000000002c"),
        ("0x000000000000002c", {"kind": "null-pointer", "offset": "0x2c"}, "0x0000000000000000"),
        ("0x0000002c", {"kind": "null-pointer", "offset": "0x0000002c"}, "0x00000000"),
        ("0xffffffffffffffe8", {"kind": "null-pointer", "offset": "-0x18"}, "0x0000000000000000"),
        (None, {"kind": "null-pointer", "offset": "0x0000002c"}, "0x00000000"),
        ("nowhere", {"kind": "null-pointer"}, "nowhere"),
        ("0x0", {"kind": "non-canonical", "address": "0xe5e5e5e5e5e5e5e5"}, "0xe5e5e5e5e5e5e5e5"),
        ("0x0", {"kind": "non-canonical", "address": None}, "0x0"),
        ("0x0", {"kind": "other", "address": "0x1"}, "0x0"),
        ("0x0", "null-pointer", "0x0"),
        (" 0x18\0 ", {}, "0x18"),
    ],
)
def test_the_address_is_the_one_that_the_stackwalker_corrected(address, adjusted, expected):
    json_dump = {"crash_info": {"address": address, "adjusted_address": adjusted}}
    assert after(AddressRule(), crash({}, json_dump)).processed["address"] == expected


@pytest.mark.parametrize("json_dump", [None, {}, {"crash_info": {"address": None}}, {"crash_info": {"address": 24}}])
def test_without_an_address_there_is_no_field(json_dump):
    assert "address" not in after(AddressRule(), crash({}, json_dump)).processed


@pytest.mark.parametrize(
    ("flips", "expected"),
    [
        ([{"confidence": 0.29}], 29),
        ([{"confidence": 0.1}, {"confidence": 0.875}, {"confidence": 0.5}], 88),
        ([{"confidence": 0}], 0),
        ([{"confidence": 1}, {"confidence": "2"}, {"confidence": None}, {"confidence": True}, 7], 100),
        ([{"confidence": 1e308}, {"confidence": float("nan")}, {"confidence": 0.5}], 50),
        ([{"confidence": None}], None),
        ([{}], None),
        ([], None),
        (None, None),
        ({"confidence": 0.5}, None),
    ],
)
def test_the_highest_confidence_in_a_flipped_bit_is_rounded_to_percent(flips, expected):
    processed = after(HardwareHintsRule(), crash({}, {"crash_info": {"possible_bit_flips": flips}})).processed
    assert processed.get("possible_bit_flips_max_confidence") == expected
    assert ("possible_bit_flips_max_confidence" in processed) == (expected is not None)


@pytest.mark.parametrize(
    ("accesses", "is_there"),
    [
        ([{"is_likely_guard_page": False}, {"is_likely_guard_page": True}], True),
        ([{"is_likely_guard_page": False}, {}], False),
        ([{"is_likely_guard_page": "true"}, 7], False),
        (None, False),
    ],
)
def test_an_access_to_a_guard_page_is_noted_only_if_there_was_one(accesses, is_there):
    processed = after(HardwareHintsRule(), crash({}, {"crash_info": {"memory_accesses": accesses}})).processed
    assert processed == ({"json_dump": processed["json_dump"]} | ({"has_guard_page_access": True} if is_there else {}))


def test_a_mac_was_booted_with_arguments_or_without_and_other_systems_are_not_asked():
    def booted(**processed: object) -> object:
        return after(MacBootArgsRule(), crash(**processed)).processed.get("has_mac_boot_args")

    assert booted(os_name="Mac OS X", mac_boot_args="keepsyms=1") is True
    assert booted(os_name="Mac OS X") is False
    assert booted(os_name="Linux") is None
