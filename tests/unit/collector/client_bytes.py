"""Bodies as clients of crash reports post them, byte for byte as their sources write them, with what they mean."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

import msgpack

from socorro_processor.collector.submission_reader import SubmissionRequest

DUMP = b"MDMP\x93\xa7\x00\x00" + bytes(range(256)) * 3 + b"\r\n--\r\n-----\n" + b"\0" * 40
"""Not a whole minidump, but with what parsers stumble over."""
REPORT_ID = "6f0a3c51-7c2b-4d52-9b1e-0f8de1a4c3b2"


@dataclass
class Upload:
    request: SubmissionRequest
    body: bytes
    annotations: dict[str, Any]
    files: dict[str, bytes]
    client: str = ""
    report_id: str = ""
    notes: list[str] = field(default_factory=list)


def _crashpad_part(boundary: str, name: str, content: bytes, file_name: str | None = None, kind: str = "") -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
    if file_name is not None:
        head += f'; filename="{file_name}"\r\nContent-Type: {kind or "application/octet-stream"}'
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def crashpad() -> Upload:
    boundary = "---MultipartBoundary-0123456789ABCDEFGHIJKLMNOPQRSTUV---"
    body = b"".join(
        (
            _crashpad_part(boundary, "guid", b"0f5e1f6c-5f3b-4f4e-a8f5-6a4a4b1c2d3e"),
            _crashpad_part(boundary, "list_annotations", b"first\nsecond"),
            _crashpad_part(boundary, "prod", b"Painter"),
            _crashpad_part(boundary, "ver", b"1.2.3"),
            _crashpad_part(boundary, "a %22strange%22%0d%0aname 100%25", b"\xc3\xa9"),
            _crashpad_part(boundary, "attachment_log", b"a line\r\n", "painter.log"),
            _crashpad_part(boundary, "upload_file_minidump", DUMP, f"{REPORT_ID}.dmp"),
            f"--{boundary}--\r\n".encode(),
        )
    )
    query = (("product", "Painter"), ("version", "1.2.3"), ("guid", "0f5e1f6c-5f3b-4f4e-a8f5-6a4a4b1c2d3e"))
    return Upload(
        SubmissionRequest(
            f"multipart/form-data; boundary={boundary}", "gzip", query, "Crashpad/0.8.0 Linux/6.1 (x86_64)"
        ),
        gzip.compress(body),
        {
            "guid": "0f5e1f6c-5f3b-4f4e-a8f5-6a4a4b1c2d3e",
            "list_annotations": "first\nsecond",
            "prod": "Painter",
            "ver": "1.2.3",
            'a "strange"\r\nname 100%': "é",
        },
        {"attachment_log": b"a line\r\n", "upload_file_minidump": DUMP},
        "crashpad",
        REPORT_ID,
    )


def electron() -> Upload:
    boundary = "---MultipartBoundary-VUTSRQPONMLKJIHGFEDCBA9876543210---"
    fields = {
        "_productName": "Notes",
        "_version": "4.0.1",
        "platform": "linux",
        "process_type": "renderer",
        "prod": "Electron",
        "ver": "31.2.0",
        "ptype": "renderer",
    }
    parts = [_crashpad_part(boundary, name, value.encode()) for name, value in fields.items()]
    parts.append(_crashpad_part(boundary, "upload_file_minidump", DUMP, f"{REPORT_ID}.dmp"))
    return Upload(
        SubmissionRequest(f"multipart/form-data; boundary={boundary}", "gzip", (("product", "Electron"),)),
        gzip.compress(b"".join(parts) + f"--{boundary}--\r\n".encode()),
        fields,
        {"upload_file_minidump": DUMP},
        "electron",
        REPORT_ID,
    )


def breakpad_windows() -> Upload:
    """File names are whole paths, and there is no line end behind a file."""
    boundary = "---------------------------0A1B2C3D4E5F6071"
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in (("prod", "Painter"), ("ver", "1.2"))
    )
    log = b"the last line has no end"
    for name, file_name, content in (("log", "log.txt", log), ("upload_file_minidump", f"{REPORT_ID}.dmp", DUMP)):
        body += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
            f'filename="C:\\Users\\Zo\u00eb\\crashes\\{file_name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        ).encode() + content
    body += f"--{boundary}--\r\n".encode()
    return Upload(
        SubmissionRequest(
            f"multipart/form-data; boundary={boundary}",
            user_agent="Breakpad/1.0 (Windows)",
            content_length=len(body),
        ),
        body,
        {"prod": "Painter", "ver": "1.2"},
        {"log": log, "upload_file_minidump": DUMP},
        "breakpad-windows",
        REPORT_ID,
    )


def breakpad_macos() -> Upload:
    """There is no line end between two files, and all files have the same name."""
    boundary = "---------------------------1D2C3B4A5F6E7081"
    log = b"BZh91AY&SY" + bytes(range(200, 256))
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in (("ProductName", "Painter"), ("Version", "1.2"), ("CrashTime", "1795000000"))
    )
    for name, content in (("upload_file_minidump", DUMP), ("log", log)):
        body += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="minidump.dmp"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode() + content
    body += f"\r\n--{boundary}--\r\n".encode()
    return Upload(
        SubmissionRequest(
            f"multipart/form-data; boundary={boundary}",
            user_agent="crash_report_sender CFNetwork/1.0 Darwin/25",
        ),
        body,
        {"ProductName": "Painter", "Version": "1.2", "CrashTime": "1795000000"},
        {"upload_file_minidump": DUMP, "log": log},
        "breakpad-macos",
    )


def breakpad_linux() -> Upload:
    """As libcurl writes it."""
    boundary = "------------------------d74496d66958873e"
    fields = {"prod": "Painter", "ver": "1.2", "guid": "0", "ptime": "4711", "comments_": "it broke"}
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    body += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename="{REPORT_ID}.dmp"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode() + DUMP
    body += f"\r\n--{boundary}--\r\n".encode()
    return Upload(
        SubmissionRequest(f"multipart/form-data; boundary={boundary}", user_agent="Breakpad/1.0 (Linux)"),
        body,
        fields,
        {"upload_file_minidump": DUMP},
        "breakpad-linux",
        REPORT_ID,
    )


EXTRA = {"ProductName": "Firefox", "Version": "150.0", "StackTraces": {"status": "OK"}, "Uptime": 7, "Empty": None}


def firefox_client() -> Upload:
    """The crash reporter's window: ``extra`` is a file."""
    boundary = "-----------------------------9d1c5e5b"
    body = b"".join(
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="extra"; filename="extra.json"\r\n'
            f"Content-Type: application/json\r\n\r\n{json.dumps(EXTRA)}\r\n".encode(),
            _crashpad_part(boundary, "upload_file_minidump", DUMP, "de1bb258-cbbf-4589-a673-34f801261202.dmp"),
            _crashpad_part(boundary, "upload_file_minidump_browser", DUMP[::-1], "browser.dmp"),
            _crashpad_part(boundary, "memory_report", b"\x1f\x8b not really", "memory.json.gz", "application/gzip"),
            f"--{boundary}--\r\n".encode(),
        )
    )
    return Upload(
        SubmissionRequest(f'multipart/form-data; boundary="{boundary}"', content_length=len(body)),
        body,
        EXTRA,
        {
            "upload_file_minidump": DUMP,
            "upload_file_minidump_browser": DUMP[::-1],
            "memory_report": b"\x1f\x8b not really",
        },
        "firefox",
        "de1bb258-cbbf-4589-a673-34f801261202",
    )


