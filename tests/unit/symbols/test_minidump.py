from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socorro_processor.stackwalk.sound_minidump import sound_minidump
from socorro_processor.symbols.code_view import NO_DEBUG_ID, base_name, names
from socorro_processor.symbols.minidump import MAXIMUM_NAME, NotUnderstood, read
from socorro_processor.symbols.wanted import needed_symbols
from tests.shared import shared, stackwalker
from tests.unit.symbols.written_minidump import GUID, MODULES, written

DUMPS = (
    "android-arm",
    "linux-mini",
    "linux-x86_64",
    "macos-x86_64",
    "pipeline-inlines-macos-segv",
    "simple-crashpad",
    "test",
    "windows-x86_64",
)
SMALL_DUMPS = ("linux-mini", "simple-crashpad", "test", "pipeline-inlines-macos-segv")

GUID_PRINTED = "0403020106050807090A0B0C0D0E0F10"

AMD64, X86, ARM, ARM64, OLD_ARM64, MIPS = 9, 0, 5, 12, 0x8003, 1


@pytest.fixture(scope="module", params=DUMPS)
def dump(request: pytest.FixtureRequest) -> Path:
    return shared("crashes") / request.param / "upload_file_minidump.dmp"


@pytest.fixture(scope="module")
def walked(dump: Path) -> dict:
    command = [stackwalker(), "--json", "--symbols-path", shared("symbols"), dump]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def test_modules_of_real_dumps_are_those_of_the_stackwalker(dump, walked):
    theirs = [
        (
            int(each["base_addr"], 16),
            int(each["end_addr"], 16),
            *(each[field] for field in ("filename", "debug_file", "debug_id", "code_id")),
        )
        for each in walked["modules"]
    ]
    ours = [
        (each.base, each.end, base_name(each.name), each.debug_file, each.debug_id, each.code_id)
        for each in read(dump).modules
    ]
    assert sorted(ours) == sorted(theirs)


def test_every_frame_in_a_module_of_real_dumps_is_a_candidate(dump, walked):
    candidates = set(read(dump).candidates().tolist())
    frames = [frame for thread in walked["threads"] for frame in thread["frames"] if frame.get("module")]
    assert frames
    assert [frame for frame in frames if int(frame["offset"], 16) not in candidates] == []


