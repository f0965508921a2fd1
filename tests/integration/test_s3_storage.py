"""BotoS3CrashStorage on a real server, beyond the contract of every store."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from hashlib import sha256
from typing import Any

import pytest
from botocore.awsrequest import AWSHTTPConnection

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.keys import (
    DatePrefixKeyBuilder,
    KeyBuilder,
    SimpleDatePrefixKeyBuilder,
)
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.crashstorage.s3_bucket import S3Bucket
from socorro_processor.errors import CrashIDNotFound, PermanentStorageError, TransientStorageError
from tests.integration.s3_bucket import (
    Options,
    bucket_options,
    get_object,
    no_bucket_options,
    object_keys,
    put_object,
)

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
DAY = date(2016, 11, 23)
RAW = {"ProductName": "Lightbox", "Version": "1.0"}
PROCESSED = {"uuid": CRASH, "signature": "main"}

V1 = f"v1/raw_crash/{CRASH}"
V1_DATED = f"v1/raw_crash/20161123/{CRASH}"
V2 = f"v2/raw_crash/0bb/20161123/{CRASH}"

MEGABYTE = 1_000_000


@pytest.fixture
def options() -> Options:
    return bucket_options()


@pytest.fixture
def store(options: Options) -> Iterator[BotoS3CrashStorage]:
    store = s3(options)
    yield store
    store.close()


def s3(options: Options, **more: object) -> BotoS3CrashStorage:
    return BotoS3CrashStorage(defaults(BotoS3CrashStorage, **options, **more))


@pytest.fixture
def sent_paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The path of each request as it is sent."""
    paths: list[str] = []

    def send(connection: AWSHTTPConnection, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        paths.append(url.partition("?")[0])
        return request(connection, method, url, *arguments, **options)

    request = AWSHTTPConnection.request
    monkeypatch.setattr(AWSHTTPConnection, "request", send)
    return paths


def test_a_crash_lies_under_the_keys_that_collectors_and_web_applications_use(store, options):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"main", "upload_file_minidump_browser": b"browser"}, CRASH)
    store.save_processed(PROCESSED)
    assert sorted(object_keys(options)) == [
        f"v1/dump/{CRASH}",
        f"v1/dump_names/{CRASH}",
        f"v1/processed_crash/{CRASH}",
        f"v1/upload_file_minidump_browser/{CRASH}",
        V2,
    ]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("", ""), ("/", ""), ("a", "/a"), ("/a/b/", "/a/b"), ("a//b", "/a/b"), ("Gräf in", "/Gr%C3%A4f%20in")],
)
def test_no_key_begins_with_a_slash_or_has_two(options, prefix, expected, sent_paths):
    options |= {"resource.boto.prefix": prefix}
    store = s3(options)
    bucket = f"/{options['resource.boto.bucket_name']}"
    try:
        store.save_processed(PROCESSED)
        store.get_processed(CRASH)
        store.remove(CRASH)
    finally:
        store.close()
    assert set(sent_paths[:2]) == {f"{bucket}{expected}/v1/processed_crash/{CRASH}"}
    assert all(path.startswith(f"{bucket}{expected}/v") and "//" not in path for path in sent_paths)


@pytest.mark.parametrize(
    ("builder", "written", "read"),
    [
        (KeyBuilder, V1, [V1, V2]),
        (DatePrefixKeyBuilder, V2, [V2, V1]),
        (SimpleDatePrefixKeyBuilder, V1_DATED, [V1_DATED, V2, V1]),
    ],
)
def test_a_key_builder_says_where_raw_crashes_are_written_and_read(options, builder, written, read):
    store = s3(options, **{"resource.boto.keybuilder_class": class_name(builder)})
    try:
        store.save_raw_crash(RAW, {}, CRASH)
        assert set(object_keys(options)) == {written, f"v1/dump_names/{CRASH}"}
        store.remove(CRASH)
        for key in read:
            put_object(options, key, b'{"Version": "old"}')
            assert store.get_raw_crash(CRASH) == {"Version": "old"}
            store.remove(CRASH)
            assert object_keys(options) == []
    finally:
        store.close()


@pytest.mark.parametrize(
    ("builder", "keys", "others"),
    [
        (KeyBuilder, [V1, V2], [V1_DATED]),
        (DatePrefixKeyBuilder, [V2], [V1_DATED, V1]),
        (SimpleDatePrefixKeyBuilder, [V1_DATED, V2], [V1]),
    ],
)
def test_a_key_builder_says_where_raw_crashes_of_a_day_are_listed(options, builder, keys, others):
    store = s3(options, **{"resource.boto.keybuilder_class": class_name(builder)})
    crash_ids = sorted(new_crash_id(DAY) for _ in range(5))
    try:
        for key in others:
            put_object(options, key, b"{}")
        for number, crash_id in enumerate(crash_ids):
            key = keys[number % len(keys)]
            put_object(options, key.replace(CRASH, crash_id).replace("/0bb/", f"/{crash_id[:3]}/"), b"{}")
        for key in keys:
            put_object(options, key, b"{}")
        assert list(store.raw_crash_ids(DAY)) == sorted([*crash_ids, CRASH])
    finally:
        store.close()


