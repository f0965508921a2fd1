"""BotoS3CrashStorage when the server is away, slow or overloaded, or answers as a real one cannot be made to."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import crash_date
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.errors import (
    ConfigurationError,
    CrashIDNotFound,
    CrashStorageError,
    PermanentStorageError,
    TransientStorageError,
)
from tests.certificates import Authority
from tests.integration.s3_bucket import Options, bucket_options
from tests.integration.s3_servers import (
    Answer,
    AnsweringServer,
    Relay,
    breaks_off,
    closed_port,
    closes,
    drips,
    hanging_server,
    refuses,
    says,
)

CRASH = "0bba61c5-dfc3-43e7-dead-8afd20161123"
PROCESSED = {"uuid": CRASH, "signature": "main", "url": "https://example.com/private"}
SECRET = "S3cr3t/of+the-access-key"

CALLS: dict[str, Callable[[BotoS3CrashStorage], object]] = {
    "check": lambda store: store.check(),
    "setup": lambda store: store.setup(),
    "save": lambda store: store.save_processed(PROCESSED),
    "read": lambda store: store.get_raw_crash(CRASH),
    "remove": lambda store: store.remove(CRASH),
    "list": lambda store: list(store.raw_crash_ids(crash_date(CRASH))),
    "look": lambda store: store.missing_processed([CRASH]),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


@contextmanager
def store_at(url: str, **more: object) -> Iterator[BotoS3CrashStorage]:
    options = {
        "resource.boto.endpoint_url": url,
        "resource.boto.bucket_name": "crashes",
        "resource.boto.access_key": "socorro",
        "secrets.boto.secret_access_key": SECRET,
    }
    with closing_store(options, **more) as store:
        yield store


@contextmanager
def closing_store(options: Options, **more: object) -> Iterator[BotoS3CrashStorage]:
    store = BotoS3CrashStorage(defaults(BotoS3CrashStorage, **options, **more))
    try:
        yield store
    finally:
        store.close()


@contextmanager
def store_that_gets(*answers: Answer, **more: object) -> Iterator[tuple[BotoS3CrashStorage, list[str]]]:
    """A store, and the requests that it sends."""
    with AnsweringServer(list(answers)).running() as server, store_at(server.url, **more) as store:
        yield store, server.requests


@pytest.fixture
def relay_options() -> Options:
    return bucket_options()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def relay_to(options: Options, authority: Authority | None = None) -> Iterator[tuple[Relay, Options]]:
    """A relay to the real server, and the options of a store that uses it."""
    address = urlsplit(options["resource.boto.endpoint_url"])
    tls = None
    if authority is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*authority.sign())
    with Relay(str(address.hostname), int(address.port or 0), tls).running() as relay:
        yield relay, options | {"resource.boto.endpoint_url": relay.url}


@every_call
def test_a_server_that_is_away_is_the_stores_fault(call):
    running = "check that this server runs"
    with closed_port() as url, store_at(url) as store, pytest.raises(TransientStorageError, match=f"{url}.*{running}"):
        call(store)


@every_call
def test_a_server_that_hangs_is_given_up_after_the_configured_tries_and_times(call):
    with hanging_server() as url, store_at(url, read_timeout=0.2, number_of_tries=2) as store:
        began = time.monotonic()
        with pytest.raises(TransientStorageError, match="timeout"):
            call(store)
        assert 0.4 <= time.monotonic() - began < 10


def test_a_server_that_hangs_while_it_sends_is_given_up(tmp_path):
    def hangs(connection):
        says("200 OK", b"half", length=1000)(connection)
        connection.recv(1)

    names = says("200 OK", b'["upload_file_minidump"]')
    gives_up = pytest.raises(TransientStorageError, match="Read timeout")
    with store_that_gets(names, hangs, read_timeout=0.2) as (store, _), gives_up:
        store.get_raw_dumps_as_files(CRASH, tmp_path)


ANSWER_TIME = {"connection_timeout": 1, "read_timeout": 2, "number_of_tries": 1}
"""Seconds. Long enough that even on a busy machine the pauses between the server's drips are shorter."""


