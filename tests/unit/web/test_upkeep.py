"""The upkeep of a server: what pages and probes are told of disks and of what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from socorro_processor.cli.all_options import all_options
from socorro_processor.configuration import Configuration, Source
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.monitoring.health import Health
from socorro_processor.retention.retention import Round
from socorro_processor.web.pages.notices import Notice, Notices
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.upkeep import Upkeep
from tests.unit.web.html_tree import read_html

MORE_THAN_ANY_DISK = "1000000G"


class Site:
    def __init__(self, directory: Path, **options: str) -> None:
        given = {f"retention.{name}": value for name, value in options.items()}
        given |= {
            "resource.filesystem.root": str(directory / "crashes"),
            "collector.spool": str(directory / "spool"),
            "new_crash_source.path": str(directory / "queue.sqlite"),
        }
        values = Configuration(all_options(), [Source(given)]).values
        self.health = Health()
        self.health.resolve("start")
        self.notices = Notices()
        self.queue = SQLiteCrashQueue(values.new_crash_source)
        self.upkeep = Upkeep(values, self.queue, lambda crash_id: False, self.health, self.notices)

    def told(self) -> str:
        """Return the only notice; pages and probes must be told the same."""
        (notice,) = self.notices.notices()
        (warning,) = self.health.warnings().values()
        assert warning.lower() == notice.text.lower()
        return notice.text

    def is_quiet(self) -> bool:
        return not self.notices.notices() and not self.health.warnings()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, keep_bytes="20G", disk_low=MORE_THAN_ANY_DISK)
    yield site
    site.queue.close()


def test_a_disk_that_is_low_is_told_with_what_to_set_and_the_server_stays_ready(site):
    site.upkeep._note_round(Round(size=3 << 30), "")
    site.upkeep.look_at_disks()
    assert site.told().startswith("The disk of crashes, index, queue and spool is low: ")
    assert "retention.keep_bytes allows at most 20 GB of crashes, which take 3 GB now." in site.told()
    assert site.health.problems() == {}


def test_it_is_logged_once(site, caplog):
    for _ in range(3):
        site.upkeep.look_at_disks()
    assert [record.message.partition(":")[0] for record in caplog.records] == ["disk"]


def test_nothing_is_told_of_disks_with_room(tmp_path):
    site = Site(tmp_path, disk_low="1k")
    site.upkeep.look_at_disks()
    assert site.is_quiet()
    site.queue.close()


@pytest.mark.parametrize(
    ("done", "problem", "words"),
    [
        (None, "no such disk", "Old crashes cannot be removed, so the disk may fill up: no such disk"),
        (Round(problem="crash x: away"), "", "Some old crashes cannot be removed: crash x: away"),
        (Round(excess=5 << 20), "", "Crashes take 5 MB more than retention.keep_bytes allows: they wait"),
        (Round(doubted_until=1_800_000_000.0), "", "are removed from 2027-01-15 08:00 (UTC) on"),
    ],
)
def test_what_keeps_crashes_from_being_removed_is_told_until_it_has_passed(site, done, problem, words):
    site.upkeep._note_round(done, problem)
    assert words in site.told()
    site.upkeep._note_round(Round(), "")
    assert site.is_quiet()


def test_every_page_shows_the_notices_below_its_head_the_bad_ones_first_and_as_text():
    notices = Notices()
    pages = Pages(notices=notices.notices)

    def shown() -> list[str]:
        page = read_html(pages.render("message.html", title="x", words=["y"], reload_after=0))
        return [each.text for each in page.all("p", class_="notice")]

    assert shown() == []
    notices.show("retention", "note", "Some crashes are old.")
    notices.show("disk", "bad", "<b>The disk</b> is low.")
    assert shown() == ["<b>The disk</b> is low.", "Some crashes are old."]
    notices.show("disk", "note", "It is not so bad.")
    notices.hide("retention")
    notices.hide("never shown")
    assert notices.notices() == [Notice("note", "It is not so bad.")]
