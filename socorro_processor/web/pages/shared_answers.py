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

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from socorro_processor.web.pages.viewer import Viewer

BUSY = 3
"""Pages that are being made at once from which on the server is busy."""
FRESH = 2.0
"""Seconds in which a page is given again while the server is busy."""
_MOST = 64
"""Pages that are kept, of about 100 kB."""

_Key = tuple[str, bytes, str, bool]


class SharedAnswers:
    """The answers that are being made, and those of the last seconds. It is for one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._making: dict[_Key, asyncio.Task[Response]] = {}
        self._made: OrderedDict[_Key, tuple[float, Response]] = OrderedDict()

    async def answer(self, request: Request, viewer: Viewer, make: Callable[[], Response]) -> Response:
        """Return what ``make`` returns in a thread, or what it returns, or did, to another such request."""
        key = (request.url.path, request.scope["query_string"], str(request.base_url), viewer.sees_protected)
        if len(self._making) >= BUSY and key in self._made:
            made_at, response = self._made[key]
            if self._clock() - made_at < FRESH:
                return response
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(key, make))
            task.add_done_callback(lambda _: self._making.pop(key, None))
        # Whoever goes away does not take the answer from the others.
        return await asyncio.shield(task)

    async def _make(self, key: _Key, make: Callable[[], Response]) -> Response:
        begun = self._clock()
        response = await run_in_threadpool(make)
        if response.status_code == 200:
            self._made[key] = begun, response
            self._made.move_to_end(key)
            while len(self._made) > _MOST:
                self._made.popitem(last=False)
        return response
