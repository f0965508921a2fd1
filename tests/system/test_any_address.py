"""Addresses of ``socorro serve`` that nobody thought of: none is a failure of the server, and no link leads nowhere."""

from __future__ import annotations

import html
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest

from socorro_processor.web.all_pages import NAVIGATION
from socorro_processor.web.pages.address import PARAMETERS
from tests.shared import SAMPLES, stackwalker
from tests.system.serving import Serving, eventually

HOSTILE = "Light<b>box&\"'"
PATHS = (
    *(item.path for item in NAVIGATION),
    *("/signature", "/search.csv", "/search.json", "/report/", "/report/x/y", "/static/../x", "/submit", "/metrics"),
    "/report/de1bb258-cbbf-4589-a673-34f800160918",
)
FIELDS = (
    *("product", "version", "signature", "uptime", "frame", "module", "date", "email", "comments", "reason", "address"),
    *(
        "date_processed",
        "missing_symbols",
        "uuid",
        "crash_id",
        "cpu_count",
        "os_name",
        "proto_signature",
        "nothing",
        "x.y",
    ),
)
SIGNS = ("=", "!=", "~", "^", "!~", "!^", "<", "<=", ">", ">=", "?", "!?", "?=", "=?")
VALUES = (
    *(
        "",
        "0",
        "1",
        "-1",
        "99999999",
        "1e400",
        "nan",
        "*",
        "%",
        "true",
        "[]",
        "{}",
        "a=b=c",
        "frame~x",
        "-date_processed",
    ),
    *(
        "a" * 300,
        "a" * 3000,
        "%00",
        "\x00",
        "\N{RIGHT-TO-LEFT OVERRIDE}",
        HOSTILE,
        "1.0",
        "product",
        "crashes",
        "exists",
    ),
    *("2026-12-03..2026-12-03", "0001-01-01..9999-12-31", "9999-12-31", "0001-01-01", "2026-12-03..2026-11-01"),
    *("2026-12-03T00:00:00+23:59", "-date_processed"),
)
ADDRESSES = 400
MOST_OF_A_PATH = 15
"""Links to one page that are followed."""


@pytest.fixture(scope="module")
def serving(tmp_path_factory) -> Iterator[Serving]:
    """A server with three crashes."""
    stackwalker()
    serving = Serving(tmp_path_factory.mktemp("serving"))
    try:
        serving.start()
        for sample in ("segfault", "abort", "segfault"):
            dump = (SAMPLES / sample / "upload_file_minidump.dmp").read_bytes()
            serving.post(dump, {"ProductName": HOSTILE, "Version": "1.0", "Comments": "it fell"})
        eventually(lambda: json.loads(serving.get("/search.json")[1]).get("total") == 3, lambda: serving.log)
        yield serving
        assert serving.stop() == 0
        assert "Traceback" not in serving.log
    finally:
        serving.close()


def any_address() -> str:
    parts = []
    for _ in range(random.choice((0, 1, 1, 2, 3, 5))):
        value = quote_plus(random.choice(VALUES))
        if random.random() < 0.5:
            parts.append(f"{random.choice(PARAMETERS)}={value}")
        else:
            parts.append(quote_plus(random.choice(FIELDS)) + quote(random.choice(SIGNS), safe="=") + value)
    return f"{random.choice(PATHS)}?{'&'.join(parts)}"


def test_no_address_is_a_failure_of_the_server(serving):
    statuses = Counter[int]()
    for _ in range(ADDRESSES):
        address = any_address()
        status, page = serving.get(address)
        assert status < 500, (address, page)
        statuses[status] += 1
    assert min(statuses[status] for status in (200, 400, 404)) > 0


def test_every_link_of_a_page_leads_to_a_page(serving):
    waiting = {item.path for item in NAVIGATION}
    found = set(waiting)
    visited = Counter[str]()
    while waiting:
        address = random.choice(sorted(waiting))
        waiting.remove(address)
        path = address.partition("?")[0]
        if visited[path] == MOST_OF_A_PATH:
            continue
        visited[path] += 1
        status, content_type, body = serving.fetch(address)
        assert status == 200, (address, body)
        if content_type.startswith("text/html"):
            links = {html.unescape(each).partition("#")[0] for each in re.findall(r'href="(/[^"]*)"', body.decode())}
            waiting |= links - found
            found |= links
    assert {"/", "/compare", "/search", "/search.csv", "/signature", "/symbols", "/queues", "/refused"} <= set(visited)
    assert sum(path.startswith("/report/") for path in visited) >= 3
