"""`/submit`: each client gets the answer that it can read, and a slow or broken one harms no other."""

from __future__ import annotations

import errno
import gzip
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from socorro_processor.collector.collector import Collector
from socorro_processor.collector.disk import Disk
from socorro_processor.collector.limits import Limits
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.monitoring.health import Health
from socorro_processor.web.application import application
from socorro_processor.web.http.request_body import BLOCK
from socorro_processor.web.probes import Probes
from socorro_processor.web.submit.submit import Submit
from tests.multipart import CONTENT_TYPE, MINIDUMP, body_of, head_of, request_of
from tests.unit.collector.client_bytes import DUMP, SENTRY_KEY, SENTRY_REQUEST
from tests.viewers import OPEN
from tests.web_server import DEADLINE, RunningServer, running, web_options

UNFINISHED = head_of(10_000_000) + body_of(dump=MINIDUMP + b"x" * BLOCK)[:-100]
"""An upload of which so much has come that it has a file."""
PROMISE = re.compile(rb"CrashID=bp-([0-9a-f-]{36})\n")


class FullDisk(Disk):
    """A disk whose files can be made but not be written."""

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class Site:
    """A server with a collector that hands nothing over: what was accepted is in its spool."""

    def __init__(self, server: RunningServer, collector: Collector, directory: Path) -> None:
        self.server = server
        self.collector = collector
        self._spool = directory / "spool"

    def send(self, data: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        with self.server.connect() as client:
            client.send(data)
            return client.read_answer()

    @property
    def arriving(self) -> int:
        """The number of uploads that have a file."""
        return len(list((self._spool / "writing").iterdir()))

    def kept(self) -> list[bytes]:
        """Return the files of what was accepted."""
        return [path.read_bytes() for path in sorted((self._spool / "ready").iterdir())]


@contextmanager
def site_in(directory: Path, *, disk: Disk | None = None, **values: object) -> Iterator[Site]:
    collecting = {name.removeprefix("collector_"): values.pop(name) for name in [*values] if "collector_" in name}
    config = defaults(Collector, spool=str(directory / "spool"), reserve="1M", **collecting)
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(directory / "crashes")))
    queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(directory / "queue.sqlite")))
    with ExitStack() as stack:
        stack.enter_context(closing(store))
        stack.enter_context(closing(queue))
        collector = Collector(config, store, queue, disk=disk)
        stack.callback(collector.stop)
        submit = Submit(collector, Limits.of(config), web_options(**values))
        stack.callback(submit.close)
        server = stack.enter_context(running(application(submit, Probes(Health(), dict), OPEN), **values))
        yield Site(server, collector, directory)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


def wait_for(condition) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def refused(site: Site) -> list[tuple[int, str]]:
    return [(each.status, each.code) for each in site.collector.refused_uploads()]


def test_the_answer_is_what_the_oldest_client_can_read(site):
    with site.server.connect() as client:
        client.send(request_of(body_of()))
        status, headers, body = client.read_answer()
    assert status == 200
    assert PROMISE.fullmatch(body)
    assert [each for each in headers if each[0] != "date"] == [("Content-Type", "text/plain"), ("Content-Length", "48")]
    assert MINIDUMP in site.kept()[0]


def test_the_answer_is_the_bare_id_for_clients_that_keep_the_whole_body(tmp_path):
    with site_in(tmp_path, answer="id") as site:
        _, _, body = site.send(request_of(body_of()))
        assert re.fullmatch(rb"[0-9a-f-]{36}", body)


def test_a_connection_takes_one_crash_after_the_other(site):
    with site.server.connect() as client:
        for _ in range(3):
            client.send(request_of(body_of()))
            assert client.read_answer()[0] == 200
    assert len(site.kept()) == 3


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_a_chunked_upload_without_a_length_is_taken(site, size):
    body = body_of()
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    head = head_of(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    assert site.send(head + chunks)[0] == 200
    assert MINIDUMP in site.kept()[0]


def test_with_a_transfer_encoding_a_content_length_beside_it_says_nothing(site):
    """A minidump alone is checked against its announced length, because it has no end of its own."""
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(MINIDUMP), MINIDUMP)
    head = head_of(10**12, "Transfer-Encoding: chunked").replace(CONTENT_TYPE.encode(), b"application/octet-stream")
    assert site.send(head + chunks)[0] == 200
    assert MINIDUMP in site.kept()[0]


def test_a_compressed_upload_is_taken(site):
    assert site.send(request_of(gzip.compress(body_of()), "Content-Encoding: gzip"))[0] == 200
    assert MINIDUMP in site.kept()[0]


