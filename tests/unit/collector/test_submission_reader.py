from __future__ import annotations

import errno
import gzip
import io
import tracemalloc
import zlib
from contextlib import suppress
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.collector.limits import Limits
from socorro_processor.collector.refusal import Refused
from socorro_processor.collector.submission import StoredFile, Submission
from socorro_processor.collector.submission_reader import SubmissionReader, SubmissionRequest
from socorro_processor.crashstorage.base import check_dump_name

FORM = "multipart/form-data; boundary=b"
MINIDUMP = b"MDMP" + bytes(60)
BASE64 = "\r\nContent-Transfer-Encoding: base64"


def part(name: str, content: bytes = b"", file_name: str | None = None, more: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"'
    if file_name is not None:
        head += f'; filename="{file_name}"'
    return f"{head}{more}\r\n\r\n".encode() + content + b"\r\n"


def read(
    body: bytes, *, content_type: str = FORM, limits: Limits | None = None, **request: Any
) -> tuple[Submission, bytes]:
    sink = io.BytesIO()
    reader = SubmissionReader(SubmissionRequest(content_type, **request), sink, limits or Limits())
    reader.feed(body)
    return reader.finish(), sink.getvalue()


def refusal_of(body: bytes, **request: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        read(body, **request)
    return caught.value


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


@pytest.mark.parametrize(
    ("body", "request_", "code"),
    [
        pytest.param(form(), {}, "empty", id="no parts"),
        pytest.param(form(part("a")), {"content_type": "multipart/form-data"}, "no_boundary", id="no boundary"),
        pytest.param(b"a=b", {"content_type": "application/x-www-form-urlencoded"}, "content_type", id="curl -d"),
        pytest.param(b"", {"content_type": ""}, "content_type", id="nothing at all"),
        pytest.param(b"MD", {"content_type": "application/octet-stream"}, "content_type", id="two bytes"),
        pytest.param(form(part("a")), {"content_encoding": "br"}, "content_encoding", id="brotli"),
        pytest.param(form(part("a")), {"content_encoding": "gzip"}, "gzip", id="no gzip"),
        pytest.param(gzip.compress(form(part("a")))[:-1], {"content_encoding": "gzip"}, "gzip", id="cut gzip"),
        pytest.param(form(part("")), {}, "no_name", id="a part without a name"),
        pytest.param(
            form(part("a", more="\r\nContent-Transfer-Encoding: base64")), {}, "transfer_encoding", id="base64"
        ),
        pytest.param(part("a"), {}, "cut", id="no closing boundary"),
        pytest.param(
            form(part("upload_file_minidump", gzip.compress(MINIDUMP)[:-9], "x")), {}, "gzip", id="a cut dump in gzip"
        ),
    ],
)
def test_an_upload_that_is_not_what_its_client_meant_is_refused(body: bytes, request_: Any, code: str) -> None:
    refused = refusal_of(body, **request_)
    assert (refused.status, refused.code) == (400, f"malformed_{code}")
    assert refused.words
    assert "\n" not in refused.words


@pytest.mark.parametrize(
    ("limits", "body"),
    [
        pytest.param({"maximum_body": 99}, form(part("a", b"x" * 100)), id="body"),
        pytest.param({"maximum_fields": 2}, form(part("a"), part("b"), part("c")), id="fields"),
        pytest.param({"maximum_fields": 2}, form(part("extra", b'{"a": 1, "b": 2, "c": 3}')), id="fields in JSON"),
        pytest.param({"maximum_field": 9}, form(part("a", b"x" * 10)), id="a field"),
        pytest.param({"maximum_field": 9}, form(part("extra", b"x" * 10, "extra.json")), id="JSON"),
        pytest.param({"maximum_field_total": 19}, form(part("a", b"x" * 9), part("b", b"x" * 9)), id="all fields"),
        pytest.param({"maximum_files": 1}, form(part("a", b"", "a"), part("b", b"", "b")), id="files"),
        pytest.param({"maximum_name": 9}, form(part("é" * 5)), id="a name"),
        pytest.param({"maximum_name": 9}, form(part("extra", b'{"0123456789": 1}')), id="a name in JSON"),
        pytest.param({"maximum_headers": 99}, form(part("a", more="\r\nX: " + "x" * 99)), id="headers"),
    ],
)
def test_a_refusal_for_size_names_the_option(limits: dict[str, int], body: bytes) -> None:
    ((name, value),) = limits.items()
    refused = refusal_of(body, limits=Limits(**limits))
    assert (refused.status, refused.code) == (413, f"too_large_{name}")
    assert f"collector.{name}" in refused.words
    assert str(value) in refused.words


def test_a_large_content_length_is_refused_before_the_body() -> None:
    with pytest.raises(Refused) as caught:
        SubmissionReader(SubmissionRequest(FORM, content_length=1 << 40), io.BytesIO(), Limits())
    assert caught.value.code == "too_large_maximum_body"


@pytest.mark.parametrize("sent", [MINIDUMP[:-1], MINIDUMP[:1], b"", MINIDUMP + b"x"])
def test_a_minidump_of_another_length_than_announced_is_refused(sent: bytes) -> None:
    refused = refusal_of(sent, content_type="application/octet-stream", content_length=len(MINIDUMP))
    assert (refused.status, refused.code) == (400, "malformed_cut")
    assert f"{len(MINIDUMP)}" in refused.words


def test_an_error_of_the_sink_goes_through() -> None:
    class FullDisk:
        def write(self, data: bytes) -> None:
            raise error

    error = OSError(errno.ENOSPC, "no space left")
    reader = SubmissionReader(SubmissionRequest(FORM), FullDisk(), Limits())
    with pytest.raises(OSError, match="no space left") as caught:
        reader.feed(form(part("upload_file_minidump", MINIDUMP, "x")))
    assert caught.value is error


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor().compress])
@pytest.mark.parametrize("as_body", [True, False])
def test_a_bomb_is_refused(compress: Any, as_body: bool) -> None:
    bomb = compress(b"MDMP" + b"\0" * (8 << 20))
    limits = Limits(maximum_decoded=1 << 20)
    if as_body:
        refused = refusal_of(bomb, content_type="application/octet-stream", limits=limits)
    else:
        refused = refusal_of(form(part("upload_file_minidump", bomb, "x")), limits=limits)
    assert refused.code == "too_large_maximum_decoded"


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_minidump_alone_is_an_upload(compress: Any) -> None:
    submission, stored = read(compress(MINIDUMP), content_type="", query=[("product", "Painter"), ("product", "x")])
    assert stored == MINIDUMP
    assert [(file.name, file.kind) for file in submission.files] == [("upload_file_minidump", "dump")]
    assert submission.annotations == {"product": "Painter"}


