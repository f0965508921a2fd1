"""Give one answer to many who ask for the same page at the same time: then a page that many load costs little.

It is for pages that are the same for all viewers with the same permissions. While few pages are being made, each
request gets one that was begun before it came and is not finished yet, or a new one. While the server is busy, a page
may be two seconds old.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from socorro_processor.web.pages.answer import Answer
from socorro_processor.web.pages.viewer import Viewer

BUSY = 3
"""Pages that are being made at once from which on the server is busy."""
FRESH = 2.0
"""Seconds in which a page is given again while the server is busy."""
_MOST = 64
"""Pages that are kept, of about 100 kB."""


class PageRequest(NamedTuple):
    """All that the page of a list depends on, besides the crashes."""

    path: str
    query: bytes
    origin: str
    """How the request named the server: the beginning of its addresses."""
    sees_protected: bool


Elsewhere = Callable[[PageRequest], Answer | None]
"""Makes the page in another process; returns None if that is busy, or cannot."""


class SharedAnswers:
    """The answers that are being made, and those of the last seconds. It is for one event loop."""

    def __init__(self, elsewhere: Elsewhere | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._elsewhere = elsewhere
        self._clock = clock
        self._making: dict[PageRequest, asyncio.Task[Answer]] = {}
        self._made: OrderedDict[PageRequest, tuple[float, Answer]] = OrderedDict()

    async def answer(self, request: Request, viewer: Viewer, make: Callable[[], Answer]) -> Response:
        """Return what ``make`` returns in a thread, or what it returns, or did, to another such request."""
        origin = str(request.base_url).rstrip("/")
        key = PageRequest(request.url.path, request.scope["query_string"], origin, viewer.sees_protected)
        if len(self._making) >= BUSY and key in self._made:
            made_at, answer = self._made[key]
            if self._clock() - made_at < FRESH:
                return response_of(answer)
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(key, make))
            task.add_done_callback(lambda _: self._making.pop(key, None))
        # Whoever goes away does not take the answer from the others.
        return response_of(await asyncio.shield(task))

    async def _make(self, key: PageRequest, make: Callable[[], Answer]) -> Answer:
        begun = self._clock()
        answer = await run_in_threadpool(self._anywhere, key, make)
        if answer.status == 200:
            self._made[key] = begun, answer
            self._made.move_to_end(key)
            while len(self._made) > _MOST:
                self._made.popitem(last=False)
        return answer

    def _anywhere(self, key: PageRequest, make: Callable[[], Answer]) -> Answer:
        answer = self._elsewhere(key) if self._elsewhere else None
        return make() if answer is None else answer


def response_of(answer: Answer) -> Response:
    if answer.location:
        return RedirectResponse(answer.location, answer.status)
    return HTMLResponse(answer.html, answer.status)
