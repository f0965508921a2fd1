"""The last refused uploads, for people."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from socorro_processor.collector.refusal import Refused
from socorro_processor.collector.refused import RefusedUploads

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def uploads_in(directory, maximum: int = 5) -> RefusedUploads:
    return RefusedUploads(directory / "refused.jsonl", maximum, lambda: NOW)


def add(uploads: RefusedUploads, number: int) -> None:
    uploads.add(400, f"malformed_{number}", "words", number, "crashpad")


def sizes(uploads: RefusedUploads) -> list[int]:
    return [each.size for each in uploads.newest_first()]


def test_the_newest_are_kept_also_by_the_next_process(tmp_path):
    uploads = uploads_in(tmp_path)
    for number in range(8):
        add(uploads, number)
    assert sizes(uploads) == sizes(uploads_in(tmp_path)) == [7, 6, 5, 4, 3]
    (newest, *_) = uploads_in(tmp_path).newest_first()
    assert (newest.time, newest.status, newest.code) == ("2026-11-23T12:00:00+00:00", 400, "malformed_7")


def test_the_file_is_bounded(tmp_path):
    uploads = uploads_in(tmp_path)
    longest = 0
    for number in range(100):
        uploads.add(413, "x" * 10_000, "\x1b[31m" * 10_000, number, "\ud800" * 10_000)
        longest = max(longest, (tmp_path / "refused.jsonl").read_bytes().count(b"\n"))
    assert longest <= 10
    assert (tmp_path / "refused.jsonl").stat().st_size < 10 * 6000
    assert sizes(uploads_in(tmp_path)) == [99, 98, 97, 96, 95]


def test_lines_that_cannot_be_read_are_left_out_and_the_file_is_mended(tmp_path):
    uploads = uploads_in(tmp_path)
    for number in range(3):
        add(uploads, number)
    path = tmp_path / "refused.jsonl"
    wrong = json.dumps({**json.loads(path.read_text().splitlines()[0]), "size": "large"})
    path.write_bytes(b"[1]\n\xff\xfe\n" + wrong.encode() + b"\n" + path.read_bytes()[:-20])
    uploads = uploads_in(tmp_path)
    assert sizes(uploads) == [1, 0]
    add(uploads, 9)
    assert sizes(uploads_in(tmp_path)) == [9, 1, 0]


def test_without_room_they_are_kept_in_memory(tmp_path, caplog):
    (tmp_path / "refused.jsonl").mkdir()
    uploads = uploads_in(tmp_path)
    add(uploads, 1)
    assert sizes(uploads) == [1]
    assert f"cannot be written into {tmp_path / 'refused.jsonl'}: {os.strerror(21)}" in caplog.text


def test_a_collector_lists_what_it_refused(site):
    site.collector.refuse(Refused(413, "too_large_body", "the body has more than 5 bytes"), 6, "crashpad from ::1")
    site.restart()
    (upload,) = site.collector.refused_uploads()
    assert (upload.status, upload.code, upload.size, upload.client) == (413, "too_large_body", 6, "crashpad from ::1")
