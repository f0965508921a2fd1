"""``socorro symbols index``, over the symbols of the samples."""

import shutil

from socorro_processor.cli.main import main
from tests.shared import SAMPLES, own_stackwalker


def test_symbol_files_without_an_index_get_one(tmp_path, capsys):
    own_stackwalker()
    shutil.copytree(SAMPLES / "symbols", tmp_path / "symbols")
    rule = "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015"
    arguments = ["symbols", "index", f"{rule}.symbols_path={tmp_path / 'symbols'}"]
    assert main(arguments, environ={}) == 0
    assert capsys.readouterr().out == "3 of 3 symbol files have an index\n"
    indexes = {path: path.stat().st_ino for path in (tmp_path / "symbols.index").rglob("*.index")}
    assert len(indexes) == 3
    assert main(arguments, environ={}) == 0
    assert {path: path.stat().st_ino for path in indexes} == indexes


def test_a_corrupt_symbol_file_is_named_each_time(tmp_path, capsys):
    own_stackwalker()
    shutil.copytree(SAMPLES / "symbols", tmp_path / "symbols")
    (path,) = (tmp_path / "symbols" / "lightbox").rglob("*.sym")
    header, _, records = path.read_text().partition("\n")
    path.write_text(f"{header}\nINLINE_ORIGIN 5\n{records}")
    rule = "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015"
    for again in ([], [], ["--all"]):
        assert main(["symbols", "index", *again, f"{rule}.symbols_path={tmp_path / 'symbols'}"], environ={}) == 1
        out, err = capsys.readouterr()
        assert out == "2 of 3 symbol files have an index\n"
        assert f"{path}: it is corrupt: the stackwalker rejects it" in err
    assert len(list((tmp_path / "symbols.index").rglob("*.index"))) == 3


def test_without_symbol_files_the_command_says_where_it_looked(tmp_path, capsys):
    own_stackwalker()
    rule = "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015"
    assert main(["symbols", "index", f"{rule}.symbols_path={tmp_path}/symbols"], environ={}) == 0
    assert capsys.readouterr().out == f"0 of 0 symbol files have an index: there are none in {tmp_path}/symbols\n"
