"""The access log: a line and metrics for each request, without what must stay out of it."""

import logging

import pytest
from starlette.responses import PlainTextResponse

from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.web.http.access_log import AccessLog
from tests.asgi import ask

QUOTED = "jane@example.com"


async def page(scope, receive, send):
    if scope["path"] == "/fail":
        raise ValueError(QUOTED)
    if scope["path"] == "/half":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError(QUOTED)
    if scope["path"] != "/gone":
        await PlainTextResponse("here")(scope, receive, send)


app = AccessLog(page, ["report", "fail"])


@pytest.fixture
def lines(caplog):
    """Return the lines of the log with their fields."""
    caplog.set_level(logging.INFO, logger="socorro_processor.web.http.access_log")
    return lambda: [(record.getMessage(), getattr(record, "fields", {})) for record in caplog.records]


def requests(page: str, status: str) -> int:
    return METRICS.snapshot().counters.get(("web.requests", (("page", page), ("status", status))), 0)


def test_a_line_has_method_path_status_and_client_but_neither_query_nor_headers(lines):
    headers = {"Cookie": "key=COOKIE", "Authorization": "Bearer TOKEN"}
    ask(app, "/report/1?token=KEY", headers=headers, client="192.0.2.7")
    ((message, fields),) = lines()
    assert message == "GET /report/1"
    assert (fields["status"], fields["client"]) == (200, "192.0.2.7")
    assert not any(word in str(lines()) for word in ("KEY", "COOKIE", "TOKEN"))


@pytest.mark.parametrize(("path", "page"), [("/report/1", "report"), ("/report", "report"), ("/wp-login.php", "other")])
def test_requests_are_counted_by_known_pages_only(path, page):
    before = requests(page, "200")
    ask(app, path)
    assert requests(page, "200") == before + 1


def test_probes_are_counted_but_not_logged(lines):
    ask(app, "/readyz")
    assert lines() == []


def test_a_path_of_any_length_is_cut(lines):
    ask(app, "/" + "a" * 10000)
    assert len(lines()[0][0]) < 300


def test_a_failure_is_answered_and_logged_with_its_place_but_not_its_message(lines):
    before = requests("fail", "500")
    answer = ask(app, "/fail")
    assert (answer.status, "jane" in answer.text) == (500, False)
    assert requests("fail", "500") == before + 1
    (message, _), _ = lines()
    assert message.startswith("the server failed at GET /fail: ValueError at\n")
    assert "jane" not in message


def test_a_failure_in_the_midst_of_an_answer_is_logged(lines):
    assert ask(app, "/half").status == 200
    assert lines()[0][0].startswith("the server failed at GET /half: ValueError at\n")


def test_a_client_that_left_before_the_answer_is_noted(lines):
    ask(app, "/gone")
    assert lines()[0][1]["status"] == "closed"
