"""dump_syms with hostile input, and programs in its place that do what it must not."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from socorro_processor.machine.bounded_program import Limits, UnusableProgramError
from socorro_processor.symbols.binary import Binary, Kind, identify, kind_of
from socorro_processor.symbols.dump_file import NotUnderstood
from socorro_processor.symbols.dump_syms import Converted, DumpSyms, NotConverted, default_limits, find_dump_syms
from tests.chaos.leftovers import processes_of
from tests.shared import require
from tests.system.daemon import eventually
from tests.unit.symbols import written_binaries as written

PROGRAM = Path(shutil.which("true") or "/bin/true")
OF_THE_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}
SYMBOLS = f"MODULE Linux x86_64 {written.DEBUG_ID}0 App\\n"
"""The symbols of ``binary``, as a shell script prints them."""
LIMITS = Limits(timeout=30, cpu=30, output=1 << 16, file_size=1 << 20)


def real_dump_syms() -> DumpSyms:
    try:
        return DumpSyms(find_dump_syms())
    except UnusableProgramError as error:
        require(False, str(error))
        raise


def read(path: Path) -> list[Binary]:
    kind = kind_of(path)
    assert kind is not None
    return identify(path, kind)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    directory = tmp_path / "work"
    directory.mkdir()
    return directory


@pytest.fixture
def binary(tmp_path: Path) -> Binary:
    path = tmp_path / "App"
    path.write_bytes(written.macho())
    return read(path)[0]


def scripted(directory: Path, script: str, limits: Limits = LIMITS) -> DumpSyms:
    """A shell script in place of dump_syms; in it ``$out`` is its output file, ``$in`` the last input file."""
    path = directory / "dump_syms"
    path.write_text(f'#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = --output ] && out=$2; in=$1; shift; done\n{script}\n')
    path.chmod(0o755)
    return DumpSyms(path, limits)


def test_a_program_becomes_the_symbol_file_of_its_build(work: Path) -> None:
    (binary,) = read(PROGRAM)

    made = real_dump_syms().convert([binary], work)

    assert made.identity.path == f"{PROGRAM.name}/{binary.debug_id}/{PROGRAM.name}.sym"
    assert made.file.read_text().startswith(f"MODULE Linux x86_64 {binary.debug_id} ")


def test_a_program_without_a_build_id_has_the_id_that_dumps_give_it(tmp_path: Path, work: Path) -> None:
    content = PROGRAM.read_bytes()
    note = b"\x04\0\0\0\x14\0\0\0%c\0\0\0GNU\0"
    assert note % 3 in content
    path = tmp_path / "program"
    path.write_bytes(content.replace(note % 3, note % 99))
    (binary,) = read(path)

    assert binary.debug_id != read(PROGRAM)[0].debug_id
    assert real_dump_syms().convert([binary], work).identity.debug_id == binary.debug_id


@pytest.mark.parametrize("processor", [0x1000007, 0x100000C])
def test_each_program_of_a_fat_file_becomes_a_symbol_file(tmp_path: Path, work: Path, processor: int) -> None:
    path = tmp_path / "App"
    other = UUID(int=5)
    programs = (
        (each, written.macho(written.ID if each == processor else other, each)) for each in (7 | 1 << 24, 12 | 1 << 24)
    )
    path.write_bytes(written.fat(*programs))
    binary = next(each for each in read(path) if each.debug_id == f"{written.DEBUG_ID}0")

    made = real_dump_syms().convert([binary], work)

    assert made.identity.path == f"App/{written.DEBUG_ID}0/App.sym"
    assert "PUBLIC 40 0 main" in made.file.read_text()


def test_a_windows_program_is_converted_under_its_pdbs_name(tmp_path: Path, work: Path) -> None:
    path = tmp_path / "app.exe"
    path.write_bytes(written.pe(b"C:\\build\\app.pdb"))

    made = real_dump_syms().convert(read(path), work)

    assert made.identity.path == f"app.pdb/{written.DEBUG_ID}1/app.sym"


def test_no_file_that_a_windows_program_names_is_read(tmp_path: Path, work: Path) -> None:
    path, private = tmp_path / "app.exe", tmp_path / "private.pdb"
    private.write_bytes(written.pdb(1, 1))
    # The second record is in a place where only another reader finds it.
    path.write_bytes(written.pe(bytes(private)) + b"RSDS".ljust(24) + bytes(private) + b"\0")
    (binary,) = read(path)
    assert (binary.kind, binary.debug_file) == (Kind.PE, "private.pdb")

    with pytest.raises(NotConverted):
        scripted(tmp_path, f'cp "$in" {tmp_path}/seen; ls "${{in%/*}}" > {tmp_path}/listed').convert([binary], work)

    seen = (tmp_path / "seen").read_bytes()
    assert seen.count(b"private.pdb\0") == 2
    assert bytes(tmp_path) not in seen
    assert (tmp_path / "listed").read_text().split() == ["app.exe"]


def test_a_program_that_is_full_of_pdb_names_is_refused(tmp_path: Path, work: Path) -> None:
    path = tmp_path / "app.exe"
    path.write_bytes(written.pe(b"app.pdb") + b"RSDS" * 10_000)

    with pytest.raises(NotConverted, match="more than 1000 CodeView records"):
        real_dump_syms().convert(read(path), work)


def test_a_pdb_is_found_beside_its_program(tmp_path: Path, work: Path) -> None:
    program, pdb = tmp_path / "app.exe", tmp_path / "renamed.pdb"
    program.write_bytes(written.pe(b"C:\\build\\app.pdb", age=2))
    pdb.write_bytes(written.pdb(1, 2))

    with pytest.raises(NotConverted):
        scripted(tmp_path, f'ls "${{in%/*}}" > {tmp_path}/listed').convert([*read(program), *read(pdb)], work)

    assert (tmp_path / "listed").read_text().split() == ["app.exe", "app.pdb"]


def test_a_converter_has_limits_a_session_of_its_own_an_empty_home_and_nothing_else(
    tmp_path: Path, work: Path, binary: Binary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "secret")
    monkeypatch.setenv("_NT_SYMBOL_PATH", "SRV*https://symbols.example.com")
    # A program may be faster than the limits, which are set at once; after two seconds of CPU time it gives up.
    script = f"""ulimit -t 2
