"""The audit log says who added which symbols."""

from socorro_processor.errors import SocorroError
from socorro_processor.stackwalk.local_symbols import ADDED, REFUSED, REPLACED, THERE
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.symbols.symbol_upload import UploadedSymbols
from socorro_processor.web.symbols.upload_audit import audit_upload

CI = Viewer(frozenset({"uploads"}), "ci", "token 1f0c22ab")


def uploaded(result: str, name: str = "app") -> UploadedSymbols:
    return UploadedSymbols(f"{name}.sym", result, SymbolFileID(name, "A" * 33, f"{name}/{name}.sym"))


def lines_of(results: list[UploadedSymbols]) -> list[tuple[str, dict[str, str]]]:
    lines: list[tuple[str, dict[str, str]]] = []
    audit_upload(lambda words, fields: lines.append((words, dict(fields))), results, CI)
    return lines


def test_a_line_names_the_viewer_and_what_was_added():
    ((words, fields),) = lines_of([uploaded(ADDED), uploaded(REPLACED, "lib"), uploaded(THERE), uploaded(REFUSED)])
    assert words == "2 symbol files were added"
    assert (fields["page"], fields["viewer"]) == ("symbols", "ci (token 1f0c22ab)")
    assert (fields["symbols"].count("app"), fields["symbols"].count("lib")) == (2, 2)


def test_what_changes_nothing_has_no_line():
    assert lines_of([uploaded(THERE), uploaded(REFUSED)]) == []


def test_a_line_stays_short_however_many_were_added():
    ((words, fields),) = lines_of([uploaded(ADDED, f"lib{number}") for number in range(1000)])
    assert words == "1000 symbol files were added"
    assert len(fields["symbols"]) < 1000


def test_a_line_that_cannot_be_written_is_told_by_the_log(caplog):
    def fail(words: str, fields: object) -> None:
        raise SocorroError("the disk is full")

    audit_upload(fail, [uploaded(ADDED)], CI)
    assert "the audit file lacks a line: 1 symbol file was added" in caplog.text