@pytest.mark.parametrize("name", ["product", "prod", "ProductName", "_productName", "sentry[release]"])
def test_the_address_names_the_product_only_where_the_form_does_not(name: str) -> None:
    submission, _ = read(form(part(name, b"mine")), query=[("product", "other"), ("version", "1")])
    assert submission.annotations == {name: "mine"} | ({"version": "1"} if name != "sentry[release]" else {})


def test_an_empty_field_does_not_hide_the_address() -> None:
    assert read(form(part("prod")), query=[("product", "x")])[0].annotations == {"prod": "", "product": "x"}


@pytest.mark.parametrize("extra", [b"", b"[1]", b'{"a": 1', b"\xff", b'"text"'])
def test_extra_that_is_no_object_is_kept_as_a_text(extra: bytes) -> None:
    """A program that crashes may have written half of it, and the dump is worth having."""
    submission, stored = read(form(part("extra", extra), part("upload_file_minidump", MINIDUMP, "x")))
    assert submission.annotations == {"extra": extra.decode("utf-8", "replace")}
    assert "extra is not a JSON object: it is kept as a text" in submission.notes
    assert stored == MINIDUMP


@pytest.mark.parametrize("value", [b"[]", b"{}", b"[[[[]]]]", b"1"])
def test_extra_with_more_values_than_fit_in_memory_is_kept_as_a_text(value: bytes) -> None:
    extra = b'{"a": [' + b",".join([value] * ((2 << 20) // (len(value) + 1) - 9)) + b"]}"
    tracemalloc.start()
    try:
        submission, _ = read(form(part("extra", extra)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert submission.annotations == {"extra": extra.decode()}
    assert submission.notes == ["extra has more than 100,000 values: it is kept as a text"]
    assert peak < 8 * len(extra)


def test_a_field_that_comes_in_pieces_of_a_byte_takes_no_more_memory_than_its_bytes() -> None:
    size = 1 << 18
    reader = SubmissionReader(SubmissionRequest(FORM), io.BytesIO(), Limits())
    reader.feed(part("a").removesuffix(b"\r\n"))
    pieces = [bytes([byte, byte ^ 255]) for byte in range(256)]
    tracemalloc.start()
    try:
        for number in range(size // 2):
            reader.feed(pieces[number % 256])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * size
    reader.feed(b"\r\n--b--")
    assert reader.finish().annotations["a"] == (b"".join(pieces) * (size // 512)).decode("utf-8", "replace")


def test_a_field_that_comes_twice_has_its_last_value_and_a_note() -> None:
    submission, _ = read(form(part("a", b"1"), part("a", b"1"), part("extra", b'{"a": "2"}')))
    assert submission.annotations == {"a": "2"}
    assert submission.notes == ["'a' came more than once: the last one counts"]


def test_a_field_in_another_encoding_is_read_with_a_note() -> None:
    submission, _ = read(form(part("a", b"\xe9"), part("b", "\ufffd".encode())))
    assert submission.annotations == {"a": "\ufffd", "b": "\ufffd"}
    assert submission.notes == ["the field 'a' is not UTF-8: other bytes became U+FFFD"]


@pytest.mark.parametrize("sent", [b"de1bb258-cbbf-4589-a673-34f801261202", b"bp-de1bb258-cbbf-4589-a673-34f801261202"])
def test_a_crash_id_that_the_client_wants_is_no_annotation(sent: bytes) -> None:
    submission, _ = read(form(part("uuid", sent), part("a")))
    assert submission.client_uuid == "de1bb258-cbbf-4589-a673-34f801261202"
    assert submission.annotations == {"a": ""}


@pytest.mark.parametrize("sent", [b"6F0A3C51-7c2b-4d52-9b1e-0f8de1a4c3b2", b"../x", b"\0"])
def test_a_uuid_that_is_no_crash_id_is_left_out_with_a_note(sent: bytes) -> None:
    submission, _ = read(form(part("uuid", sent), part("a")))
    assert submission.client_uuid == ""
    assert submission.annotations == {"a": ""}
    assert len(submission.notes) == 1


@pytest.mark.parametrize(
    ("names", "stored_as"),
    [
        (["upload_file_minidump", "upload_file_minidump"], ["upload_file_minidump", "upload_file_minidump_2"]),
        (["upload_file_minidump/../../x"], ["x"]),
        (["../../etc/passwd", "C:\\a\\passwd"], ["passwd", "passwd_2"]),
        (["dump", "raw_crash"], ["dump_2", "raw_crash_2"]),
        ([".hidden", "-n", "a b\u202ec", "\u00e9"], ["hidden", "n", "a_bc", "_"]),
        (["x" * 200, "x" * 201], ["x" * 100, "x" * 98 + "_2"]),
        (["..."], ["attachment"]),
    ],
)
def test_files_get_names_that_are_safe_and_unique(names: list[str], stored_as: list[str]) -> None:
    submission, _ = read(form(*(part(name, b"", "f") for name in names)))
    assert [file.name for file in submission.files] == stored_as
    assert all((file.kind == "dump") == file.name.startswith("upload_file_minidump") for file in submission.files)


def test_minidumps_come_before_attachments_and_the_main_one_first_wherever_they_were_sent() -> None:
    names = ["log", "upload_file_minidump_browser", "upload_file_minidump", "memory_report"]
    submission, stored = read(form(*(part(name, name.encode(), "f") for name in names)))
    assert {file.name: stored[file.start : file.start + file.size].decode() for file in submission.files} == {
        name: name for name in names
    }
    assert [file.name for file in submission.files] == [
        "upload_file_minidump",
        "upload_file_minidump_browser",
        "log",
        "memory_report",
    ]


@given(name=st.text(min_size=1, max_size=60), file_name=st.text(max_size=60))
def test_no_name_gives_a_file_one_that_stores_refuse(name: str, file_name: str) -> None:
    name, file_name = ("".join(text.encode("utf-8", "replace").decode().splitlines()) for text in (name, file_name))
    files: list[StoredFile] = []
    with suppress(Refused):
        files = read(form(part(name, b"x", file_name)))[0].files
    assert files or not name.isalnum()
    for file in files:
        assert check_dump_name(file.name)
        assert (file.kind == "dump") == file.name.startswith("upload_file_minidump")
        assert file.sent_as.isprintable()
        assert "/" not in file.sent_as


@given(body=st.binary(max_size=300), encoding=st.sampled_from(("", "gzip")), content_type=st.sampled_from((FORM, "")))
def test_any_bytes_are_read_or_refused(body: bytes, encoding: str, content_type: str) -> None:
    with suppress(Refused):
        read(body, content_type=content_type, content_encoding=encoding)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_an_upload_of_200_mb_takes_no_memory(encoding: str) -> None:
    class Nowhere:
        def write(self, data: bytes) -> None:
            pass

    reader = SubmissionReader(SubmissionRequest(FORM, encoding), Nowhere(), Limits())
    compressor = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)

    def send(data: bytes) -> None:
        reader.feed(compressor.compress(data) if encoding else data)

    head, tail = part("upload_file_minidump", b"\r\n--b--", "x").split(b"\r\n--b--")
    piece = bytes(range(256)) * 256
    tracemalloc.start()
    try:
        send(head)
        for _ in range((200 << 20) // len(piece)):
            send(piece)
        send(tail + b"--b--")
        if encoding:
            reader.feed(compressor.flush())
        submission = reader.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert submission.files[0].size == 200 << 20
    assert peak < 2 << 20
