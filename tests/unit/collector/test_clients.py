"""Uploads of real clients are read as they mean it, in whatever pieces they come, and never cut without an error."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socorro_processor.collector.clients import CLIENTS, client_of
from socorro_processor.collector.limits import Limits
from socorro_processor.collector.refusal import Refused
from socorro_processor.collector.submission import Submission
from socorro_processor.collector.submission_reader import SubmissionReader
from socorro_processor.crashstorage.base import check_dump_name
from tests.unit.collector.client_bytes import REPORT_ID, UPLOADS, Upload, dump_alone

each_client = pytest.mark.parametrize("make", UPLOADS, ids=lambda make: make.__name__)


def read(upload: Upload, pieces: Iterable[bytes]) -> tuple[Submission, dict[str, bytes]]:
    sink = io.BytesIO()
    reader = SubmissionReader(upload.request, sink, Limits())
    for piece in pieces:
        reader.feed(piece)
    submission = reader.finish()
    stored = sink.getvalue()
    files = {file.name: stored[file.start : file.start + file.size] for file in submission.files}
    for file in submission.files:
        assert hashlib.sha256(files[file.name]).hexdigest() == file.sha256
        assert check_dump_name(file.name)
    assert sum(map(len, files.values())) == len(stored)
    return submission, files


def assert_meant(upload: Upload, pieces: Iterable[bytes]) -> None:
    submission, files = read(upload, pieces)
    assert submission.annotations == upload.annotations
    assert files == upload.files
    assert submission.report_id == upload.report_id
    assert submission.notes == upload.notes


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[first:last] for first, last in pairwise(at)]


@each_client
def test_a_client_s_upload_is_read_as_it_is_meant(make: Callable[[], Upload]) -> None:
    upload = make()
    assert_meant(upload, [upload.body])
    assert read(upload, [upload.body])[0].client == upload.client


@each_client
def test_an_upload_that_comes_byte_by_byte_is_read_the_same(make: Callable[[], Upload]) -> None:
    upload = make()
    assert_meant(upload, cut(upload.body, range(len(upload.body))))


@each_client
@settings(max_examples=60, deadline=None)
@given(places=st.lists(st.integers(0, 5000), max_size=12))
def test_an_upload_that_comes_in_any_pieces_is_read_the_same(make: Callable[[], Upload], places: list[int]) -> None:
    upload = make()
    assert_meant(upload, cut(upload.body, places))


@pytest.mark.parametrize("make", [make for make in UPLOADS if make is not dump_alone], ids=lambda make: make.__name__)
def test_an_upload_that_is_cut_anywhere_is_refused_or_whole(make: Callable[[], Upload]) -> None:
    """Behind the closing boundary, only a line end and an epilogue are missing. A dump alone has no end of its own."""
    upload = make()
    refusals: list[Refused] = []
    for length in range(len(upload.body)):
        try:
            submission, files = read(upload, [upload.body[:length]])
        except Refused as error:
            refusals.append(error)
        else:
            assert files == upload.files
            assert submission.annotations == upload.annotations
    assert {refused.status for refused in refusals} == {400}
    assert all(refused.code.startswith("malformed_") for refused in refusals)
    assert len(refusals) > len(upload.body) - 40


def test_the_file_name_of_breakpad_on_windows_is_kept_without_its_directories() -> None:
    (upload,) = (make() for make in UPLOADS if make.__name__ == "breakpad_windows")
    submission, _ = read(upload, [upload.body])
    assert [file.sent_as for file in submission.files] == [f"{REPORT_ID}.dmp", "log.txt"]


@pytest.mark.parametrize(
    ("known", "client"),
    [
        ({}, ""),
        ({"has_sentry_key": True, "user_agent": "sentry.native/0.7", "report_id": REPORT_ID}, "sentry"),
        ({"annotations": ["_productName"], "user_agent": "Crashpad/0.8.0 Linux/6.1 (x86_64)"}, "electron"),
        ({"annotations": ["process_type"]}, ""),
        ({"has_extra": True, "report_id": REPORT_ID}, "firefox"),
        ({"user_agent": "Crashpad/0.8.0 CFNetwork/1.0 Darwin/25"}, "crashpad"),
        ({"user_agent": "Breakpad/1.0 (Windows) - Painter", "report_id": REPORT_ID}, "breakpad-windows"),
        ({"user_agent": "curl/8.5.0", "report_id": REPORT_ID}, "curl"),
        ({"annotations": ["comments_"], "report_id": REPORT_ID}, "breakpad-linux"),
        ({"report_id": REPORT_ID}, "crashpad"),
        ({"user_agent": "sender CFNetwork/1.0 Darwin/25"}, "breakpad-macos"),
        ({"user_agent": "Mozilla/5.0"}, ""),
    ],
)
def test_a_client_is_known_by_what_only_it_sends(known: dict[str, Any], client: str) -> None:
    nothing: dict[str, Any] = {
        "annotations": (),
        "user_agent": "",
        "report_id": "",
        "has_extra": False,
        "has_sentry_key": False,
    }
    assert client_of(**nothing | known) == client
    assert not client or client in CLIENTS