def firefox_browser() -> Upload:
    """The running browser: ``extra`` has no file name."""
    boundary = "----geckoformboundary8f1d2c3b"
    body = b"".join(
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="extra"\r\n'
            f"Content-Type: application/json\r\n\r\n{json.dumps(EXTRA)}\r\n".encode(),
            _crashpad_part(boundary, "upload_file_minidump", DUMP, "dump"),
            f"--{boundary}--\r\n".encode(),
        )
    )
    return Upload(
        SubmissionRequest(f"multipart/form-data; boundary={boundary}"),
        body,
        EXTRA,
        {"upload_file_minidump": DUMP},
        "firefox",
    )


def firefox_android() -> Upload:
    """Behind ``extra`` there is only LF, in a form of lines that end with CRLF."""
    boundary = "---------------------------1A2B3C4D5E6F7081"
    body = (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="extra"; filename="extra.json"\r\n'
            f"Content-Type: application/json\r\n\r\n{json.dumps(EXTRA)}\n"
        ).encode()
        + _crashpad_part(boundary, "upload_file_minidump", DUMP, f"{REPORT_ID}.dmp")
        + f"--{boundary}--\r\n".encode()
    )
    return Upload(
        SubmissionRequest(f"multipart/form-data; boundary={boundary}", "gzip"),
        gzip.compress(body),
        EXTRA,
        {"upload_file_minidump": DUMP},
        "firefox",
        REPORT_ID,
    )


