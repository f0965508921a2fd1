"""A crash is submitted as a whole, or nothing of it stays."""

from __future__ import annotations

from contextlib import closing

import pytest

from socorro_processor.app.submission import NotQueued, new_raw_crash, submit
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.errors import CrashIDNotFound, CrashStorageError


@pytest.fixture
def store(tmp_path):
    with closing(FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(tmp_path / "crashes")))) as store:
        yield store


@pytest.fixture
def queue(tmp_path):
    with closing(SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite")))) as queue:
        yield queue


def test_a_crash_is_saved_and_queued(store, queue, tmp_path):
    (dump := tmp_path / "dump").write_bytes(b"MDMP")
    raw_crash = new_raw_crash({"ProductName": "Lightbox", "uuid": "chosen by a stranger"})
    submit(store, queue, raw_crash, {"upload_file_minidump": dump}, "priority")
    assert store.get_raw_crash(raw_crash["uuid"])["ProductName"] == "Lightbox"
    assert queue.pending([raw_crash["uuid"]]) == {raw_crash["uuid"]}
    assert queue.depths().queues["priority"].waiting == 1


def test_a_crash_that_cannot_be_saved_whole_is_neither_saved_nor_queued(store, queue, tmp_path):
    raw_crash = new_raw_crash({})
    (there := tmp_path / "there").write_bytes(b"MDMP")
    dumps = {"upload_file_minidump": there, "upload_file_minidump_browser": tmp_path / "gone"}
    with pytest.raises(CrashStorageError):
        submit(store, queue, raw_crash, dumps, "normal")
    with pytest.raises(CrashIDNotFound):
        store.get_raw_crash(raw_crash["uuid"])
    assert store.held(raw_crash["uuid"]) == []
    assert queue.pending([raw_crash["uuid"]]) == set()


def test_a_crash_that_could_not_be_queued_is_reported_as_stored(store, queue, tmp_path):
    queue.close()
    (tmp_path / "queue.sqlite").write_bytes(b"no database")
    raw_crash = new_raw_crash({})
    with pytest.raises(NotQueued, match=rf"^{raw_crash['uuid']} is in the store, but in no queue"):
        submit(store, queue, raw_crash, {}, "normal")
    assert store.get_raw_crash(raw_crash["uuid"])
