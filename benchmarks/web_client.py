"""Requests to a server of this machine, each on a connection of its own, in an event loop."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from tests.multipart import END, body_of, head_of

DEADLINE = 120.0
_PIECE = 1 << 16


class Answer(NamedTuple):
    status: int
    """0 if the connection broke or nothing came in time."""
    body: bytes
    seconds: float
    """From the moment at which the request should have begun until the last byte of the answer."""


class WebClient:
    def __init__(self, port: int) -> None:
        self._port = port

    async def get(self, path: str, due: float | None = None) -> Answer:
        """``due``: the moment of ``time.perf_counter`` at which the request should have begun."""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: close\r\n\r\n"
        return await self._ask(head.encode(), b"", due, 0)

    async def submit(
        self,
        dump: bytes,
        fields: dict[str, str],
        due: float | None = None,
        *,
        seconds: float = 0,
        is_whole: bool = True,
    ) -> Answer:
        """Post a crash, evenly within ``seconds``; if it is not whole, its end is missing."""
        body = body_of(fields, dump)
        if not is_whole:
            body = body.removesuffix(END)
        return await self._ask(head_of(len(body), "Connection: close"), body, due, seconds)

    async def _ask(self, head: bytes, body: bytes, due: float | None, seconds: float) -> Answer:
        due = due or time.perf_counter()
        try:
            async with asyncio.timeout(DEADLINE + seconds):
                status, answer = await self._exchange(head, body, seconds)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, IndexError):
            return Answer(0, b"", time.perf_counter() - due)
        return Answer(status, answer, time.perf_counter() - due)

    async def _exchange(self, head: bytes, body: bytes, seconds: float) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        try:
            writer.write(head)
            begun = time.perf_counter()
            for start in range(0, len(body), _PIECE):
                writer.write(body[start : start + _PIECE])
                await writer.drain()
                if (early := begun + seconds * start / len(body) - time.perf_counter()) > 0:
                    await asyncio.sleep(early)
            answer = await reader.read()
        finally:
            writer.close()
        first, _, rest = answer.partition(b"\r\n")
        return int(first.split()[1]), rest.partition(b"\r\n\r\n")[2]
