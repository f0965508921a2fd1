"""The addresses of the page of the symbols: the page, uploads, and the form that processes crashes again.

An upload is read as ``/submit`` reads one: a slow client holds no thread. It is converted in a thread of its own, which
nothing waits for when the server ends.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from socorro_processor.collector.refusal import Refused
from socorro_processor.errors import QueryError
from socorro_processor.search.missed_symbols import read_item
from socorro_processor.untrusted import plain
from socorro_processor.web.http.form_body import read_form
from socorro_processor.web.http.request_body import BLOCK, DRAINED
from socorro_processor.web.pages.address import Address, read_address
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.pages.symbols_address import PATH
from socorro_processor.web.pages.viewer import viewer_of
from socorro_processor.web.symbols.symbol_sources import SymbolSources
from socorro_processor.web.symbols.symbol_upload import SymbolUpload, UploadedSymbols
from socorro_processor.web.symbols.symbols_page import reprocess, symbols_page
from socorro_processor.web.symbols.upload_audit import audit_upload

logger = logging.getLogger(__name__)

T = TypeVar("T")

_DRAINING_TIME = 30.0  # seconds
_LONGEST_FILE = 400
"""Characters of a symbol file's name and id."""
_NO_STORE = (
    "there is no local symbol store: set symbols_path of the rule; `socorro symbols upload FILE` puts symbols into a "
    "bucket"
)


def symbols_routes(pages: Pages, sources: SymbolSources, gap_time: float) -> Iterator[BaseRoute]:
    """Yield the routes. ``gap_time``: seconds that a client may send nothing in the midst of an upload."""
    routes = _SymbolsRoutes(pages, sources, gap_time)
    yield Route(PATH, routes.show, needs="public")
    yield Route(PATH, routes.upload, needs="uploads", methods=["POST"])
    yield Route(f"{PATH}/reprocess", routes.reprocess, needs="actions", methods=["POST"])


class _SymbolsRoutes:
    def __init__(self, pages: Pages, sources: SymbolSources, gap_time: float) -> None:
        self._pages = pages
        self._sources = sources
        self._gap_time = gap_time

    def show(self, request: Request) -> Response:
        address: Address | QueryError
        try:
            address = read_address(PATH, request.scope["query_string"])
        except QueryError as error:
            address = error
        viewer = viewer_of(request)
        origin = str(request.base_url).rstrip("/")
        answer = symbols_page(self._pages.seen_by(viewer), self._sources, address, viewer, origin, time.time())
        return HTMLResponse(answer.html, answer.status)

    async def reprocess(self, request: Request) -> Response:
        try:
            fields = parse_qs(await read_form(request), max_num_fields=20)
            wanted = read_item(fields.get("file", [""])[-1][:_LONGEST_FILE])
        except ValueError as error:
            return PlainTextResponse(f"This is not the name of a symbol file: {plain(str(error))}.\n", 400)
        key = fields.get("key", [""])[-1]
        return RedirectResponse(await run_in_threadpool(reprocess, self._sources, wanted, key, viewer_of(request)), 303)

    async def upload(self, request: Request) -> Response:
        is_program: bool = request.state.is_program
        try:
            results = await self._read(request)
        except Refused as refused:
            await self._drain(request)
            return self._refused(refused, is_program=is_program)
        if results is None:
            return PlainTextResponse("The upload was broken off.\n", 400)
        await run_in_threadpool(audit_upload, self._sources.audit, results, viewer_of(request))
        lines = [_line(each) for each in results]
        is_well = all(each.is_well for each in results)
        if is_program:
            return PlainTextResponse("".join(f"{line}\n" for line in lines), 200 if is_well else 400)
        return self._told("\n".join(lines), is_bad=not is_well)

    async def _read(self, request: Request) -> list[UploadedSymbols] | None:
        """Return what became of each file; None if the client has gone. Raises Refused."""
        if self._sources.uploads is None:
            raise Refused(409, "no_store", _NO_STORE)
        length = request.headers.get("content-length", "")
        upload = self._sources.uploads.begin(
            request.headers.get("content-type", ""), int(length) if length.isdecimal() else None
        )
        try:
            await self._feed(upload, request)
        except ClientDisconnect:
            await run_in_threadpool(upload.discard)
            return None
        except BaseException:
            # A thread may still write for a task that was cancelled; the directory is removed in any case.
            threading.Thread(target=upload.discard, name="symbols", daemon=True).start()
            raise
        return await _in_own_thread(upload.finish)

    async def _feed(self, upload: SymbolUpload, request: Request) -> None:
        stream = request.stream()
        pieces = bytearray()
        while True:
            try:
                async with asyncio.timeout(self._gap_time):
                    piece = await anext(stream, None)
            except TimeoutError:
                raise Refused(408, "gap_time", f"nothing came for {self._gap_time:g} s (web.gap_time)") from None
            if piece is not None:
                pieces += piece
            if len(pieces) >= BLOCK or piece is None:
                await run_in_threadpool(upload.feed, bytes(pieces))
                pieces.clear()
            if piece is None:
                return

    async def _drain(self, request: Request) -> None:
        """Read what the client still sends: until it has sent all, it does not look for an answer."""
        drained = 0
        with suppress(TimeoutError, ClientDisconnect, RuntimeError):
            async with asyncio.timeout(_DRAINING_TIME):
                async for piece in request.stream():
                    drained += len(piece)
                    if drained > DRAINED:
                        return

    def _refused(self, refused: Refused, *, is_program: bool) -> Response:
        words = f"Nothing was added: {refused.words}."
        if is_program:
            return PlainTextResponse(f"{words}\n", refused.status)
        return self._told(words, is_bad=True)

    def _told(self, words: str, *, is_bad: bool) -> Response:
        name = self._sources.once.keep(words, is_bad=is_bad)
        return RedirectResponse(str(Address(PATH, parameters={"outcome": (name,)})), 303)


def _line(each: UploadedSymbols) -> str:
    what = f", {each.identity.path.rpartition('/')[0]}" if each.identity else ""
    words = f" ({each.words})" if each.words and each.is_well else f": {each.words}" if each.words else ""
    return plain(f"{each.name or 'symbols'}: {each.result}{what}{words}")


async def _in_own_thread(function: Callable[[], T]) -> T:
    """Return the result of a function that may take minutes; the end of the server does not wait for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # the function returned it

    def run() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = function()
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(finish, result, failure)

    threading.Thread(target=run, name="symbols", daemon=True).start()
    return await future
