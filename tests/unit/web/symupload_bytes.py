"""Requests as Breakpad's symupload sends them by its first protocol: one form, with a file of any name."""

from __future__ import annotations

from typing import NamedTuple


class Sending(NamedTuple):
    content_type: str
    user_agent: str
    body: bytes


def linux(symbols: bytes, debug_file: str, debug_id: str) -> Sending:
    """Return the form of libcurl; macOS sends the same with another boundary."""
    boundary = "------------------------f2c1a0b94d3e5768"
    fields = {"os": "Linux", "cpu": "x86_64", "debug_file": debug_file, "debug_identifier": debug_id}
    body = _fields(boundary, {**fields, "code_file": debug_file})
    body += _file(boundary, f"{debug_file}.sym", "application/octet-stream") + symbols
    body += f"\r\n--{boundary}--\r\n".encode()
    return Sending(f"multipart/form-data; boundary={boundary}", "Breakpad/1.0 (Linux)", body)


def windows(symbols: bytes, debug_file: str, debug_id: str) -> Sending:
    """Return a form whose file has no line end behind it, and a whole path for its name."""
    boundary = "---------------------------19E2A3B4C5D6F708"
    fields = {"os": "windows", "cpu": "x86_64", "debug_file": debug_file, "debug_identifier": debug_id}
    body = _fields(boundary, {"code_file": "app.exe", **fields, "version": "1.2.3.4"})
    body += (
        _file(boundary, "C:\\Users\\Zo\u00eb\\AppData\\Local\\Temp\\sym41.tmp", "application/octet-stream") + symbols
    )
    body += f"--{boundary}--\r\n".encode()
    return Sending(f"multipart/form-data; boundary={boundary}", "Breakpad/1.0 (Windows)", body)


def _fields(boundary: str, fields: dict[str, str]) -> bytes:
    return "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ).encode()


def _file(boundary: str, name: str, content_type: str) -> bytes:
    disposition = f'Content-Disposition: form-data; name="symbol_file"; filename="{name}"'
    return f"--{boundary}\r\n{disposition}\r\nContent-Type: {content_type}\r\n\r\n".encode()