def test_candidates_are_sorted_once_each_and_in_modules(dump):
    minidump = read(dump)
    candidates = minidump.candidates().tolist()
    assert candidates == sorted(set(candidates))
    spans = sorted((module.base, module.end) for module in minidump.modules)
    assert all(any(base <= each < end for base, end in spans) for each in candidates[:: len(candidates) // 50 + 1])


def test_only_modules_that_something_points_into_are_needed(dump):
    minidump = read(dump)
    candidates = minidump.candidates().tolist()
    expected = [module for module in minidump.modules if any(module.base <= each < module.end for each in candidates)]
    assert minidump.pointed_into(minidump.candidates()) == expected


@pytest.mark.parametrize(
    ("cpu", "word", "found"),
    [
        (AMD64, 0x7F0000010010, [0x7F000001000F, 0x7F0000010010]),
        (AMD64, 0x80007F0000010010, []),
        (X86, 0x10010, []),
        (ARM64, 0x7F0000010010, [0x7F000001000C, 0x7F000001000F, 0x7F0000010010]),
        (ARM64, 0xA5887F0000010010, [0x7F000001000C, 0x7F000001000F, 0x7F0000010010]),
        (OLD_ARM64, 0xA5887F0000010010, [0x7F000001000C, 0x7F000001000F, 0x7F0000010010]),
        # The word behind the last byte of a module is where a call at its end returns to.
        (AMD64, 0x7F0000020000, [0x7F000001FFFF]),
        (AMD64, 0x7F0000020001, []),
        (AMD64, 0x7F0000010000, [0x7F0000010000]),
    ],
)
@pytest.mark.parametrize("place", ["stack", "memory", "memory64", "context", "exception_context"])
def test_a_word_is_found_wherever_the_walker_may_look(tmp_path, cpu, word, found, place):
    path = tmp_path / "dump"
    path.write_bytes(written(cpu, **{place: struct.pack("<QQ", 1, word)}))
    assert read(path).candidates().tolist() == found


def test_the_bit_for_thumb_is_taken_off_on_arm(tmp_path):
    path = tmp_path / "dump"
    path.write_bytes(written(ARM, stack=struct.pack("<I", 0x10011), modules=((0x10000, 0x1000),)))
    assert read(path).candidates().tolist() == [0x1000E, 0x1000F, 0x10010, 0x10011]


def test_the_address_of_the_exception_is_a_candidate(tmp_path):
    path = tmp_path / "dump"
    path.write_bytes(written(AMD64, exception_address=0x7F0000010800))
    assert read(path).candidates().tolist() == [0x7F00000107FF, 0x7F0000010800]


@pytest.mark.parametrize("skipped", range(8))
def test_a_word_at_an_odd_address_is_found(tmp_path, skipped):
    path = tmp_path / "dump"
    path.write_bytes(written(AMD64, memory=bytes(skipped) + struct.pack("<Q", 0x7F0000010010) + b"\1"))
    assert read(path).candidates().tolist() == [0x7F000001000F, 0x7F0000010010]


def test_a_word_across_two_pieces_in_which_memory_is_read_is_found(tmp_path):
    memory = bytearray(9 << 20)
    for boundary in (1 << 20, 8 << 20):
        memory[boundary - 4 : boundary + 4] = struct.pack("<Q", 0x7F0000010000 + (boundary >> 10))
    path = tmp_path / "dump"
    path.write_bytes(written(AMD64, memory=bytes(memory)))
    assert read(path).candidates().tolist() == [0x7F00000103FF, 0x7F0000010400, 0x7F0000011FFF, 0x7F0000012000]


def test_of_a_dump_of_all_memory_only_regions_with_a_stack_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("socorro_processor.symbols.minidump.MEMORY_IN_FULL", 100)
    context = bytearray(0x4D0)
    struct.pack_into("<Q", context, 0x98, 0x5010)
    heap = struct.pack("<Q", 0x7F0000010020).ljust(128, b"\0")
    stack = struct.pack("<Q", 0x7F0000010010).ljust(128, b"\0")
    path = tmp_path / "dump"
    path.write_bytes(written(AMD64, context=bytes(context), memory64=stack, address=0x5000, memory=heap))
    assert 0x7F0000010010 in read(path).candidates()
    # Both lists give the same address here, so a second dump has its stack pointer elsewhere.
    struct.pack_into("<Q", context, 0x98, 0x9000)
    path.write_bytes(written(AMD64, context=bytes(context), memory64=stack, address=0x5000, memory=heap))
    assert read(path).candidates().tolist() == []


def test_a_dump_without_modules_and_threads_needs_nothing(tmp_path):
    path = tmp_path / "dump"
    path.write_bytes(sound_minidump())
    minidump = read(path)
    assert (minidump.cpu, minidump.modules, minidump.candidates().tolist()) == ("amd64", (), [])
    assert minidump.pointed_into(minidump.candidates()) == []


def test_modules_may_overlap_and_reach_to_the_last_address(tmp_path):
    path = tmp_path / "dump"
    modules = ((0x1000, 0x1000), (0x1800, 0x100), (2**64 - 0x1000, 0x1000))
    words = struct.pack("<4Q", 0x1850, 0x1950, 0, 2**64 - 1)
    path.write_bytes(written(AMD64, stack=words, modules=modules))
    minidump = read(path)
    found = minidump.candidates().tolist()
    assert found[:4] == [0x184F, 0x1850, 0x194F, 0x1950]
    assert found[-2:] == [2**64 - 2, 2**64 - 1]
    assert len(minidump.pointed_into(minidump.candidates())) == 3


def test_an_empty_module_is_left_out_as_the_stackwalker_does(tmp_path):
    path = tmp_path / "dump"
    path.write_bytes(written(AMD64, modules=((0x1000, 0), (0x2000, 0x1000))))
    assert [module.base for module in read(path).modules] == [0x2000]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"RSDS" + GUID + struct.pack("<I", 26) + b"C:\\b\\xul.pdb\0more", ("xul.pdb", f"{GUID_PRINTED}1a")),
        (b"RSDS" + bytes(16) + struct.pack("<I", 1) + b"xul.pdb\0", ("xul.pdb", NO_DEBUG_ID)),
        (b"NB10" + struct.pack("<III", 0, 0x5A9832E5, 3) + b"old.pdb\0", ("old.pdb", "5A9832E53")),
        (b"NB10" + struct.pack("<III", 0, 0x1234567, 0x1F) + b"old.pdb\0", ("old.pdb", "012345671f")),
        (b"LEpB" + GUID + b"1234", ("libxul.so", f"{GUID_PRINTED}0")),
        (b"LEpB" + b"\1\2", ("libxul.so", "00000201" + "0" * 25)),
        (b"LEpB" + bytes(20), ("libxul.so", NO_DEBUG_ID)),
        (b"", ("", NO_DEBUG_ID)),
        (b"WHAT", ("", NO_DEBUG_ID)),
    ],
)
def test_debug_ids_are_as_the_stackwalker_prints_them(record, expected):
    assert names(record, "/usr/lib/libxul.so", "", is_apple=False)[:2] == expected