@every_call
def test_a_server_whose_answer_drips_is_given_up_after_the_time_of_all_tries(call):
    dripping = drips(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    too_slow = pytest.raises(TransientStorageError, match=r"was not done after 3(\.\d+)? s|within 13 s")
    with store_that_gets(dripping, **ANSWER_TIME) as (store, _), too_slow:
        call(store)


@pytest.mark.parametrize("header", [b"Content-Length: 5000000", b"Connection: close"])
def test_a_dump_that_drips_is_given_up(tmp_path, header):
    names = says("200 OK", b'["upload_file_minidump"]')
    dripping = drips(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % header)
    too_slow = pytest.raises(TransientStorageError, match=r"cannot read .*: the next part did not come within 13 s")
    with store_that_gets(names, dripping, **ANSWER_TIME) as (store, _), too_slow:
        store.get_raw_dumps_as_files(CRASH, tmp_path)


@every_call
@pytest.mark.parametrize("status", ["404 Not Found", "503 Service Unavailable"])
def test_an_answer_that_breaks_off_is_the_stores_fault(status, call):
    with store_that_gets(breaks_off(status)) as (store, _), pytest.raises(TransientStorageError):
        call(store)


def test_a_body_that_ends_too_soon_is_not_a_dump(tmp_path):
    with store_that_gets(says("200 OK", b"half", length=1000)) as (store, _):
        with pytest.raises(TransientStorageError, match=f"v1/dump/{CRASH}"):
            store.get_raw_dump(CRASH)
        with pytest.raises(TransientStorageError):
            store.get_raw_crash(CRASH)


def test_a_dump_that_grows_while_it_is_read_is_too_large_at_the_limit():
    """The size is not announced: the body ends with the connection."""

    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(3_000_000))

    too_large = pytest.raises(PermanentStorageError, match=r"more than 1500000 \(maximum_dump_size\)")
    with store_that_gets(endless, maximum_dump_size=1_500_000) as (store, _), too_large:
        store.get_raw_dump(CRASH)


def test_a_connection_that_the_server_closed_while_idle_is_replaced(relay_options):
    with relay_to(relay_options) as (relay, options), closing_store(options, number_of_tries=1) as store:
        for version in ("1", "2", "3"):
            store.save_processed(PROCESSED | {"version": version})
            assert store.get_processed(CRASH)["version"] == version
            relay.cut()
        assert relay.connections == 3


def test_a_connection_that_the_server_closes_under_a_request_is_tried_again():
    with store_that_gets(closes, closes, says("200 OK")) as (store, requests):
        store.save_processed(PROCESSED)
    assert len(requests) == 3


def test_a_dump_is_sent_from_its_beginning_when_it_is_tried_again(tmp_path):
    dump = tmp_path / "dump"
    dump.write_bytes(b"0123456789" * 10_000)
    with store_that_gets(closes, refuses("500 Oops", "InternalError"), says("200 OK")) as (store, requests):
        store.put("v1/x", dump)
    assert requests == [dump.read_bytes()] * 3


@pytest.mark.parametrize("tries", [1, 3])
def test_a_server_that_fails_is_asked_as_often_as_configured(tries):
    failed = pytest.raises(TransientStorageError, match="InternalError A message")
    with store_that_gets(refuses("500 Oops", "InternalError"), number_of_tries=tries) as (store, requests), failed:
        store.save_processed(PROCESSED)
    assert len(requests) == tries


STORES_FAULTS = {
    "throttled": refuses("503 Slow Down", "SlowDown"),
    "broken": refuses("500 Oops", "InternalError"),
    "without a bucket": refuses("404 Not Found", "NoSuchBucket"),
    "without rights": refuses("403 Forbidden", "AccessDenied"),
    "with an old token": refuses("400 Bad Request", "ExpiredToken"),
    "with a wrong clock": refuses("403 Forbidden", "RequestTimeTooSkewed"),
    "in another region": refuses("400 Bad Request", "AuthorizationHeaderMalformed"),
    "behind a broken proxy": says("502 Bad Gateway", b"<html><body>502</body>", "Content-Type: text/html"),
    "not there at all": says("404 Not Found", b"<html><body>nginx</body></html>", "Content-Type: text/html"),
    "of another kind": says("404 Not Found"),
    "unknown to this code": refuses("409 Conflict", "NobodyExpectsThis"),
    "not an HTTP server": lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
}