def sentry() -> Upload:
    boundary = "---MultipartBoundary-00000000000000000000000000000000---"
    event = msgpack.packb({"release": "painter@1.2+77", "environment": "beta", "user": {"id": 1}, "level": "fatal"})
    body = b"".join(
        (
            _crashpad_part(boundary, "sentry[release]", b"painter@1.2.3+78"),
            _crashpad_part(boundary, "__sentry-event", event, "__sentry-event"),
            _crashpad_part(boundary, "upload_file_minidump", DUMP, f"{REPORT_ID}.dmp"),
            f"--{boundary}--\r\n".encode(),
        )
    )
    return Upload(
        SubmissionRequest(f"multipart/form-data; boundary={boundary}", "gzip", has_sentry_key=True),
        gzip.compress(body),
        {"sentry[release]": "painter@1.2.3+78", "sentry[environment]": "beta"},
        {"__sentry-event": event, "upload_file_minidump": DUMP},
        "sentry",
        REPORT_ID,
    )


SENTRY_KEY = "9f2c41d7a0b84e6d8c3b5f1e7a6d0c2b"


def _sentry_request() -> bytes:
    """Return the request of the handler that ``sentry-native`` starts: libcurl, which sends chunks."""
    body = sentry().body
    head = (
        f"POST /api/4505/minidump/?sentry_client=sentry.native%2F0.7.0&sentry_key={SENTRY_KEY} HTTP/1.1\r\n"
        "Host: crashes.example.com\r\n"
        "User-Agent: sentry.native/0.7.0\r\n"
        "Accept: */*\r\n"
        "Transfer-Encoding: chunked\r\n"
        "Content-Encoding: gzip\r\n"
        f"Content-Type: {sentry().request.content_type}\r\n\r\n"
    )
    first, rest = body[:100], body[100:]
    return head.encode() + b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(first), first, len(rest), rest)


SENTRY_REQUEST = _sentry_request()
"""With its head, because the key is there."""


def curl() -> Upload:
    boundary = "------------------------5c0b2e7c8f1a4b3d"
    body = b"".join(
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="ProductName"\r\n\r\nPainter\r\n'.encode(),
            f'--{boundary}\r\nContent-Disposition: form-data; name="a \\"quoted\\" name"\r\n\r\n\r\n'.encode(),
            f'--{boundary}\r\nContent-Disposition: attachment; name="upload_file_minidump"; filename="a.dmp"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
            + DUMP
            + b"\r\n",
            f"--{boundary}--\r\n".encode(),
        )
    )
    return Upload(
        SubmissionRequest(f"multipart/form-data; boundary={boundary}", user_agent="curl/7.88.1"),
        body,
        {"ProductName": "Painter", 'a "quoted" name': ""},
        {"upload_file_minidump": DUMP},
        "curl",
    )


def mixed() -> Upload:
    body = (
        b"This is a preamble, which means nothing.\r\n--b\r\n"
        b'Content-Disposition: form-data; name="ProductName"\r\n\r\nPainter\r\n'
        b"--b  \r\n"
        b'content-disposition: form-data;\r\n filename="x.dmp"; name=upload_file_minidump\r\n'
        b"Content-Transfer-Encoding: binary\r\n\r\n" + DUMP + b"\r\n--b--\r\nand an epilogue"
    )
    return Upload(
        SubmissionRequest("Multipart/Mixed; charset=utf-8; Boundary=b"),
        body,
        {"ProductName": "Painter"},
        {"upload_file_minidump": DUMP},
    )


def lines_of_lf() -> Upload:
    """A client written by hand, in whose form no line ends in CR."""
    body = (
        b'--b\nContent-Disposition: form-data; name="ProductName"\n\nPainter\n'
        b'--b\nContent-Disposition: form-data; name="upload_file_minidump"; filename="x.dmp"\n\n' + DUMP + b"\n--b--"
    )
    return Upload(
        SubmissionRequest("multipart/form-data; boundary=b"),
        body,
        {"ProductName": "Painter"},
        {"upload_file_minidump": DUMP},
    )


def dump_alone() -> Upload:
    query = (("product", "Painter"), ("version", "1.2"), ("Theme", "dark"))
    return Upload(
        SubmissionRequest("application/octet-stream", query=query),
        DUMP,
        dict(query),
        {"upload_file_minidump": DUMP},
    )


def compressed_dump_in_a_form() -> Upload:
    boundary = "b"
    return Upload(
        SubmissionRequest("multipart/form-data; boundary=b", query=(("product", "Painter"), ("other", "not taken"))),
        _crashpad_part(boundary, "upload_file_minidump", gzip.compress(DUMP), "x.dmp.gz") + b"--b--",
        {"product": "Painter"},
        {"upload_file_minidump": DUMP},
        notes=["upload_file_minidump was sent as gzip"],
    )


UPLOADS = (
    crashpad,
    electron,
    breakpad_windows,
    breakpad_macos,
    breakpad_linux,
    firefox_client,
    firefox_browser,
    firefox_android,
    sentry,
    curl,
    mixed,
    lines_of_lf,
    dump_alone,
    compressed_dump_in_a_form,
)