@pytest.mark.parametrize("record", [b"LEpB" + bytes(16), b"NB10" + bytes(12) + b"a\0\0\0"])
def test_symbols_are_not_needed_for_a_module_whose_debug_id_is_all_zeros(tmp_path, record):
    path = tmp_path / "dump"
    dump = written(AMD64, stack=struct.pack("<Q", 0x7F0000010010))
    path.write_bytes(dump)
    assert len(needed_symbols(read(path))) == 1
    path.write_bytes(dump.replace(b"LEpB" + GUID[:15] + b"\0", record))
    assert [module.debug_id.strip("0") for module in read(path).modules] == [""]
    assert needed_symbols(read(path)) == []


@pytest.mark.parametrize("record", [b"RS", b"RSDS" + bytes(19), b"NB10" + bytes(11)])
def test_a_record_that_is_cut_off_is_refused(record):
    with pytest.raises(ValueError, match="bytes"):
        names(record, "x", "", is_apple=False)


@pytest.mark.parametrize(
    ("dump", "reason"),
    [
        (b"", "header"),
        (b"PMDM" + sound_minidump()[4:], "little-endian"),
        (struct.pack("<4s3I", b"MDMP", 0xA793, 2**32 - 1, 32) + bytes(100), "4294967295 streams"),
        (struct.pack("<4s3I", b"MDMP", 0xA793, 1, 2**32 - 1) + bytes(100), "directory"),
        (struct.pack("<4s3I", b"MDMP", 0xA793, 0, 32) + bytes(100), "no system info"),
        (written(MIPS), "architecture 0x1"),
        (written(AMD64, module_count=2**32 - 1), "4294967295 modules"),
        (written(AMD64, module_count=len(MODULES) + 1), "modules"),
        (written(AMD64, name_size=2**32 - 1), "bytes of a name"),
        (written(AMD64, name_size=MAXIMUM_NAME), "name"),
        (written(AMD64, memory64=b"x", memory64_count=2**60), "64-bit memory regions"),
        (written(AMD64, memory64=b"x", memory64_size=2**64 - 1), "beyond"),
        (written(AMD64, stack=b"x" * 8, stack_at=2**32 - 1), "beyond"),
    ],
)
def test_nonsense_is_not_understood(tmp_path, dump, reason):
    path = tmp_path / "dump"
    path.write_bytes(dump)
    with pytest.raises(NotUnderstood, match=reason):
        read(path)


@pytest.mark.parametrize("name", ["not-there", "nul\0", "directory"])
def test_a_file_that_cannot_be_read_is_not_understood(tmp_path, name):
    Path(tmp_path, "directory").mkdir()
    with pytest.raises(NotUnderstood):
        read(tmp_path / name)