@pytest.mark.parametrize("answer", STORES_FAULTS.values(), ids=STORES_FAULTS.keys())
@pytest.mark.parametrize("call", ["save", "read", "remove"])
def test_an_error_of_the_server_is_the_stores_fault(answer, call):
    with store_that_gets(answer, number_of_tries=1) as (store, _), pytest.raises(TransientStorageError) as raised:
        CALLS[call](store)
    assert CRASH in str(raised.value)
    assert "bucket crashes at http://127.0.0.1" in str(raised.value)


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        ("403 Forbidden", "AccessDenied", "list the bucket, and get, put and delete"),
        ("404 Not Found", "NoSuchBucket", "socorro setup"),
        ("400 Bad Request", "AuthorizationHeaderMalformed", "correct region"),
        ("403 Forbidden", "RequestTimeTooSkewed", "clock"),
    ],
)
def test_a_message_says_what_to_do(status, code, advice):
    with store_that_gets(refuses(status, code)) as (store, _), pytest.raises(TransientStorageError, match=advice):
        store.save_processed(PROCESSED)


@pytest.mark.parametrize(
    "answer",
    [
        refuses("400 Bad Request", "EntityTooLarge"),
        refuses("400 Bad Request", "KeyTooLongError"),
        refuses("400 Bad Request", "MaxMessageLengthExceeded"),
        says("413 Content Too Large", b"<html>", "Content-Type: text/html"),
    ],
)
def test_an_error_about_the_crash_is_the_crashs_fault(answer):
    with store_that_gets(answer) as (store, requests), pytest.raises(PermanentStorageError):
        store.save_processed(PROCESSED)
    assert len(requests) == 1


def test_a_crash_that_was_moved_to_an_archive_has_to_be_restored():
    archived = pytest.raises(PermanentStorageError, match="archive: restore it")
    with store_that_gets(refuses("403 Forbidden", "InvalidObjectState")) as (store, _), archived:
        store.get_raw_crash(CRASH)


def test_a_missing_key_is_an_unknown_crash():
    with store_that_gets(refuses("404 Not Found", "NoSuchKey")) as (store, _), pytest.raises(CrashIDNotFound):
        store.get_raw_crash(CRASH)


def test_another_owners_bucket_is_not_taken_for_ours():
    answers = (says("404 Not Found"), refuses("409 Conflict", "BucketAlreadyExists"))
    with store_that_gets(*answers) as (store, _), pytest.raises(TransientStorageError, match="another bucket_name"):
        store.setup()


@pytest.mark.parametrize("answer", STORES_FAULTS.values(), ids=STORES_FAULTS.keys())
def test_no_message_quotes_the_secret_or_a_crash(answer):
    with store_that_gets(answer, number_of_tries=1) as (store, _):
        for call in CALLS.values():
            with pytest.raises(CrashStorageError) as raised:
                call(store)
            told = f"{raised.value!r} {raised.value.__cause__!r}"
            assert SECRET not in told
            assert "private" not in told


def test_an_untrusted_certificate_is_refused(relay_options, authority):
    refused = pytest.raises(TransientStorageError, match="ca_bundle")
    with relay_to(relay_options, authority) as (_, options), closing_store(options) as store, refused:
        store.save_processed(PROCESSED)


def test_a_certificate_is_accepted_if_its_authority_is_configured(relay_options, authority):
    with (
        relay_to(relay_options, authority) as (_, options),
        closing_store(options, ca_bundle=str(authority.certificate)) as store,
    ):
        store.save_raw_crash({"a": "b"}, {MAIN_DUMP: b"main"}, CRASH)
        assert store.get_raw_dump(CRASH) == b"main"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificates_are_not_checked_if_that_is_turned_off(relay_options, authority):
    with (
        relay_to(relay_options, authority) as (_, options),
        closing_store(options, verify_certificate=False) as store,
    ):
        store.save_processed(PROCESSED)
        assert store.get_unredacted_processed(CRASH) == PROCESSED


def test_a_missing_ca_bundle_is_reported_at_the_start():
    with pytest.raises(ConfigurationError, match="cannot use ca_bundle /nowhere"):
        BotoS3CrashStorage(defaults(BotoS3CrashStorage, ca_bundle="/nowhere"))