def test_an_upload_of_many_blocks_is_kept_whole(site):
    dump = MINIDUMP + b"0123456789abcdef" * (BLOCK // 3)
    assert site.send(request_of(body_of(dump=dump)))[0] == 200
    assert dump in site.kept()[0]


def test_a_client_that_asks_before_it_sends_the_body_is_told_to_go_on(site):
    body = body_of()
    with site.server.connect() as client:
        client.send(head_of(len(body), "Expect: 100-continue"))
        assert client.read_answer()[0] == 100
        client.send(body)
        assert client.read_answer()[0] == 200


def test_a_client_of_http_1_0_is_answered(site):
    data = request_of(body_of()).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert site.send(data)[0] == 200


def test_the_same_report_gets_the_same_answer(site):
    data = request_of(body_of(file_name="1c0ffee0-0000-4000-8000-00000000000a.dmp"))
    assert site.send(data)[2] == site.send(data)[2]
    assert len(site.kept()) == 1


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/submit?key=sesame", ()),
        ("/submit", ("Authorization: Bearer sesame",)),
        ("/api/17/minidump/?sentry_client=sentry.native/0.7.0&sentry_key=sesame", ()),
        ("/api/17/minidump", ("X-Sentry-Auth: Sentry sentry_version=7, sentry_client=a/1, sentry_key=sesame",)),
        ("/api/17/minidump/", ("X-Sentry-Auth: Sentry sentry_key=sesame,sentry_version=7",)),
    ],
)
def test_a_key_comes_in_the_address_or_in_a_header_and_is_not_kept(tmp_path, path, headers):
    uuid = f"11111111-2222-4333-8444-555550{time.strftime('%y%m%d', time.gmtime())}"
    body = body_of({"ProductName": "Example", "uuid": uuid})
    with site_in(tmp_path, collector_uuid_keys="sesame") as site:
        assert site.send(request_of(body, *headers, path=path))[2] == f"CrashID=bp-{uuid}\n".encode()
        assert b"sesame" not in site.kept()[0]


def test_what_only_looks_like_a_key_of_sentry_is_none(tmp_path):
    uuid = f"11111111-2222-4333-8444-555550{time.strftime('%y%m%d', time.gmtime())}"
    body = body_of({"uuid": uuid})
    with site_in(tmp_path, collector_uuid_keys="sesame") as site:
        for header in ("Sentry not_sentry_key=sesame", "Bearer sesame", "sentry_key=sesame", "Sentry sentry_key="):
            status, _, _ = site.send(request_of(body, f"X-Sentry-Auth: {header}", path="/api/17/minidump/"))
            assert status == 401, header


def test_the_request_of_sentry_s_native_client_is_taken_and_its_key_is_nowhere(site, caplog):
    caplog.set_level("INFO")
    status, headers, answer = site.send(SENTRY_REQUEST)
    assert status == 200
    assert PROMISE.fullmatch(answer)
    assert [each for each in headers if each[0] != "date"] == [("Content-Type", "text/plain"), ("Content-Length", "48")]
    (kept,) = site.kept()
    assert DUMP in kept
    assert b'"client":"sentry"' in kept.replace(b" ", b"")
    assert SENTRY_KEY.encode() not in kept
    # uvicorn's own access log is off, but pytest listens to it nevertheless.
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("socorro_processor")]
    assert "POST /api/4505/minidump/" in lines
    assert not any(SENTRY_KEY in line for line in lines)


def test_a_dump_alone_from_a_client_of_sentry_has_no_key_among_its_annotations(site):
    head = head_of(len(MINIDUMP), path="/api/17/minidump/?sentry_key=sesame&product=Painter")
    assert site.send(head.replace(CONTENT_TYPE.encode(), b"application/octet-stream") + MINIDUMP)[0] == 200
    (kept,) = site.kept()
    assert b"Painter" in kept
    assert b"sesame" not in kept


def test_a_uuid_without_a_key_is_refused(site):
    uuid = f"11111111-2222-4333-8444-555550{time.strftime('%y%m%d', time.gmtime())}"
    status, _, body = site.send(request_of(body_of({"uuid": uuid}), path="/submit?key=guess"))
    assert (status, body.split(b"\n")[0]) == (401, b"Discarded=unauthorized_uuid")
    assert refused(site) == [(401, "unauthorized_uuid")]


