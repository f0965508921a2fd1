"""The id of a binary's build, in binaries as linkers write them and in damaged ones."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from uuid import UUID

import pytest

from socorro_processor.symbols.binary import Binary, Kind, identify, kind_of
from socorro_processor.symbols.dump_file import NotUnderstood
from socorro_processor.symbols.elf import NotLinked
from tests.unit.symbols import written_binaries as written

PROGRAM = Path(shutil.which("true") or "/bin/true")
OTHER = UUID("00112233-4455-6677-8899-aabbccddeeff")
X86_64, ARM64 = 0x1000007, 0x100000C


def identified(path: Path, content: bytes) -> list[Binary]:
    path.write_bytes(content)
    kind = kind_of(path)
    assert kind is not None
    return identify(path, kind)


@pytest.mark.parametrize("pdb_path", [b"C:\\build\\app.pdb", b"/build/app.pdb", b"app.pdb"])
def test_a_windows_program_is_looked_for_by_its_pdb(tmp_path: Path, pdb_path: bytes) -> None:
    (binary,) = identified(tmp_path / "app.exe", written.pe(pdb_path, age=0x1F))

    assert (binary.kind, binary.debug_file, binary.debug_id) == (Kind.PE, "app.pdb", written.DEBUG_ID + "1f")


def test_a_pdb_has_the_age_of_its_program(tmp_path: Path) -> None:
    (binary,) = identified(tmp_path / "app.pdb", written.pdb(age=7, dbi_age=2))

    assert (binary.debug_file, binary.debug_id, binary.has_code) == ("app.pdb", written.DEBUG_ID + "2", False)


def test_a_fat_file_has_a_build_for_each_processor(tmp_path: Path) -> None:
    content = written.fat((X86_64, written.macho(OTHER, X86_64)), (ARM64, written.macho(processor=ARM64)))

    binaries = identified(tmp_path / "App", content)

    assert [(each.architecture, each.debug_id) for each in binaries] == [
        ("x86_64", OTHER.hex.upper() + "0"),
        ("arm64", written.DEBUG_ID + "0"),
    ]


def test_a_dsym_has_no_code(tmp_path: Path) -> None:
    assert [each.has_code for each in identified(tmp_path / "App", written.macho(kind=10))] == [False]


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"\xca\xfe\xba\xbe\0\0\0\x41", b"!<arch>\n"],
    ids=["nothing", "text", "a Java class", "an archive"],
)
def test_a_file_that_is_not_a_binary_has_no_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    assert kind_of(path) is None


def test_an_object_file_is_not_linked(tmp_path: Path) -> None:
    content = bytearray(PROGRAM.read_bytes())
    content[16] = 1

    with pytest.raises(NotLinked):
        identified(tmp_path / "file.o", content)


@pytest.mark.parametrize(
    "content",
    [PROGRAM.read_bytes(), written.pe(b"C:\\app.pdb"), written.pdb(1, 1), written.fat((ARM64, written.macho()))],
    ids=["ELF", "PE", "PDB", "Mach-O"],
)
def test_a_damaged_binary_raises_no_other_error_than_not_understood(tmp_path: Path, content: bytes) -> None:
    chance = random.Random(1)
    refused = 0
    for round_ in range(300):
        damaged = bytearray(content[: chance.randrange(64, len(content))] if round_ % 2 else content)
        for _ in range(chance.randrange(8)):
            damaged[chance.randrange(4, min(len(damaged), 1024))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        try:
            identified(tmp_path / "file", damaged)
        except NotUnderstood:
            refused += 1
        except AssertionError:
            pass
    assert refused
