from __future__ import annotations

import pytest

from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.keys import (
    DatePrefixKeyBuilder,
    KeyBuilder,
    SimpleDatePrefixKeyBuilder,
    crash_report_key,
    dump_key,
    dump_names_key,
    processed_crash_key,
    raw_crash_keys,
)
from socorro_processor.errors import InvalidCrashID

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"


def test_each_part_of_a_crash_lies_where_collectors_and_web_applications_expect_it():
    assert raw_crash_keys(CRASH) == (f"v2/raw_crash/0bb/20161123/{CRASH}", f"v1/raw_crash/{CRASH}")
    assert dump_names_key(CRASH) == f"v1/dump_names/{CRASH}"
    assert processed_crash_key(CRASH) == f"v1/processed_crash/{CRASH}"
    assert crash_report_key(CRASH) == f"v1/crash_report/20161123/{CRASH}"
    assert dump_key(CRASH, "upload_file_minidump_flash1") == f"v1/upload_file_minidump_flash1/{CRASH}"


@pytest.mark.parametrize("name", [MAIN_DUMP, "", None])
def test_the_main_dump_is_called_dump(name):
    assert dump_key(CRASH, name) == f"v1/dump/{CRASH}"


@pytest.mark.parametrize(
    "key",
    [
        raw_crash_keys,
        dump_names_key,
        processed_crash_key,
        crash_report_key,
        lambda crash: dump_key(crash, None),
        *(builder().raw_crash_keys for builder in (KeyBuilder, DatePrefixKeyBuilder, SimpleDatePrefixKeyBuilder)),
    ],
)
def test_no_key_is_made_of_an_invalid_crash_id(key):
    with pytest.raises(InvalidCrashID):
        key("../../etc/passwd")