def test_a_dump_that_becomes_shorter_in_between_is_not_understood(tmp_path):
    path = tmp_path / "dump"
    path.write_bytes(written(AMD64, stack=bytes(4096)))
    minidump = read(path)
    path.write_bytes(b"")
    with pytest.raises(NotUnderstood):
        minidump.candidates()


@pytest.mark.parametrize("name", ["invalid-parameter.dmp", "invalid-range.dmp", "invalid-record-count.dmp"])
def test_hostile_dumps_are_read_or_not_understood(name):
    _read_or_refuse(shared("hostile") / name)


_CHANGES = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 600), st.integers(0, 1 << 20)),
        st.one_of(
            st.binary(min_size=1, max_size=16),
            st.sampled_from([b"\xff" * 4, b"\xff" * 8, b"\0" * 4, b"\0\0\0\x80", b"\xff\xff\xff\x7f"]),
        ),
    ),
    max_size=8,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=st.sampled_from(SMALL_DUMPS), changes=_CHANGES, cut=st.none() | st.integers(0, 1 << 20))
def test_a_real_dump_changed_at_random_is_read_or_not_understood(tmp_path, name, changes, cut):
    data = bytearray((shared("crashes") / name / "upload_file_minidump.dmp").read_bytes())
    for at, change in changes:
        at %= len(data)
        data[at : at + len(change)] = change
    path = tmp_path / "dump"
    path.write_bytes(data[:cut])
    _read_or_refuse(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    cpu=st.sampled_from([AMD64, X86, ARM, ARM64, OLD_ARM64]),
    modules=st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)), max_size=6),
    words=st.lists(st.integers(0, 2**64 - 1), max_size=6),
    addresses=st.lists(st.integers(-2, 2), max_size=6),
)
def test_candidates_are_what_a_plain_search_finds(tmp_path, cpu, modules, words, addresses):
    near = [
        (base + size * (offset > 0) + offset) % 2**64 for (base, size), offset in zip(modules, addresses, strict=False)
    ]
    size = 4 if cpu in (X86, ARM) else 8
    stack = b"".join((each % 2 ** (8 * size)).to_bytes(size, "little") for each in words + near)
    path = tmp_path / "dump"
    path.write_bytes(written(cpu, stack=stack, modules=tuple(modules)))
    minidump = read(path)
    spans = [(module.base, module.end) for module in minidump.modules]
    found = set(minidump.candidates().tolist())
    for at in range(0, len(stack) - size + 1, 4):
        word = int.from_bytes(stack[at : at + size], "little")
        for address in (word, word - 1):
            assert (address in found) == any(base <= address < end for base, end in spans) or word % 4 or cpu >= ARM64
    assert all(any(base <= each < end for base, end in spans) for each in found)


def test_a_dump_made_to_take_memory_is_refused_within_200_mb(tmp_path):
    """In a process of its own: what an earlier test took would count."""
    stack = struct.pack("<Q", 0x7F0000010010) * (1 << 20)
    path = tmp_path / "dump"
    everything = ((0, 2**32 - 1), *((n << 32, 2**32 - 1) for n in range(1, 512)))
    path.write_bytes(written(AMD64, stack=stack * 4, modules=everything))
    random_words = tmp_path / "random"
    random_words.write_bytes(
        written(X86, stack=b"".join(struct.pack("<I", n * 17) for n in range(1 << 23)), modules=((0, 2**32 - 1),))
    )
    program = (
        "import re, sys\nfrom pathlib import Path\nfrom socorro_processor.symbols.minidump import *\n"
        "for name in sys.argv[1:]:\n    try:\n        read(Path(name)).candidates()\n"
        "    except NotUnderstood:\n        print('refused')\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024)\n"
    )
    command = [sys.executable, "-c", program, path, random_words]
    *refused, megabytes = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    assert refused == ["refused"]
    assert int(megabytes) < 200


def _read_or_refuse(path: Path) -> None:
    try:
        minidump = read(path)
        minidump.pointed_into(minidump.candidates())
    except NotUnderstood:
        pass
