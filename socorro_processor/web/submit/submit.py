"""``POST /submit``: read an upload as fast as its client sends it, keep it, and answer with the promise.

The body goes to the spool in blocks, each by a thread for a moment: a slow client holds no thread, and a large upload
no memory. The answer is as old clients need it: a Content-Length that is spelled so, no chunks, lines that end with LF.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import ParamSpec, TypeVar
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from socorro_processor.collector.acceptance import Answer
from socorro_processor.collector.collector import Collector
from socorro_processor.collector.limits import Limits
from socorro_processor.collector.refusal import Refused
from socorro_processor.collector.spool import SpoolFailing, SpoolFull
from socorro_processor.collector.submission_reader import SubmissionRequest
from socorro_processor.configuration import DotDict
from socorro_processor.web.http.bounded_protocol import CUT
from socorro_processor.web.http.gap_timer import GapTimer
from socorro_processor.web.http.request_body import BLOCK, DRAINED
from socorro_processor.web.submit.client_key import KEYS, has_sentry_key, key_of
from socorro_processor.web.submit.upload import Upload

P = ParamSpec("P")
T = TypeVar("T")

_SMALL_BLOCK = 1 << 14
_BUDGET = 32 << 20
"""Bytes that all uploads together may collect; above it each writes small blocks."""
_THREADS = 32
"""Threads that write: each waits for the disk, and for the store, which may know a report already."""
_DRAINING_TIME = 30.0  # seconds
_LONGEST_CLIENT = 200  # characters
_RETRY_AFTER = 60  # seconds


class _BrokenOff(Exception):
    """No answer is possible, or of use."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.refused = Refused(408, code, words)


class Submit:
    """The ASGI application of ``/submit``."""

    def __init__(self, collector: Collector, limits: Limits, config: DotDict) -> None:
        """``config`` is the section ``web``."""
        self._collector = collector
        self._limits = limits
        self._gap_time: float = config.gap_time
        self._bare_id: bool = config.answer == "id"
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="upload")
        self._collected = 0

    def close(self) -> None:
        """Wait for the uploads that threads still write; no request may be in work any more."""
        self._threads.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        agent = headers.get("user-agent", "")
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        request = SubmissionRequest(
            content_type=headers.get("content-type", ""),
            content_encoding=headers.get("content-encoding", ""),
            query=[(name, value) for name, value in query if name not in KEYS],
            user_agent=agent,
            content_length=_length(headers),
            has_sentry_key=has_sentry_key(headers, query),
        )
        upload = Upload(self._collector, self._limits, request, key_of(headers, query))
        client = f"{scope['client'][0]} {agent}"[:_LONGEST_CLIENT]
        try:
            answer = await self._read(upload, receive)
        except _BrokenOff as broken:
            await self._thread(upload.refuse, broken.refused, client)
            await _cut(scope, receive, broken.refused.code)
        except Refused as refused:
            await self._thread(upload.refuse, refused, client)
            text = f"Discarded={refused.code}\n{refused.words}\n"
            await self._refuse(refused.status, text, upload, receive, send)
        except (SpoolFull, SpoolFailing) as error:
            code = "spool_full" if isinstance(error, SpoolFull) else "spool_failing"
            await self._thread(upload.refuse, Refused(503, code, str(error)), client)
            text = "This server cannot keep the crash now. It may be sent again later.\n"
            await self._refuse(503, text, upload, receive, send)
        except BaseException:
            # A thread may still write for a task that was cancelled; then this comes after it.
            self._threads.submit(upload.discard)
            raise
        else:
            await _send(send, 200, answer.text(bare_id=self._bare_id))

    async def _read(self, upload: Upload, receive: Receive) -> Answer:
        """Read the body to its end, and keep it. Raises _BrokenOff, Refused, SpoolFull and SpoolFailing."""
        upload.begin()
        pieces: list[bytes] = []
        collected = 0
        gap = GapTimer(self._gap_time)
        try:
            while True:
                with gap:
                    message = await receive()
                piece, is_last = _piece_of(message, upload)
                pieces.append(piece)
                upload.size += len(piece)
                collected += len(piece)
                self._collected += len(piece)
                upload.is_received = is_last
                if is_last:
                    return await self._thread(upload.finish, pieces, datetime.now(UTC))
                if collected >= (BLOCK if self._collected < _BUDGET else _SMALL_BLOCK):
                    await self._thread(upload.feed, pieces)
                    self._collected -= collected
                    pieces, collected = [], 0
        except TimeoutError:
            words = f"nothing came for {self._gap_time:g} s, after {upload.size} bytes (web.gap_time)"
            raise _BrokenOff("gap_time", words) from None
        finally:
            gap.close()
            self._collected -= collected

    async def _refuse(self, status: int, text: str, upload: Upload, receive: Receive, send: Send) -> None:
        """Answer, and then read what the client still sends: until it has sent all, it does not look for an answer."""
        if upload.is_received:
            await _send(send, status, text)
            return
        body = text.encode()
        await _send_head(send, status, body, close=True)
        await send({"type": "http.response.body", "body": body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAINING_TIME):
                await _drain(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _thread(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *arguments, **named))


def _piece_of(message: Message, upload: Upload) -> tuple[bytes, bool]:
    """Return the bytes of a message, and True if they are the last. Raises _BrokenOff."""
    if message["type"] != "http.request":
        raise _BrokenOff("broken_off", f"the connection ended after {upload.size} bytes, before the upload did")
    return message.get("body", b""), not message.get("more_body", False)


async def _drain(receive: Receive) -> None:
    drained = 0
    while drained < DRAINED:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        drained += len(message.get("body", b""))


async def _cut(scope: Scope, receive: Receive, reason: str) -> None:
    """End the connection of a client that does not go on, or has gone."""
    scope["extensions"][CUT](reason)
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, status: int, text: str) -> None:
    body = text.encode()
    await _send_head(send, status, body)
    await send({"type": "http.response.body", "body": body})


async def _send_head(send: Send, status: int, body: bytes, *, close: bool = False) -> None:
    # Some builds of Crashpad find the length only in a header that is spelled so, and read no chunked answer.
    headers = [(b"Content-Type", b"text/plain"), (b"Content-Length", str(len(body)).encode())]
    if close:
        headers.append((b"Connection", b"close"))
    if status == 503:
        headers.append((b"Retry-After", str(_RETRY_AFTER).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})


def _length(headers: Headers) -> int | None:
    """Return the length that the client announces; h11 has checked that it is a number.

    With a Transfer-Encoding there is none: whatever Content-Length stands beside it says nothing (RFC 9112, 6.3).
    """
    if "transfer-encoding" in headers:
        return None
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() else None
