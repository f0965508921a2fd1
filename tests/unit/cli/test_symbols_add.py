"""``socorro symbols add``, with the real dump_syms and stackwalker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from socorro_processor.cli.main import main
from socorro_processor.symbols.binary import Kind, identify
from tests.shared import REPOSITORY, SAMPLES, own_stackwalker, stackwalker, stock_stackwalker
from tests.unit.symbols import written_binaries
from tests.unit.symbols.written_minidump import GUID, written

PROGRAM = Path(shutil.which("true") or "/bin/true")
LIGHTBOX = "lightbox/561F144541602F969DC91FFDB6C2F1E30"
SYM = next((SAMPLES / "symbols").rglob("lightbox.sym"))
BARE = " (without functions and lines: it has no debug information)"
SYMBOLS_PATH = "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.symbols_path"
AMD64 = 9

Add = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def add(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Add:
    """Run the command in a directory of its own; return exit code, output lines and error output."""
    stackwalker()
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path / "site")

    def add(*arguments: str | Path) -> tuple[int, list[str], str]:
        code = main(["symbols", "add", *map(str, arguments)], environ={})
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return add


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "site" / "socorro-data" / "symbols"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    directory = tmp_path / "build"
    (directory / "deep").mkdir(parents=True)
    return directory


def debug_id() -> str:
    return identify(PROGRAM, Kind.ELF)[0].debug_id


def test_every_file_with_symbols_in_a_directory_is_added_under_its_debug_file_and_id(
    add: Add, store: Path, build: Path
) -> None:
    shutil.copy(PROGRAM, build / "deep" / "app")
    shutil.copy(SYM, build / "any name.sym")
    (build / "App").write_bytes(written_binaries.macho())
    (build / "app.exe").write_bytes(written_binaries.pe(b"C:\\x\\renamed.pdb"))
    (build / "README").write_text("text")
    code, lines, err = add(build)

    assert (code, err) == (0, "")
    assert sorted(lines) == [
        f"{build}/App: added, App/{written_binaries.DEBUG_ID}0{BARE}",
        f"{build}/any name.sym: added, {LIGHTBOX}",
        f"{build}/app.exe: added, renamed.pdb/{written_binaries.DEBUG_ID}1{BARE}",
        f"{build}/deep/app: added, app/{debug_id()}{BARE}",
    ]
    assert (store / LIGHTBOX / "lightbox.sym").read_bytes() == SYM.read_bytes()
    assert (store / "app" / debug_id() / "app.sym").read_text().startswith("MODULE Linux x86_64")
    assert sorted(path.name for path in store.rglob("*") if path.is_file()) == [
        "App.sym",
        "app.sym",
        "lightbox.sym",
        "renamed.sym",
    ]


def test_an_existing_symbol_file_stays_as_it_is(add: Add, store: Path) -> None:
    add(SYM)
    there = store / LIGHTBOX / "lightbox.sym"
    before = there.stat()

    assert add(SYM) == (0, [f"{SYM}: already there, {LIGHTBOX}"], "")
    assert (there.stat().st_ino, there.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_symbol_file_without_functions_is_replaced_by_one_with_functions(add: Add, store: Path, build: Path) -> None:
    module = f"MODULE Linux x86_64 {written_binaries.DEBUG_ID}0 app\n"
    bare, full = build / "bare.sym", build / "full.sym"
    bare.write_text(f"{module}PUBLIC 1000 0 <unknown in app>\nFUNC 2000 10 0 <unknown in app>\n")
    full.write_text(f"{module}FUNC 1000 10 0 main\n")
    name = f"app/{written_binaries.DEBUG_ID}0"

    assert add(bare)[1] == [f"{bare}: added, {name}{BARE}"]
    assert add(full)[1] == [f"{full}: replaced, {name}"]
    assert add(bare)[1] == [f"{bare}: already there, {name}{BARE}"]
    assert (store / name / "app.sym").read_bytes() == full.read_bytes()


def test_a_bad_file_is_refused_with_the_reason_and_the_others_are_added(add: Add, store: Path, build: Path) -> None:
    text, corrupt, cut, program = (build / name for name in ("text", "corrupt.sym", "cut.sym", "object"))
    text.write_text("text")
    corrupt.write_bytes(SYM.read_bytes() + b"INLINE_ORIGIN 5\n")
    cut.write_bytes(SYM.read_bytes()[:-1])
    program.write_bytes(PROGRAM.read_bytes()[:16] + b"\1" + PROGRAM.read_bytes()[17:])

    code, lines, _ = add(text, corrupt, cut, program, SYM)

    assert code == 1
    assert lines == [
        f"{text}: refused: neither a symbol file, nor a binary (ELF, PE, PDB or Mach-O), nor a minidump",
        f"{corrupt}: refused: it is corrupt: the stackwalker rejects a line of it; make it again with dump_syms",
        f"{cut}: refused: its last line was cut off",
        f"{program}: refused: an ELF file that is neither a program nor a library",
        f"{SYM}: added, {LIGHTBOX}",
    ]
    assert [path.name for path in store.rglob("*.sym")] == ["lightbox.sym"]


def test_programs_are_told_the_same(add: Add, build: Path) -> None:
    (build / "text").write_text("text")

    code, (line,), _ = add("--json", build / "text", SYM)

    assert code == 1
    assert json.loads(line) == [
        {
            "files": [str(build / "text")],
            "result": "refused",
            "reason": "neither a symbol file, nor a binary (ELF, PE, PDB or Mach-O), nor a minidump",
        },
        {
            "files": [str(SYM)],
            "result": "added",
            "reason": "",
            "debug_file": "lightbox",
            "debug_id": LIGHTBOX.partition("/")[2],
            "path": f"{LIGHTBOX}/lightbox.sym",
        },
    ]


def test_a_minidump_stands_for_its_modules_that_this_machine_has(add: Add, store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copy(shutil.which("ls") or "/bin/ls", other)
    dump = tmp_path / "app.dmp"
    # The first has the build id of PROGRAM, the second one that does not exist.
    modules = ((0x7F0000010000, 0x10000), (0x7F0000030000, 0x10000), (0x7F0000050000, 0x10000))
    content = written(AMD64, modules=modules, names=(str(PROGRAM), str(other), "relative"))
    build_id = UUID(hex=debug_id()[:32]).bytes_le
    dump.write_bytes(content.replace(GUID[:15] + b"\0", build_id))

    assert add(dump) == (0, [f"{PROGRAM}: added, {PROGRAM.name}/{debug_id()}{BARE}"], "")
    assert [path.name for path in store.rglob("*.sym")] == [f"{PROGRAM.name}.sym"]


def test_a_minidump_of_another_machine_is_refused(add: Add, tmp_path: Path) -> None:
    dump = tmp_path / "app.dmp"
    dump.write_bytes(written(AMD64, names=(str(PROGRAM),)))

    assert add(dump) == (1, [f"{dump}: refused: this machine has none of its modules in the same build"], "")


def test_a_minidump_of_a_machine_without_the_own_stackwalker_is_refused_with_what_to_do(tmp_path: Path) -> None:
    # A Python beside which there are no other programs.
    directory = tmp_path / "bin"
    directory.mkdir()
    python = directory / "python3"
    python.symlink_to(sys.executable)
    (directory / "minidump-stackwalk").symlink_to(stock_stackwalker())
    dump = tmp_path / "app.dmp"
    dump.write_bytes(written(AMD64, names=(str(PROGRAM),)))

    def add(**environment: str) -> tuple[int, list[str], str]:
        paths = os.pathsep.join(filter(None, [str(REPOSITORY), sysconfig.get_path("purelib")]))
        ended = subprocess.run(
            [python, "-c", COMMAND, "symbols", "add", str(dump), str(SYM)],
            cwd=tmp_path,
            env={"PATH": str(directory), "PYTHONPATH": paths, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout.splitlines(), ended.stderr

    code, (refused, added), _ = add()
    assert (code, added) == (1, f"{SYM}: added, {LIGHTBOX}")
    assert refused.startswith(f"{dump}: refused: socorro-stackwalk is neither on PATH ({directory}:")
    assert refused.endswith(
        "only it lists the modules of a minidump: `make install` builds it on hosts with Rust, and hosts without "
        "Rust install its wheel (docs/production.rst)"
    )
    code, lines, _ = add(SOCORRO_STACKWALKER=str(own_stackwalker()))
    assert (code, lines[0]) == (1, f"{dump}: refused: this machine has none of its modules in the same build")


COMMAND = """
import sys
from socorro_processor.cli.main import main

