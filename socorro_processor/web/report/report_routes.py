"""The addresses of a crash's page, of its other forms, and of the files that pages load."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from socorro_processor.errors import SocorroError
from socorro_processor.web.pages.answer import failure_page, status_of
from socorro_processor.web.pages.rendering import STATIC_TYPES, Pages, static_file
from socorro_processor.web.pages.report_address import crash_id_in, report_path
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.pages.viewer import viewer_of
from socorro_processor.web.report.report_downloads import (
    MARKDOWN,
    Download,
    dump_download,
    processed_json,
    raw_json,
    report_markdown,
    report_text,
)
from socorro_processor.web.report.report_page import report_page
from socorro_processor.web.report.report_sources import ReportSources
from socorro_processor.web.report.reprocessing import Reprocessing

QUEUED = "queued"
"""Stands behind the address of a crash that was just queued again."""
_A_YEAR = "public, max-age=31536000, immutable"


def report_routes(
    pages: Pages, sources: ReportSources, reprocessing: Reprocessing | None = None
) -> Iterator[BaseRoute]:
    """Yield the routes. Stores may block: each request is in a thread."""
    routes = _ReportRoutes(pages, sources, reprocessing)
    yield Route("/report/{word}/reprocess", routes.reprocess, needs="actions", methods=["POST"])
    # The page's own form last: its pattern takes any word.
    yield Route("/report/{word}.txt", routes.text, needs="public")
    yield Route("/report/{word}.md", routes.markdown, needs="public")
    yield Route("/report/{word}.json", routes.processed, needs="public")
    yield Route("/report/{word}/raw.json", routes.raw, needs="public")
    yield Route("/report/{word}/dump/{name}", routes.dump, needs="dumps")
    yield Route("/report/{word}", routes.page, needs="public")
    yield Route("/static/{name}", _static, needs=None)


class _ReportRoutes:
    def __init__(self, pages: Pages, sources: ReportSources, reprocessing: Reprocessing | None) -> None:
        self._pages = pages
        self._sources = sources
        self._reprocessing = reprocessing

    def page(self, request: Request) -> Response:
        viewer = viewer_of(request)
        is_queued = request.url.query == QUEUED
        answer = report_page(
            self._pages.seen_by(viewer),
            self._sources,
            _word(request),
            viewer,
            origin=_origin(request),
            is_queued=is_queued,
        )
        return HTMLResponse(answer.html, answer.status)

    def reprocess(self, request: Request) -> Response:
        if self._reprocessing is None:
            return PlainTextResponse("Crashes cannot be processed again here.\n", 404)
        try:
            crash_id = crash_id_in(_word(request))
            # Else a mistyped id would wait in the queue, and be set aside there.
            self._sources.raw(crash_id, redacted=True)
            self._reprocessing.queue(crash_id, viewer_of(request).whole_name)
        except SocorroError as error:
            answer = failure_page(self._pages.seen_by(viewer_of(request)), error)
            return HTMLResponse(answer.html, answer.status)
        return RedirectResponse(f"{report_path(crash_id)}?{QUEUED}", 303)

    def text(self, request: Request) -> Response:
        return _text(lambda: "".join(report_text(self._sources, _word(request), viewer_of(request), _origin(request))))

    def markdown(self, request: Request) -> Response:
        return _text(
            lambda: report_markdown(self._sources, _word(request), viewer_of(request), _origin(request)), MARKDOWN
        )

    def processed(self, request: Request) -> Response:
        return _download(lambda: processed_json(self._sources, _word(request), viewer_of(request)))

    def raw(self, request: Request) -> Response:
        return _download(lambda: raw_json(self._sources, _word(request), viewer_of(request)))

    def dump(self, request: Request) -> Response:
        return _download(lambda: dump_download(self._sources, _word(request), request.path_params["name"]))


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC_TYPES:
        return PlainTextResponse("There is no such file.\n", 404)
    return Response(static_file(name), media_type=STATIC_TYPES[name], headers={"Cache-Control": _A_YEAR})


def _word(request: Request) -> str:
    word: str = request.path_params["word"]
    return word


def _origin(request: Request) -> str:
    """Return the beginning of this server's addresses, as the request named it."""
    return str(request.base_url).rstrip("/")


def _text(make: Callable[[], str], content_type: str = "text/plain; charset=utf-8") -> Response:
    try:
        return Response(make().encode("utf-8", "replace"), media_type=content_type)
    except SocorroError as error:
        return _failure(error)


def _download(make: Callable[[], Download]) -> Response:
    try:
        download = make()
    except SocorroError as error:
        return _failure(error)
    disposition = f'attachment; filename="{download.file_name}"'
    return Response(download.content, media_type=download.content_type, headers={"Content-Disposition": disposition})


def _failure(error: SocorroError) -> Response:
    status, title = status_of(error)
    return PlainTextResponse(f"{title}: {error}\n", status)
