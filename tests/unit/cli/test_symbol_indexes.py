"""``socorro symbols index``, over the symbols of the samples."""

import shutil

from socorro_processor.cli.main import main
from tests.shared import SAMPLES, stackwalker


def test_symbol_files_without_an_index_get_one(tmp_path, capsys):
    stackwalker()
    shutil.copytree(SAMPLES / "symbols", tmp_path / "symbols")
    rule = "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015"
    arguments = ["symbols", "index", f"{rule}.symbols_path={tmp_path / 'symbols'}"]
    assert main(arguments, environ={}) == 0
    assert capsys.readouterr().out == "3 of 3 symbol files have an index\n"
    indexes = {path: path.stat().st_ino for path in (tmp_path / "symbols.index").rglob("*.index")}
    assert len(indexes) == 3
    assert main(arguments, environ={}) == 0
    assert {path: path.stat().st_ino for path in indexes} == indexes