while [ "$(ulimit -v)" = unlimited ]; do :; done
tr '\\0' '\\n' < /proc/$$/environ > {tmp_path}/environment
ls -A "$HOME" . > {tmp_path}/listed; pwd -P >> {tmp_path}/listed
{{ ulimit -v; ulimit -c; ulimit -f; cut -d' ' -f6 /proc/$$/stat; echo $$; echo "$in"; }} > {tmp_path}/limits
printf '{SYMBOLS}' > "$out"
"""
    scripted(tmp_path, script, replace(LIMITS, memory=1 << 30)).convert([binary], work)

    variables = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines())
    home = variables.pop("HOME")
    assert variables.keys() - OF_THE_SHELL == {"TMPDIR", "LANG", "MALLOC_ARENA_MAX"}
    assert (tmp_path / "listed").read_text().split() == [".:", f"{home}:", home]
    memory, core, size, session, pid, given = (tmp_path / "limits").read_text().split()
    assert (int(memory), core, int(size)) == ((1 << 30) // 1024, "0", (1 << 20) // 512)
    assert session == pid
    assert Path(given).name == "App"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exec cat /dev/zero", "was killed: it printed more than 65536 bytes"),
        ('exec cat /dev/zero > "$out"', "was killed: its symbol file exceeded 1 MB"),
        ("echo 'memory allocation of 7 bytes failed' >&2; kill -ABRT $$", "wanted more than"),
        ("echo not an object >&2; exit 3", "failed with exit code 3: not an object"),
        ("echo not merged >&2", "wrote nothing: not merged"),
        (f'printf "{SYMBOLS}" > "$out".2; ln -s "$out".2 "$out"', "cannot read what dump_syms wrote: "),
        ('mkfifo "$out"', "wrote no regular file"),
        ('echo "<html>" > "$out"', "wrote an incomplete symbol file"),
        (f'printf "{SYMBOLS}PUBLIC" > "$out"', "wrote an incomplete symbol file"),
        (f'printf "{SYMBOLS.replace("5A98", "0000")}" > "$out"', "wrote symbols of debug id 000032E5"),
        (f'printf "{SYMBOLS.replace("App", "..")}" > "$out"', "not the name of a debug file"),
    ],
)
def test_a_converter_that_fails_says_why(tmp_path: Path, work: Path, binary: Binary, script: str, said: str) -> None:
    with pytest.raises(NotConverted) as refused:
        scripted(tmp_path, script).convert([binary], work)

    assert said in str(refused.value)


def test_a_converter_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, work: Path, binary: Binary) -> None:
    child = f"sh -c 'exec sleep 3600' {tmp_path} > {os.devnull} 2>&1"
    script = f"{child} &\n{child}"

    with pytest.raises(NotConverted) as refused:
        scripted(tmp_path, script, replace(LIMITS, timeout=1.0)).convert([binary], work)

    assert "was killed: not done after 1 s" in str(refused.value)
    eventually(lambda: not processes_of(tmp_path))


@pytest.mark.parametrize(
    "content",
    [PROGRAM.read_bytes(), written.pe(b"C:\\app.pdb"), written.macho(), written.pdb(1, 1)],
    ids=["ELF", "PE", "Mach-O", "PDB"],
)
def test_a_hostile_binary_is_converted_or_refused(tmp_path: Path, content: bytes) -> None:
    chance = random.Random(2)
    dump_syms, path = real_dump_syms(), tmp_path / "hostile"
    outcomes: list[Converted | str] = []
    for round_ in range(40):
        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 12)):
            damaged[chance.randrange(64, len(damaged))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        path.write_bytes(damaged)
        work = tmp_path / str(round_)
        work.mkdir()
        try:
            outcomes.append(dump_syms.convert(read(path), work))
        except (NotUnderstood, NotConverted) as error:
            outcomes.append(str(error))
    assert len(outcomes) == 40


def test_a_converter_may_use_less_memory_than_the_machine_has() -> None:
    assert default_limits().memory < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
