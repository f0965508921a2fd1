"""One answer for many who ask for the same page at once; none is older than the docs say."""

import asyncio
import threading
import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from socorro_processor.web.http.same_origin import SameOrigin
from socorro_processor.web.pages.shared_answers import BUSY, FRESH, SharedAnswers
from socorro_processor.web.pages.viewer import Viewer

EVERYTHING, NOTHING = Viewer(sees_protected=True), Viewer()


def request(query: str = "", host: str = "localhost") -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": "/search",
            "query_string": query.encode(),
            "headers": [(b"host", host.encode())],
            "server": ("127.0.0.1", 8000),
        }
    )


class Maker:
    """Makes pages that are numbered; while ``gate`` is not set, they are being made."""

    def __init__(self, status: int = 200) -> None:
        self.gate = threading.Event()
        self.made = 0
        self._status = status
        self._lock = threading.Lock()

    def __call__(self) -> Response:
        with self._lock:
            self.made += 1
            number = self.made
        assert self.gate.wait(30)
        return PlainTextResponse(str(number), self._status)


async def started(
    shared: SharedAnswers, maker: Maker, asked: list[Request], viewer: Viewer = NOTHING
) -> asyncio.Future:
    """Ask, and return once each different page is being made."""
    tasks = [asyncio.create_task(shared.answer(each, viewer, maker)) for each in asked]
    different = len({(each.url.query, each.headers["host"]) for each in asked})
    end = time.monotonic() + 30
    while maker.made < different:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    return asyncio.gather(*tasks)


def run(test: Callable) -> None:
    asyncio.run(test())


def test_those_who_ask_while_a_page_is_being_made_get_it():
    async def test():
        maker = Maker()
        answers = await started(SharedAnswers(), maker, [request("a=1") for _ in range(50)])
        maker.gate.set()
        assert {each.body for each in await answers} == {b"1"}
        assert maker.made == 1

    run(test)


def test_who_asks_afterwards_gets_a_new_page():
    async def test():
        shared, maker = SharedAnswers(), Maker()
        maker.gate.set()
        assert [(await shared.answer(request(), NOTHING, maker)).body for _ in range(3)] == [b"1", b"2", b"3"]

    run(test)


def test_another_query_host_or_permission_is_another_page():
    async def test():
        shared, maker = SharedAnswers(), Maker()
        asked = [request("a=1"), request("a=2"), request("a=1", "127.0.0.1")]
        first = await started(shared, maker, asked)
        other = asyncio.create_task(shared.answer(request("a=1"), EVERYTHING, maker))
        await asyncio.sleep(0.05)
        maker.gate.set()
        assert len({each.body for each in [*await first, await other]}) == 4

    run(test)


def test_a_busy_server_gives_a_page_again_until_it_is_too_old():
    async def test():
        now = 100.0
        shared, slow, quick = SharedAnswers(clock=lambda: now), Maker(), Maker()
        quick.gate.set()
        asked = request("page")
        assert (await shared.answer(asked, NOTHING, quick)).body == b"1"
        others = await started(shared, slow, [request(f"slow={number}") for number in range(BUSY)])
        now += FRESH - 0.1
        assert (await shared.answer(asked, NOTHING, quick)).body == b"1"
        assert (await shared.answer(asked, EVERYTHING, quick)).body == b"2"
        now += 0.2
        assert (await shared.answer(asked, NOTHING, quick)).body == b"3"
        slow.gate.set()
        await others

    run(test)


def test_what_failed_is_not_given_again():
    async def test():
        shared, slow, away = SharedAnswers(), Maker(), Maker(status=503)
        away.gate.set()
        others = await started(shared, slow, [request(f"slow={number}") for number in range(BUSY)])
        assert [(await shared.answer(request("page"), NOTHING, away)).body for _ in range(2)] == [b"1", b"2"]
        slow.gate.set()
        await others

    run(test)


def test_who_goes_away_does_not_take_the_page_from_the_others():
    async def test():
        shared, maker = SharedAnswers(), Maker()
        first = asyncio.create_task(shared.answer(request(), NOTHING, maker))
        second = await started(shared, maker, [request()])
        first.cancel()
        await asyncio.sleep(0.01)
        maker.gate.set()
        assert [each.body for each in await second] == [b"1"]
        assert first.cancelled()

    run(test)


def test_a_failure_reaches_all_who_waited_and_is_not_kept():
    async def test():
        shared, gate = SharedAnswers(), threading.Event()

        def fail() -> Response:
            assert gate.wait(30)
            raise ValueError("a fault")

        tasks = [asyncio.create_task(shared.answer(request(), NOTHING, fail)) for _ in range(3)]
        await asyncio.sleep(0.05)
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(each) for each in results] == ["a fault"] * 3
        maker = Maker()
        maker.gate.set()
        assert (await shared.answer(request(), NOTHING, maker)).body == b"1"

    run(test)


def test_each_who_shares_a_page_gets_a_session_of_his_own():
    async def test():
        shared, maker = SharedAnswers(), Maker()

        async def page(request: Request) -> Response:
            return await shared.answer(request, NOTHING, maker)

        app = SameOrigin(Starlette(routes=[Route("/search", page)]))
        sent: list[list[str]] = [[], []]

        async def ask(cookies: list[str]) -> None:
            async def send(message: Message) -> None:
                found = MutableHeaders(raw=list(message.get("headers", [])))
                cookies.extend(found.getlist("set-cookie"))

            await app(dict(request().scope), receive_nothing, send)

        tasks = [asyncio.create_task(ask(cookies)) for cookies in sent]
        await asyncio.sleep(0.05)
        maker.gate.set()
        await asyncio.gather(*tasks)
        assert maker.made == 1
        assert [len(cookies) for cookies in sent] == [1, 1]
        assert sent[0] != sent[1]

    run(test)


async def receive_nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
