"""Ask an ASGI application one request, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return the value of a header; empty if there is none."""
        return next((value for each, value in self.headers if each.lower() == name.lower()), "")

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(
    app: ASGIApp,
    path: str = "/",
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    client: str = "127.0.0.1",
    http_version: str = "1.1",
) -> Answer:
    """Send a request, by default from a client on this machine, and return the answer."""
    headers = {"Host": "127.0.0.1:8000", **(headers or {})}
    return asyncio.run(_ask(app, path, method, headers, body, client, http_version))


async def _ask(
    app: ASGIApp, path: str, method: str, headers: Mapping[str, str], body: bytes, client: str, http_version: str
) -> Answer:
    path, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": http_version,
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items() if value],
        "client": (client, 40000),
        "server": ("127.0.0.1", 8000),
    }
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    answer = Answer()
    is_answered = asyncio.Event()

    async def receive() -> Message:
        if messages:
            return messages.pop()
        # A client that went away before would not get the whole of a long answer.
        await is_answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [(name.decode(), value.decode()) for name, value in message.get("headers", [])]
        else:
            answer.body += message.get("body", b"")
            if not message.get("more_body", False):
                is_answered.set()

    await app(scope, receive, send)
    return answer
