"""Crashes in an index of the tests, and the page of a signature made from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.fields import FieldTable
from socorro_processor.search.sqlite.crashstorage import SQLiteSearchIndex
from socorro_processor.search.sqlite.reading import SQLiteCrashIndex
from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.search_sources import SearchSources
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.signature.signature_page import signature_page
from tests.unit.web.crash_pages import EVERYTHING, pages
from tests.unit.web.html_tree import Element, read_html

TODAY = date(2026, 11, 30)


@dataclass
class Crashes:
    """An index, and what was saved into it."""

    store: SQLiteSearchIndex
    sources: SearchSources
    saved: list[dict[str, Any]] = field(default_factory=list)

    def save(self, day: date = TODAY, seconds: int = 0, **fields: Any) -> str:
        """Save a crash of a day; a field that is None is missing. Return its id."""
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)
        crash_id = new_crash_id(day)
        crash = {
            "processing": {"algorithm": 2026},
            "uuid": crash_id,
            "date_processed": moment.isoformat(),
            "product": "Lightbox",
            "version": "2.3",
            "signature": "render",
            **fields,
        }
        processed = {name: value for name, value in crash.items() if value is not None}
        self.store.save_raw_and_processed({}, {}, processed, crash_id)
        self.saved.append(processed)
        return crash_id

    def answer(self, query: str = "signature=render", viewer: Viewer = EVERYTHING, **more: int) -> Answer:
        return signature_page(pages(), self.sources, query.encode(), viewer, **more)

    def page(self, query: str = "signature=render", viewer: Viewer = EVERYTHING, **more: int) -> Element:
        answer = self.answer(query, viewer, **more)
        assert answer.status == 200, read_html(answer.html).one("main").text
        return read_html(answer.html)


@contextmanager
def crashes_in(directory: Path) -> Iterator[Crashes]:
    """Make an empty index there."""
    store = SQLiteSearchIndex(defaults(SQLiteSearchIndex, path=str(directory)))
    store.setup()
    with SQLiteCrashIndex(directory, FieldTable()) as index:
        yield Crashes(store, SearchSources(index, FieldTable(), lambda: TODAY))
    store.close()


def figures(page: Element) -> Mapping[str, str]:
    """Return the figures of the head, by their names."""
    return {each.one("dt").text: each.one("dd").text for each in page.one("dl", class_="figures").all("div")}


def badges(page: Element) -> Mapping[str, str]:
    """Return the words of each badge."""
    found = [each for each in page.all("li") if each.all("span", class_="badge")]
    return {
        name: each.text.removeprefix(name).strip() for each in found for name in [each.one("span", class_="badge").text]
    }


def tables(page: Element) -> Mapping[str, list[tuple[str, int]]]:
    """Return values and crashes of each table, by its title."""
    return {
        table.one("caption").text: [
            (row.one("th").text, int(row.all("td")[1].text.replace(",", ""))) for row in table.all("tr")
        ]
        for table in page.all("table", class_="facet")
    }
