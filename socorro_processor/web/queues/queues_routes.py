"""The addresses of the page of the queues, of the question before crashes are rejected, and of the forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from socorro_processor.crashqueue.base import SET_ASIDE_STATES, SetAsideState
from socorro_processor.web.http.form_body import read_form
from socorro_processor.web.pages.answer import Answer, message_page
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.pages.viewer import viewer_of
from socorro_processor.web.queues.queue_sources import QueueSources
from socorro_processor.web.queues.queues_page import PATH, QueuesRequest, act, confirm_page, queues_page
from socorro_processor.web.queues.set_aside import DEEDS, Deed, Selection

_MOST_FIELDS = 50
_LONGEST_FIELD = 2000  # characters
_LARGEST_NUMBER = 10**17
"""Microseconds until the year 5138."""


def queues_routes(pages: Pages, sources: QueueSources) -> Iterator[BaseRoute]:
    routes = _QueuesRoutes(pages, sources)
    yield Route(PATH, routes.show, needs="public")
    yield Route(PATH, routes.act, needs="actions", methods=["POST"])
    yield Route(f"{PATH}/confirm", routes.confirm, needs="actions")


class _QueuesRoutes:
    def __init__(self, pages: Pages, sources: QueueSources) -> None:
        self._pages = pages
        self._sources = sources

    def show(self, request: Request) -> Response:
        fields = _fields_of(request.url.query)
        asked = QueuesRequest(
            _state_of(fields), fields.get("kind", ""), _number(fields, "offset"), fields.get("outcome", "")
        )
        viewer = viewer_of(request)
        return _html(queues_page(self._pages.seen_by(viewer), self._sources, asked, viewer))

    def confirm(self, request: Request) -> Response:
        fields, viewer = _fields_of(request.url.query), viewer_of(request)
        pages = self._pages.seen_by(viewer)
        if (deed := _deed_of(fields)) is None:
            return _unknown(pages)
        return _html(confirm_page(pages, self._sources, deed, _selection_of(fields), viewer))

    async def act(self, request: Request) -> Response:
        viewer = viewer_of(request)
        fields = _fields_of(await read_form(request))
        if (deed := _deed_of(fields)) is None:
            return _unknown(self._pages.seen_by(viewer))
        selection, key = _selection_of(fields), fields.get("key", "")
        address = await run_in_threadpool(act, self._sources, deed, selection, key, viewer)
        return RedirectResponse(address, 303)


def _fields_of(text: str) -> Mapping[str, str]:
    """Return the last value of each field of a form, cut."""
    try:
        fields = parse_qs(text, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1][:_LONGEST_FIELD] for name, values in fields.items()}


def _state_of(fields: Mapping[str, str]) -> SetAsideState:
    state = fields.get("state", "")
    return state if state in SET_ASIDE_STATES else "parked"


def _deed_of(fields: Mapping[str, str]) -> Deed | None:
    """Return what the form asks for; only parked crashes can be rejected."""
    deed = fields.get("deed", "")
    if deed not in DEEDS or (deed == "reject" and _state_of(fields) != "parked"):
        return None
    return deed


def _selection_of(fields: Mapping[str, str]) -> Selection:
    return Selection(_state_of(fields), fields.get("crash", ""), fields.get("kind", ""), _number(fields, "until"))


def _number(fields: Mapping[str, str], name: str) -> int:
    """Return a number; 0 if the field is none, as only a stranger writes it."""
    text = fields.get(name, "")
    return min(int(text), _LARGEST_NUMBER) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _unknown(pages: Pages) -> Response:
    words = ["This form asks for something that this page does not do. Open /queues again, and send it from there."]
    answer = message_page(pages, 400, "Nothing was done", words)
    return HTMLResponse(answer.html, answer.status)


def _html(answer: Answer) -> Response:
    return HTMLResponse(answer.html, answer.status)
