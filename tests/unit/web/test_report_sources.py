"""The sources of a page, from a configuration and real stores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.cli.main import main
from socorro_processor.configuration import Configuration, DotDict, split_command_line
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import ConfigurationError
from socorro_processor.report.walked_dump import Frame
from socorro_processor.web.report.report_downloads import dump_download
from socorro_processor.web.report.report_options import required_config
from socorro_processor.web.report.report_page import report_page
from socorro_processor.web.report.report_sources import ReportSources
from tests.shared import SAMPLES, stackwalker
from tests.unit.web.crash_pages import EVERYTHING, NOTHING, pages
from tests.unit.web.html_tree import read_html

LINKS = json.dumps([{"file": "/build/lightbox/{path}", "link": "https://git.example.com/{version}/{path}#{line}"}])


def configured(*arguments: str) -> DotDict:
    definitions = ProcessorApp.get_required_config()
    definitions.namespace("web")
    definitions.web.update(required_config)
    return Configuration(definitions, [split_command_line(list(arguments))[0]]).values


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileSystemCrashStorage]:
    values = configured(f"--resource.filesystem.root={tmp_path}")
    store = values.source.crashstorage_class(values.source)
    yield store
    store.close()


def test_a_crash_that_was_really_processed_has_its_page(
    store: FileSystemCrashStorage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stackwalker()
    sample = SAMPLES / "segfault"
    dump = sample / "upload_file_minidump.dmp"
    raw = json.loads((sample / "raw_crash.json").read_bytes()) | {"Email": "a@example.com"}
    crash_id = "0bba61c5-dfc3-43e7-dead-8afd20161123"
    store.save_raw_crash({**raw, "uuid": crash_id}, {"upload_file_minidump": dump, "log": b"line"}, crash_id)
    symbols = f"--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.symbols_path={SAMPLES / 'symbols'}"
    algorithm = "--processor.processor_class=socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026"
    assert main(["process", crash_id, f"--resource.filesystem.root={tmp_path}", symbols, algorithm], {}) == 0
    capsys.readouterr()
    sources = ReportSources.of(configured(f"--web.source_links={LINKS}"), store, store)

    status, html = report_page(pages(), sources, crash_id, EVERYTHING)
    page = read_html(html)
    assert status == 200
    assert page.one("h1").text == "lightbox::exif::Directory::find"
    assert "https://git.example.com/2.3.1/photos/exif.h#35" in html
    protected = page.one("section", id="annotations").one("details", class_="protected")
    assert "a@example.com" in protected.text
    links = {link.text: link.attributes["href"] for link in page.one("section", id="files").all("a")}
    for name, content in (("upload_file_minidump", dump.read_bytes()), ("log", b"line")):
        assert links[name] == f"/report/{crash_id}/dump/{name}"
        assert dump_download(sources, crash_id, name).content == content
    assert "a@example.com" not in report_page(pages(), sources, crash_id, NOTHING).html


def test_the_options_of_the_section_web_make_links_and_fields(store: FileSystemCrashStorage) -> None:
    own = json.dumps([{"name": "album", "annotations": ["Album"], "access": "public"}])
    sources = ReportSources.of(
        configured(f"--web.source_links={LINKS}", f"--resource.fields.own_fields={own}"), store, store
    )
    frame = Frame(0, "cfi", "f", "a.c:1", "a.so", "", "/build/lightbox/a.c", "1")
    assert sources.links.link(frame, {"version": "3"}) == "https://git.example.com/3/a.c#1"
    assert sources.fields.is_public("Album")
    assert sources.signer is not None


def test_a_wrong_template_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="source_links"):
        configured('--web.source_links=[{"file": "/{path}", "link": "javascript:{path}"}]')


def test_without_rules_that_sign_there_is_no_signer(store: FileSystemCrashStorage) -> None:
    values = configured()
    values.processor.rule_sets.rule_sets = []
    assert ReportSources.of(values, store, store).signer is None
