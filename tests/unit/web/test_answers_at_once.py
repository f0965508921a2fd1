"""A few long answers are given at once; others are told to come again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message

from socorro_processor.errors import QueryError
from socorro_processor.web.search.search_routes import AtOnce

MOST = 2


class Client:
    """A client that reads nothing of the answer's body until ``reads`` is set."""

    def __init__(self, app: AtOnce) -> None:
        self._app = app
        self.reads = asyncio.Event()
        self.has_status = asyncio.Event()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    async def ask(self) -> None:
        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
            self.has_status.set()
        else:
            await self.reads.wait()


def good(_: Request) -> Response:
    return PlainTextResponse("crashes")


async def started(app: AtOnce) -> tuple[Client, asyncio.Task[None]]:
    client = Client(app)
    task = asyncio.create_task(client.ask())
    async with asyncio.timeout(30):
        await client.has_status.wait()
    return client, task


async def status_of_another(app: AtOnce) -> int:
    client, task = await started(app)
    client.reads.set()
    await task
    return client.status


def test_more_than_the_most_are_503_until_a_client_has_its_answer():
    async def run() -> None:
        app = AtOnce(good, MOST)
        (first, reading), (_, other) = await started(app), await started(app)
        busy = Client(app)
        busy.reads.set()
        await busy.ask()
        assert (busy.status, int(busy.headers[b"retry-after"]) > 0) == (503, True)

        first.reads.set()
        await reading

        assert first.status == 200
        assert await status_of_another(app) == 200
        other.cancel()

    asyncio.run(run())


def test_a_client_that_is_cut_off_makes_room():
    async def run() -> None:
        app = AtOnce(good, MOST)
        tasks = [(await started(app))[1] for _ in range(MOST)]
        assert await status_of_another(app) == 503
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert await status_of_another(app) == 200

    asyncio.run(run())


def test_an_answer_that_fails_makes_room():
    def bad(_: Request) -> Response:
        raise QueryError("no such field")

    async def run() -> None:
        app = AtOnce(bad, 1)
        for _ in range(3):
            with pytest.raises(QueryError):
                await Client(app).ask()

    asyncio.run(run())
