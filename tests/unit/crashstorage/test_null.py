from __future__ import annotations

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.null import NullCrashStorage
from socorro_processor.errors import CrashIDNotFound

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"


def test_what_is_saved_to_the_null_store_is_not_found_in_it(tmp_path):
    store = NullCrashStorage(defaults(NullCrashStorage))
    store.save_raw_and_processed({}, {}, {"uuid": CRASH}, CRASH)
    for read in (
        store.get_raw_crash,
        store.get_raw_dump,
        store.get_raw_dumps,
        lambda crash_id: store.get_raw_dumps_as_files(crash_id, tmp_path),
        store.get_processed,
        store.get_unredacted_processed,
        store.remove,
    ):
        with pytest.raises(CrashIDNotFound):
            read(CRASH)
    assert store.held(CRASH) == []
    assert list(store.new_crashes()) == []