def test_a_folder_of_more_crashes_than_come_with_one_answer_is_listed_to_its_end(store, options):
    crash_ids = [f"0bb{number:05x}{CRASH[8:]}" for number in range(1_050)]
    with ThreadPoolExecutor(8) as pool:
        keys = (f"v2/raw_crash/0bb/20161123/{crash_id}" for crash_id in crash_ids)
        list(pool.map(lambda key: put_object(options, key, b"{}"), keys))
    assert list(store.raw_crash_ids(DAY)) == crash_ids


def test_reading_the_first_of_many_crashes_does_not_wait_for_all(store, options, sent_paths):
    for _ in range(60):
        store.save_raw_crash(RAW, {}, new_crash_id(DAY))
    sent_paths.clear()
    crash_ids = store.raw_crash_ids(DAY)
    next(crash_ids)
    crash_ids.close()
    assert len(sent_paths) < 60


def test_a_reprocessed_crash_replaces_its_object(store, options):
    store.save_raw_and_processed(RAW, {}, PROCESSED | {"signature": "old", "gone": 1}, CRASH)
    store.save_raw_and_processed(RAW, {}, PROCESSED | {"signature": "new"}, CRASH)
    assert object_keys(options) == [f"v1/processed_crash/{CRASH}"]
    assert store.get_unredacted_processed(CRASH) == PROCESSED | {"signature": "new"}


def test_the_processors_result_leaves_the_raw_crash_as_the_collector_wrote_it(store, options):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"main"}, CRASH)
    store.save_raw_and_processed(RAW | {"Version": "rewritten"}, {MAIN_DUMP: b"other"}, PROCESSED, CRASH)
    assert store.get_raw_crash(CRASH) == RAW
    assert store.get_raw_dump(CRASH) == b"main"


def test_a_dump_of_40_megabytes_is_streamed_in_both_directions(store, tmp_path):
    dump = tmp_path / "dump"
    with dump.open("wb") as file:
        for _ in range(40):
            file.write(os.urandom(MEGABYTE))
    directory = tmp_path / "fetched"
    directory.mkdir()
    store.check()
    tracemalloc.start()
    try:
        store.save_raw_crash(RAW, {MAIN_DUMP: dump}, CRASH)
        files = store.get_raw_dumps_as_files(CRASH, directory)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MEGABYTE
    assert sha256(files[MAIN_DUMP].read_bytes()).digest() == sha256(dump.read_bytes()).digest()


def test_nothing_is_read_of_a_dump_that_is_too_large(options, tmp_path):
    store = s3(options, maximum_dump_size=MEGABYTE)
    try:
        store.save_raw_crash(RAW, {MAIN_DUMP: b"main", "large": bytes(30 * MEGABYTE)}, CRASH)
        notes: list[str] = []
        tracemalloc.start()
        try:
            files = store.get_raw_dumps_as_files(CRASH, tmp_path, notes.append)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert list(files) == [MAIN_DUMP]
        assert notes == ["dump large is left out: 30000000 bytes, more than 1000000 (maximum_dump_size)"]
        assert peak < 2 * MEGABYTE
        # A connection on which the rest would have come is not used for the next request.
        assert store.get_raw_dump(CRASH) == b"main"
    finally:
        store.close()


def test_a_processed_crash_of_20_megabytes_comes_back(store):
    processed = PROCESSED | {"json_dump": {"modules": [{"filename": "é" * 1000, "n": n} for n in range(10_000)]}}
    store.save_processed(processed)
    assert store.get_unredacted_processed(CRASH) == processed


def test_all_of_unicode_survives_but_for_lone_surrogates(store, options):
    text = "a\0b\x01\x7f\x85é中\u2028\ufeff\U0001f600"
    given = {"Comments": text, text: "name", "lone": "x\udc80\ud83d"}
    kept = {"Comments": text, text: "name", "lone": "x\ufffd\ufffd"}
    store.save_raw_crash(given, {MAIN_DUMP: b"\0\xff"}, CRASH)
    store.save_processed(PROCESSED | given)
    assert store.get_raw_crash(CRASH) == kept
    assert store.get_unredacted_processed(CRASH) == PROCESSED | kept
    assert get_object(options, f"v1/dump/{CRASH}") == b"\0\xff"


def test_one_client_is_made_however_many_threads_come_first(options):
    with closing(S3Bucket(defaults(S3Bucket, **options))) as bucket, ThreadPoolExecutor(8) as pool:
        clients = set(pool.map(lambda _: bucket.client, range(8)))
    assert len(clients) == 1


