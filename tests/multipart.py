"""The body of a multipart request, as curl sends it."""

from __future__ import annotations

from collections.abc import Mapping

BOUNDARY = "------------------------d74496d66958873e"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
END = f"\r\n--{BOUNDARY}--\r\n".encode()
"""The end of a whole body."""
MINIDUMP = b"MDMP\x93\xa7\x00\x00" + bytes(range(256)) * 4


def body_of(
    fields: Mapping[str, str] | None = None,
    dump: bytes | None = MINIDUMP,
    file_name: str = "crash.dmp",
) -> bytes:
    """Return a body with fields and, unless it is None, a dump."""
    fields = {"ProductName": "Example", "Version": "1.0"} if fields is None else fields
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if dump is None:
        return b"".join(parts).removesuffix(b"\r\n") + END
    disposition = f'Content-Disposition: form-data; name="upload_file_minidump"; filename="{file_name}"'
    head = f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n"
    return b"".join((*parts, head.encode(), dump, END))


def request_of(body: bytes, *headers: str, path: str = "/submit") -> bytes:
    """Return the head of a request that announces the body, and the body."""
    return head_of(len(body), *headers, path=path) + body


def head_of(length: int, *headers: str, path: str = "/submit") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: crashes.example.com", f"Content-Type: {CONTENT_TYPE}"]
    lines += [*headers, f"Content-Length: {length}"]
    return "\r\n".join((*lines, "", "")).encode()
