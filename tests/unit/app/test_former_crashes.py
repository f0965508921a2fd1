"""The warning of stored crashes whose signatures are of 2015."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from socorro_processor.app.former_crashes import former_crash_warning
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.memory import InMemoryCrashStorage

OF_2026 = {"processing": {"algorithm": 2026}}
OF_2015 = {"processing": {"attempt": 1}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileSystemCrashStorage]:
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "crashes")))) as store:
        yield store


def save(store: FileSystemCrashStorage, processed: dict[str, object], *days: date) -> None:
    for day in days:
        crash_id = new_crash_id(day)
        store.save_processed({"uuid": crash_id, "signature": "main", **processed})


def test_no_store_and_one_with_crashes_of_2026_are_nothing_to_warn_of(store):
    assert former_crash_warning(store) == ""
    save(store, OF_2026, date(2026, 11, 24))
    assert former_crash_warning(store) == ""


def test_a_crash_of_2015_is_found_however_many_newer_ones_of_2026_there_are(store):
    save(store, OF_2015, date(2026, 11, 1))
    save(store, OF_2026, *[date(2026, 11, 24)] * 40)
    warning = former_crash_warning(store)
    assert warning.startswith(f"{store} holds crashes that were signed by the algorithm of 2015")
    assert "processor.processor_class" in warning


def test_a_crash_of_2015_is_found_where_older_ones_were_processed_again(store):
    save(store, OF_2026, *[date(2026, 11, 1)] * 40)
    save(store, OF_2015, date(2026, 11, 24))
    assert former_crash_warning(store)


def test_a_store_that_cannot_be_read_is_nothing_to_warn_of(store, tmp_path):
    (tmp_path / "crashes" / "v1").mkdir(parents=True)
    (tmp_path / "crashes" / "v1" / "processed_crash").write_text("no directory")
    assert former_crash_warning(store) == ""
    (tmp_path / "crashes" / "v1" / "processed_crash").unlink()
    save(store, OF_2026, date(2026, 11, 24))
    (tmp_path / "crashes" / "v1" / "processed_crash" / new_crash_id(date(2026, 11, 24))).write_text("not JSON")
    assert former_crash_warning(store) == ""


def test_other_stores_are_not_looked_into():
    store = InMemoryCrashStorage(defaults(InMemoryCrashStorage))
    store.save_processed({"uuid": new_crash_id(), "signature": "main"})
    assert former_crash_warning(store) == ""