sys.exit(main(sys.argv[1:], environ={}))
"""


def test_a_minidump_that_names_another_build_than_was_added_is_reported(
    add: Add, store: Path, build: Path, tmp_path: Path
) -> None:
    program, dump = build / "app", tmp_path / "app.dmp"
    shutil.copy(PROGRAM, program)
    # It names the program in a build that is gone, and one that exists.
    content = written(
        AMD64, modules=((0x7F0000010000, 0x10000), (0x7F0000030000, 0x10000)), names=("/x/app", str(PROGRAM))
    )
    dump.write_bytes(content.replace(GUID[:15] + b"\1", UUID(hex=debug_id()[:32]).bytes_le))
    crashed = f"{UUID(bytes_le=GUID[:15] + bytes(1)).hex.upper()}0"
    told = f"{dump}: names another build, app/{crashed} (not app/{debug_id()}: the one that crashed is needed)"

    code, lines, err = add(program, dump)
    assert (code, err) == (1, "")
    assert lines == [
        f"{program}: added, app/{debug_id()}{BARE}",
        f"{PROGRAM}: added, {PROGRAM.name}/{debug_id()}{BARE}",
        told,
    ]
    assert json.loads(add("--json", program, dump)[1][0])[-1] == {
        "files": [str(dump)],
        "result": "names another build",
        "reason": f"not app/{debug_id()}: the one that crashed is needed",
        "debug_file": "app",
        "debug_id": crashed,
        "path": f"app/{crashed}/app.sym",
    }

    # Once the store has the build that crashed, nothing is reported.
    symbols = store / "app" / crashed / "app.sym"
    symbols.parent.mkdir()
    symbols.write_text(f"MODULE Linux x86_64 {crashed} app\nFUNC 1000 10 0 main\n")
    assert add(program, dump)[0] == 0


def test_a_file_name_cannot_control_a_terminal(add: Add, build: Path) -> None:
    file = build / "\x1b]0;x\x07.sym"
    file.write_text("text")

    _, lines, _ = add(build)

    assert all(line.isprintable() for line in lines)


def test_names_of_a_stripped_library_end_where_their_functions_do(add: Add, store: Path) -> None:
    libc = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libc.so.6" in line)
    code, lines, _ = add(libc)
    assert code == 0, lines

    names: dict[int, str] = {}
    for line in next(store.rglob("libc.so.6.sym")).read_text().splitlines():
        if line.startswith("PUBLIC "):
            address, _, name = line.removeprefix("PUBLIC ").removeprefix("m ").split(" ", 2)
            names[int(address, 16)] = name
    ordered = sorted(names)
    behind = dict(pairwise(ordered))
    (getpid,) = (address for address, name in names.items() if name in ("getpid", "__getpid"))
    # A system call of a few bytes; what follows is another one, or has no name.
    assert behind[getpid] - getpid < 64
    assert sum(name == "<unknown in libc.so.6>" for name in names.values()) > 100


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["absent"], 1, "absent is neither a file nor a directory"),
        (["."], 1, "no symbol files or binaries in ."),
        (
            [str(SYM), f"--{SYMBOLS_PATH}={os.devnull}"],
            1,
            "cannot write /dev/null",
        ),
    ],
)
def test_a_failure_is_reported(add: Add, arguments: list[str], code: int, told: str) -> None:
    done, _, err = add(*arguments)

    assert (done, told in err) == (code, True), err