def test_a_missing_bucket_is_reported_instead_of_a_missing_crash():
    options = no_bucket_options()
    store = s3(options)
    try:
        for read in (store.get_raw_crash, store.get_raw_dump, store.get_processed, store.remove):
            with pytest.raises(TransientStorageError, match=r"NoSuchBucket.*socorro setup"):
                read(CRASH)
        with pytest.raises(TransientStorageError, match=r"NoSuchBucket.*socorro setup"):
            list(store.raw_crash_ids(DAY))
        with pytest.raises(TransientStorageError, match=r"there is no bucket.*socorro setup"):
            store.missing_processed([CRASH])
        with pytest.raises(TransientStorageError, match=f"{options['resource.boto.bucket_name']}.*socorro setup"):
            store.check()
    finally:
        store.close()


def test_the_bucket_is_made_once_however_often_and_concurrently_setup_runs():
    store = s3(no_bucket_options())
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: store.setup(), range(4)))
        store.check()
        store.save_processed(PROCESSED)
        store.setup()
        assert store.get_processed(CRASH) == PROCESSED
    finally:
        store.close()


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_bucket_is_made_in_the_region(region):
    store = s3(no_bucket_options() | {"resource.boto.region": region})
    try:
        store.setup()
        store.check()
    finally:
        store.close()


@pytest.mark.parametrize(
    "wrong", [{"resource.boto.access_key": "nobody"}, {"secrets.boto.secret_access_key": "Wr0ng+Secret/0123456789"}]
)
def test_wrong_credentials_are_the_stores_fault_and_are_not_shown(options, wrong):
    options |= wrong
    store = s3(options)
    try:
        for attempt in (
            store.check,
            store.setup,
            lambda: store.save_processed(PROCESSED),
            lambda: store.get_raw_crash(CRASH),
            lambda: store.remove(CRASH),
        ):
            with pytest.raises(TransientStorageError, match="access_key and secret_access_key") as raised:
                attempt()
            told = f"{raised.value!r} {raised.value.__cause__!r}"
            assert options["secrets.boto.secret_access_key"] not in told
    finally:
        store.close()


def test_without_configured_credentials_the_sdk_finds_its_own(options):
    """In a process of its own, because the SDK looks for them once in each."""
    program = (
        "import sys\n"
        "from socorro_processor.configuration import defaults\n"
        "from socorro_processor.crashstorage.s3 import BotoS3CrashStorage\n"
        "options = dict(argument.split('=', 1) for argument in sys.argv[1:])\n"
        "store = BotoS3CrashStorage(defaults(BotoS3CrashStorage, **options))\n"
        f"store.save_processed({PROCESSED!r})\n"
        "store.close()\n"
    )
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": options.pop("resource.boto.access_key"),
        "AWS_SECRET_ACCESS_KEY": options.pop("secrets.boto.secret_access_key"),
    }
    arguments = [f"{name}={value}" for name, value in options.items()]
    subprocess.run([sys.executable, "-c", program, *arguments], env=environment, check=True, timeout=60)
    assert object_keys(options) == [f"v1/processed_crash/{CRASH}"]


def test_a_dump_that_cannot_be_read_or_written_here_is_not_the_crashs_fault(store, tmp_path):
    with pytest.raises(TransientStorageError, match=r"cannot read the dump .*gone"):
        store.save_raw_crash(RAW, {MAIN_DUMP: tmp_path / "gone"}, CRASH)
    store.save_raw_crash(RAW, {MAIN_DUMP: b"main"}, CRASH)
    with pytest.raises(TransientStorageError, match=r"cannot write .*nowhere"):
        store.get_raw_dumps_as_files(CRASH, tmp_path / "nowhere")


def test_a_fetched_dump_does_not_go_where_a_link_leads(store, tmp_path):
    store.save_raw_crash(RAW, {MAIN_DUMP: b"main"}, CRASH)
    target = tmp_path / "target"
    (tmp_path / f"{CRASH}.{MAIN_DUMP}.dump").symlink_to(target)
    with pytest.raises(TransientStorageError):
        store.get_raw_dumps_as_files(CRASH, tmp_path)
    assert not target.exists()


def test_a_message_says_what_was_tried_and_where(store, options):
    with pytest.raises(CrashIDNotFound, match=f"{options['resource.boto.bucket_name']} at http.*{CRASH}"):
        store.get_raw_crash(CRASH)


def test_a_key_that_is_too_long_for_the_server_is_not_tried_again(options):
    store = s3(options | {"resource.boto.prefix": "x" * 1100})
    try:
        with pytest.raises(PermanentStorageError, match="KeyTooLongError"):
            store.save_processed(PROCESSED)
    finally:
        store.close()
