from __future__ import annotations

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.memory import InMemoryCrashStorage
from socorro_processor.errors import TransientStorageError


@pytest.fixture
def store() -> InMemoryCrashStorage:
    return InMemoryCrashStorage(defaults(InMemoryCrashStorage))


def test_the_processors_result_is_kept_with_its_raw_crash(store):
    crash_id = new_crash_id()
    store.save_raw_and_processed({"a": "b"}, {"x": b"1"}, {"uuid": crash_id}, crash_id)
    assert store.get_raw_crash(crash_id) == {"a": "b"}
    assert store.get_raw_dumps(crash_id) == {"x": b"1"}


def test_a_crash_is_new_until_it_is_processed(store):
    crash_id = new_crash_id()
    store.save_raw_crash({}, {}, crash_id)
    assert list(store.new_crashes()) == [crash_id]
    store.save_processed({"uuid": crash_id})
    assert list(store.new_crashes()) == []


def test_a_file_that_cannot_be_read_or_written_is_not_the_crashs_fault(store, tmp_path):
    crash_id = new_crash_id()
    with pytest.raises(TransientStorageError, match="gone"):
        store.save_raw_crash({}, {"x": tmp_path / "gone"}, crash_id)
    store.save_raw_crash({}, {"x": b"1"}, crash_id)
    with pytest.raises(TransientStorageError, match="nowhere"):
        store.get_raw_dumps_as_files(crash_id, tmp_path / "nowhere")
