"""``socorro symbols missing``, over crashes in files."""

from __future__ import annotations

import csv
import io
import json

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage

XUL = ["xul.pdb", "83CF4DC03621B778E931FC713889E8F10", "xul.dll", None]
NTDLL = ["ntdll.pdb", "C5B5651B46B7612E118339D19A6E66360", "ntdll.dll", "5b8"]


@pytest.fixture
def symbols(tmp_path, capsys):
    """Run the command with three crashes of two days; return its exit code and output."""
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path)))
    for day, number, rows in (("161122", 1, [XUL]), ("161123", 2, [XUL, NTDLL]), ("161123", 3, [])):
        crash = {"uuid": f"00000000-0000-4000-8000-{number:05}0{day}", "processing": {"missing_symbols": rows}}
        store.save_processed(crash)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["symbols", "missing", f"--resource.filesystem.root={tmp_path}", *arguments], environ={})
        out, err = capsys.readouterr()
        return code, out, err

    run.store = store
    return run


def test_the_table_has_the_most_missed_first(symbols):
    code, out, _ = symbols()

    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["crashes", "debug", "file", "debug", "id", "code", "file", "code", "id"],
        ["2", *XUL[:3]],
        ["1", *NTDLL],
    ]


def test_machines_get_json(symbols):
    code, out, _ = symbols("--json", "--since=2016-11-23")

    names = ("debug_file", "debug_id", "code_file", "code_id", "crashes")
    assert code == 0
    assert json.loads(out) == [dict(zip(names, [*row, 1], strict=True)) for row in (NTDLL, XUL)]


def test_spreadsheets_get_csv(symbols):
    code, out, _ = symbols("--csv")

    assert code == 0
    assert list(csv.reader(io.StringIO(out))) == [
        ["debug_file", "debug_id", "code_file", "code_id", "crashes"],
        [*XUL[:3], "", "2"],
        [*NTDLL, "1"],
    ]


def test_if_nothing_was_missed_the_command_says_so_and_where_it_looked(symbols, tmp_path):
    text = f"no crash in FileSystemCrashStorage in {tmp_path} missed symbols\n"
    assert symbols("--since=2016-11-24") == (0, text, "")


@pytest.mark.parametrize("form", ["--csv", "--json", ""])
def test_a_module_name_cannot_control_a_terminal(symbols, form):
    symbols.store.save_processed(
        {
            "uuid": "00000000-0000-4000-8000-000000161125",
            "processing": {"missing_symbols": [["\x1b]0;x\x07", "5", "a\r\nb", "\u202e"]]},
        }
    )

    code, out, _ = symbols(*filter(None, [form]))
    assert code == 0
    assert out.replace("\n", "").isprintable()


def test_an_invalid_date_is_refused(symbols, capsys):
    with pytest.raises(SystemExit) as raised:
        symbols("--since=yesterday")
    assert raised.value.code == 2
    assert "'yesterday' is not a date such as 2016-11-23" in capsys.readouterr().err


def test_a_destination_that_cannot_be_asked_is_an_error(symbols):
    code, _, err = symbols("--destination.crashstorage_class=socorro_processor.crashstorage.null.NullCrashStorage")

    assert code == 2
    assert "no store of the destination can list missing symbols" in err
