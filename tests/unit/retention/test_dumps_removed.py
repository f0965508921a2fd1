"""A crash without its dumps: what the store, the collector and the processor make of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from socorro_processor.collector.known_crashes import stored_crash
from socorro_processor.crashstorage.keys import dump_key, dumps_removed_key
from socorro_processor.errors import CrashIDNotFound, PermanentStorageError
from socorro_processor.jobs.filesystem_cleanup import JOB
from socorro_processor.retention.bounds import Bounds
from tests.job_run import JobRun
from tests.retention_site import DUMP, RetentionSite


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RetentionSite]:
    with RetentionSite(tmp_path) as site:
        yield site


@pytest.fixture
def stripped(site: RetentionSite) -> str:
    """A crash that lost its dumps."""
    crash = site.crash(20)
    site.crash(1)
    site.keep(Bounds(dumps=1))
    return crash


def test_its_dumps_are_not_found_and_its_raw_and_processed_crash_are(site, stripped, tmp_path):
    notes: list[str] = []
    assert site.store.get_raw_dumps_as_files(stripped, tmp_path, notes.append) == {}
    assert notes == ["dump upload_file_minidump is listed but missing", "dump log is listed but missing"]
    with pytest.raises(CrashIDNotFound):
        site.store.get_raw_dump(stripped)
    assert stored_crash(site.store, stripped) == {"ProductName": "Browser", "Version": "1.0"}
    assert site.store.get_unredacted_processed(stripped)["signature"] == "main"


def test_saved_again_with_dumps_it_has_them_and_no_reason(site, stripped):
    site.store.save_raw_crash({}, {"upload_file_minidump": DUMP}, stripped)
    assert site.store.dumps_removed(stripped) == ""
    assert site.store.get_raw_dump(stripped) == DUMP


def test_removing_the_crash_removes_the_reason_too(site, stripped):
    assert "reason why its dumps were removed" in site.store.held(stripped)
    site.destination.remove(stripped)
    assert site.files(stripped) == []


def test_no_dump_can_take_the_place_of_the_reason(site):
    with pytest.raises(PermanentStorageError, match="keep something else"):
        dump_key(site.crash(), dumps_removed_key(site.crash()).split("/")[1])


def test_for_the_cleanup_of_directories_it_is_no_younger_than_before(site, stripped, tmp_path):
    job = JobRun({"resource.filesystem.root": site.root, "new_crash_source.path": tmp_path / "queue.sqlite"}, site.now)
    job(JOB, "--maximum=9", "--trust-clock", cron__filesystem_cleanup__retention_days=15)
    assert site.files(stripped) == []
