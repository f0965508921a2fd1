"""Pages of crashes that are in no store."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from socorro_processor.configuration import DotDict
from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash, RawCrash
from socorro_processor.errors import CrashIDNotFound
from socorro_processor.fields import FieldTable, Protection, follows_table
from socorro_processor.pipeline.algorithm_2026 import ProcessorAlgorithm2026
from socorro_processor.report.source_links import SourceLinks
from socorro_processor.serialization import Note, ignore
from socorro_processor.signing.signer import Signer
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.viewer import ALL, Viewer
from socorro_processor.web.report.report_page import report_page
from socorro_processor.web.report.report_sources import ReportSources
from tests.unit.cli.reports import CRASH_ID
from tests.unit.web.html_tree import Element, read_html

EVERYTHING = replace(ALL, csrf_token="the-token")
NOTHING = Viewer()
PROTECTED_IN_2015 = ("email", "url")


class OneCrash(CrashStorageBase):
    """A store with a crash, or parts of one; an exception in place of a part is raised."""

    def __init__(
        self,
        processed: ProcessedCrash | Exception | None = None,
        raw: RawCrash | Exception | None = None,
        dumps: dict[str, bytes] | None = None,
    ) -> None:
        super().__init__(DotDict())
        self._processed, self._raw, self._dumps = processed, raw, dumps or {}

    def get_unredacted_processed(self, crash_id: str) -> ProcessedCrash:
        return _part(self._processed)

    def get_processed(self, crash_id: str) -> ProcessedCrash:
        processed = _part(self._processed)
        if follows_table(processed):
            return Protection(FieldTable()).redact(processed)
        return {name: value for name, value in processed.items() if name not in PROTECTED_IN_2015}

    def get_raw_crash(self, crash_id: str, note: Note = ignore) -> RawCrash:
        return _part(self._raw)

    def get_raw_dump(self, crash_id: str, name: str | None = None) -> bytes:
        return _part(self._dumps.get(str(name)))

    def __str__(self) -> str:
        return "OneCrash"


def _part(part: Any) -> Any:
    if isinstance(part, Exception):
        raise part
    if part is None:
        raise CrashIDNotFound("the store has none")
    return part


@cache
def signer() -> Signer:
    from socorro_processor.cli.main import _configuration
    from socorro_processor.configuration import split_command_line

    algorithm = f"{ProcessorAlgorithm2026.__module__}.{ProcessorAlgorithm2026.__qualname__}"
    command_line = split_command_line([f"--processor.processor_class={algorithm}"])[0]
    return Signer(_configuration(command_line, {})[0].values.processor)


@cache
def pages() -> Pages:
    return Pages()


def sources(store: CrashStorageBase, **more: Any) -> ReportSources:
    given: dict[str, Any] = {"fields": FieldTable(), "signer": signer(), "links": SourceLinks(), **more}
    return ReportSources(store, store, **given)


def html_of(
    processed: ProcessedCrash | Exception | None,
    raw: RawCrash | Exception | None = None,
    viewer: Viewer = EVERYTHING,
    word: str = "",
    origin: str = "",
    **more: Any,
) -> str:
    crash_id = processed.get("uuid", CRASH_ID) if isinstance(processed, dict) else CRASH_ID
    asked = sources(OneCrash(processed, raw), **more)
    return report_page(pages(), asked, word or crash_id, viewer, origin=origin).html


def page_of(
    processed: ProcessedCrash | Exception | None,
    raw: RawCrash | Exception | None = None,
    viewer: Viewer = EVERYTHING,
    **more: Any,
) -> Element:
    return read_html(html_of(processed, raw, viewer, **more))


def rows_of(element: Element) -> list[str]:
    """Return the frames of stacks, each as a line of words; a folded run has its frames in their place."""
    tables = element.all("table", class_="frames")
    rows = [row for table in tables for row in table.one("tbody").all("tr")]
    return [" ".join(cell.text for cell in row.all() if cell.tag in ("th", "td") and cell.text) for row in rows]