def test_an_upload_that_cannot_be_read_is_refused_with_a_reason_and_the_connection_goes_on(site):
    body = body_of()[:-10]
    with site.server.connect() as client:
        client.send(request_of(body))
        status, _, answer = client.read_answer()
        assert status == 400
        assert re.fullmatch(rb"Discarded=malformed_\w+\n[^\n]+\n", answer)
        client.send(request_of(body_of()))
        assert client.read_answer()[0] == 200
    assert [status for status, _ in refused(site)] == [400]


def test_an_upload_that_announces_too_much_is_refused_before_it_is_sent(tmp_path):
    with site_in(tmp_path, collector_maximum_body="1M") as site, site.server.connect() as client:
        client.send(head_of(2_000_000, "Expect: 100-continue"))
        status, headers, answer = client.read_answer()
        assert (status, ("Connection", "close") in headers) == (413, True)
        assert answer.startswith(b"Discarded=")
        assert b"collector.maximum_body" in answer


@pytest.mark.parametrize("announced", [True, False])
def test_a_client_that_sends_all_before_it_looks_for_an_answer_reads_the_refusal(tmp_path, announced):
    size = 20_000_000
    with site_in(tmp_path, collector_maximum_body="1M") as site, site.server.connect() as client:
        if announced:
            client.send(head_of(size) + b"x" * size)
        else:
            client.send(head_of(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
            client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size))
        assert client.read_answer()[0] == 413
        assert client.is_closed()
        assert site.arriving == 0


def test_with_a_full_disk_a_client_may_come_again_later(tmp_path):
    with site_in(tmp_path, disk=FullDisk()) as site:
        status, headers, answer = site.send(request_of(body_of()))
        assert (status, ("Retry-After", "60") in headers) == (503, True)
        assert b"Discarded" not in answer
        assert site.arriving == 0
        assert refused(site) == [(503, "spool_full")]


def test_an_upload_that_its_client_breaks_off_leaves_nothing_but_a_note(site):
    with site.server.connect() as client:
        client.send(UNFINISHED)
        wait_for(lambda: site.arriving == 1)
    wait_for(lambda: site.arriving == 0)
    wait_for(lambda: refused(site) == [(408, "broken_off")])
    assert site.kept() == []


def test_a_client_that_stops_sending_is_cut_off_without_an_answer_that_forbids_another_try(tmp_path):
    with site_in(tmp_path, gap_time=0.2) as site, site.server.connect() as client:
        client.send(UNFINISHED)
        assert client.is_closed()
        assert refused(site) == [(408, "gap_time")]
        assert site.arriving == 0


def test_a_client_that_drips_its_body_keeps_its_connection_as_long_as_the_request_may_take(tmp_path):
    data = request_of(body_of())
    with site_in(tmp_path, gap_time=0.5) as site, site.server.connect() as client:
        for start in range(0, len(data), 100):
            client.send(data[start : start + 100])
            time.sleep(0.05)
        assert client.read_answer()[0] == 200


def test_slow_clients_hold_no_thread(site):
    with ExitStack() as stack:
        slow = [stack.enter_context(site.server.connect()) for _ in range(100)]
        for client in slow:
            client.send(UNFINISHED)
        wait_for(lambda: site.arriving == 100)
        started = time.monotonic()
        assert site.send(request_of(body_of()))[0] == 200
        assert time.monotonic() - started < 5
    wait_for(lambda: site.arriving == 0)


def test_clients_that_come_and_go_by_the_thousand_do_not_take_the_place_of_an_upload(tmp_path):
    ending = threading.Event()

    def come_and_go() -> None:
        while not ending.is_set():
            with suppress(OSError), site.server.connect() as client:
                client.send(UNFINISHED)

    with site_in(tmp_path, maximum_connections=4) as site:
        crowd = [threading.Thread(target=come_and_go) for _ in range(8)]
        for each in crowd:
            each.start()
        try:
            assert [site.send(request_of(body_of()))[0] for _ in range(3)] == [200] * 3
        finally:
            ending.set()
            for each in crowd:
                each.join()


def test_uploads_that_a_stop_breaks_off_leave_nothing(tmp_path):
    with site_in(tmp_path, shutdown_time=0.2) as site, site.server.connect() as client:
        client.send(UNFINISHED)
        wait_for(lambda: site.arriving == 1)
        site.server.stop()
        site.server.wait()
        wait_for(lambda: site.arriving == 0)


@pytest.mark.parametrize("path", ["/submit", "/submit/"])
def test_only_post_submits(site, path):
    status, _, body = site.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (status, body) == (405, b"This address does not take such a request.\n")
    assert site.send(request_of(body_of(), path=path))[0] == 200
