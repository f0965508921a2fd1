"""The guards before the pages: only this machine may look, and only a page of the server may change something."""

import re
from urllib.parse import urlencode

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from socorro_processor.monitoring.health import Health
from socorro_processor.web.application import application
from socorro_processor.web.http.form_body import MAXIMUM_FORM
from socorro_processor.web.http.open_paths import PROBE_PATHS, SUBMIT_PATHS
from socorro_processor.web.http.security_headers import HEADERS
from socorro_processor.web.pages.rendering import NavigationItem, Pages
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.probes import Probes
from tests.asgi import Answer, ask
from tests.unit.web.html_tree import read_html
from tests.viewers import OPEN

LOOPBACK = ["127.0.0.1:8000", "127.0.0.1", "localhost:8000", "LocalHost", "[::1]:8000", "127.0.0.5:1"]
OTHERS = ["example.com", "example.com:8000", "10.0.0.1:8000", "localhost.example.com", "127.0.0.1@x", ""]
POSTED_TO = (*SUBMIT_PATHS, "/api/1/minidump", "/api/1/minidump/", f"/api/{'9' * 20}/minidump/")
LIKE_MINIDUMP = (
    *("/api/minidump", "/api//minidump", "/api/one/minidump", "/api/-1/minidump", "/api/1/minidump/x"),
    *("/api/1/minidump//", "/api/1/envelope/", "/api/1%0A/minidump", "/api/1/minidump%0A", "/API/1/minidump"),
    *("/api/\u0661/minidump", f"/api/{'9' * 21}/minidump/", "/x/api/1/minidump", "//api/1/minidump"),
)
ORIGIN = {"Origin": "http://127.0.0.1:8000"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def submit(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("taken")(scope, receive, send)


class Submit:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await submit(scope, receive, send)


async def show_form(request: Request) -> HTMLResponse:
    return HTMLResponse(request.state.csrf_token)


async def change(request: Request) -> PlainTextResponse:
    return PlainTextResponse("changed " + (await request.body()).decode())


async def fail(request: Request) -> PlainTextResponse:
    raise ValueError("a secret of a crash")


PAGES = (
    Route("/form", show_form, needs="public"),
    Route("/change", change, needs="actions", methods=["POST"]),
    Route("/fail", fail, needs="public"),
)


@pytest.fixture
def app():
    health = Health()
    health.resolve("start")
    return application(Submit(), Probes(health, lambda: {"depth": 0}), OPEN, PAGES)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "127.0.0.1", "localhost:8000", "LocalHost", "[::1]:8000", "127.0.0.5:1"]
)
def test_a_request_to_a_loopback_name_is_answered(app, host):
    assert ask(app, "/form", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host", ["example.com", "example.com:8000", "10.0.0.1:8000", "localhost.example.com", "127.0.0.1@x", ""]
)
def test_a_request_to_another_host_is_refused_with_words(app, host):
    answer = ask(app, "/form", headers={"Host": host})
    assert answer.status == 403
    assert "nothing says who may what" in answer.text
    assert (repr(host) if host else "names no host") in answer.text


@pytest.mark.parametrize(
    "header", ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-anything"]
)
def test_a_request_through_a_proxy_is_refused_and_its_header_named(app, header):
    answer = ask(app, "/form", headers={header: "1"})
    assert (answer.status, header.lower() in answer.text) == (403, True)


def test_a_request_by_http_1_0_is_refused_because_nginx_sends_others_requests_so(app):
    answer = ask(app, "/form", http_version="1.0")
    assert (answer.status, "HTTP/1.0" in answer.text) == (403, True)


ELSEWHERE = {"Host": "crashes.example.com", "X-Forwarded-For": "192.0.2.1", "Origin": "http://example.com"}


@pytest.mark.parametrize("path", [*POSTED_TO, *PROBE_PATHS])
def test_crashes_and_probes_may_come_from_anywhere(app, path):
    method = "POST" if path in POSTED_TO else "GET"
    assert ask(app, path, method, ELSEWHERE).status == (401 if path == "/metrics" else 200)


@pytest.mark.parametrize("path", ["/readyz", "/__heartbeat__"])
def test_a_probe_tells_the_details_to_this_machine_only(app, path):
    assert "depth" in ask(app, path).text
    assert "depth" not in ask(app, path, headers=ELSEWHERE).text


@pytest.mark.parametrize("path", ["/submitted", "/submit/x", "/healthz/x", "//submit", *LIKE_MINIDUMP, "/%73ubmit/../"])
def test_what_only_looks_like_an_open_address_is_not_open(app, path):
    assert ask(app, path, headers={"Host": "example.com"}).status == 403


@pytest.mark.parametrize("path", ["/", "/no-such-page", "/fail", "/form"])
def test_each_page_has_the_headers_that_keep_a_browser_safe(app, path):
    answer = ask(app, path)
    assert {name: answer.header(name) for name in HEADERS} == HEADERS


def test_the_policy_allows_neither_inline_scripts_and_styles_nor_other_sites():
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"unsafe|\*|http|data:", policy)


def test_the_answer_to_a_client_that_sends_a_crash_has_only_the_headers_that_it_needs(app):
    answer = ask(app, "/submit", "POST")
    assert sorted(name for name, _ in answer.headers) == ["content-length", "content-type"]


@pytest.mark.parametrize(
    ("path", "status"), [("/no-such-page", 404), ("/change", 405), ("/fail", 500), ("/submit", 405)]
)
def test_an_error_page_is_a_sentence_that_quotes_nothing(app, path, status):
    answer = ask(app, path)
    assert answer.status == status
    assert re.fullmatch(r"[A-Z][^<>]+\.\n", answer.text)
    assert "secret" not in answer.text


def test_a_browser_that_asks_for_no_page_gets_one_with_ways_on_and_a_program_a_line():
    templates = Pages([NavigationItem("Queues", "/queues")])
    app = application(Submit(), Probes(Health(), dict), OPEN, PAGES, templates)
    answer = ask(app, "/no-such-page", headers={"Accept": "text/html,*/*;q=0.8"})
    page = read_html(answer.text)
    assert (answer.status, page.one("h1").text) == (404, "There is no such page")
    assert {"/queues", "/", "/search"} <= {link.attributes["href"] for link in page.all("a")}
    assert "no-such-page" not in answer.text
    assert ask(app, "/no-such-page", headers={"Accept": "*/*"}).header("Content-Type").startswith("text/plain")


def form_of(app) -> tuple[str, str]:
    """Return the cookie and the token of a page with a form."""
    page = ask(app, "/form")
    return page.header("Set-Cookie").partition(";")[0], page.text


def send_form(app, cookie: str, token: str, **headers: str) -> Answer:
    body = urlencode({"what": "all", "csrf_token": token}).encode()
    return ask(app, "/change", "POST", {**ORIGIN, **FORM, "Cookie": cookie, **headers}, body)


def test_a_form_of_a_page_is_taken_and_reaches_its_handler_whole(app):
    cookie, token = form_of(app)
    assert send_form(app, cookie, token).text == f"changed what=all&csrf_token={token}"


def test_a_script_of_a_page_sends_the_token_in_a_header(app):
    cookie, token = form_of(app)
    headers = {**ORIGIN, "Content-Type": "application/json", "Cookie": cookie, "X-CSRF-Token": token}
    assert ask(app, "/change", "POST", headers, b"{}").text == "changed {}"


@pytest.mark.parametrize(
    "origin",
    ["", "null", "http://example.com", "http://localhost:8000", "https://127.0.0.1:8000", "http://127.0.0.1:80001"],
)
def test_a_form_that_another_site_sends_is_refused(app, origin):
    cookie, token = form_of(app)
    answer = send_form(app, cookie, token, Origin=origin)
    assert (answer.status, "Origin: http://127.0.0.1:8000" in answer.text) == (403, True)


@pytest.mark.parametrize(
    ("make_cookie", "make_token"),
    [
        (lambda cookie: "", lambda token: token),
        (lambda cookie: cookie, lambda token: ""),
        (lambda cookie: cookie, lambda token: token[:-1]),
        (lambda cookie: cookie, lambda token: "ä"),
        (lambda cookie: cookie[:-1] + ("0" if cookie[-1] != "0" else "1"), lambda token: token),
        (lambda cookie: "socorro_session=mine.mine", lambda token: token),
        (lambda cookie: "socorro_session=", lambda token: token),
        (lambda cookie: cookie.replace(".", "x."), lambda token: token),
    ],
)
def test_a_form_without_the_token_of_its_session_is_refused(app, make_cookie, make_token):
    cookie, token = form_of(app)
    answer = send_form(app, make_cookie(cookie), make_token(token))
    assert (answer.status, "Open the page again" in answer.text) == (403, True)


def test_the_token_of_another_session_is_refused(app):
    (cookie, _), (_, token) = form_of(app), form_of(app)
    assert send_form(app, cookie, token).status == 403


def test_a_session_stays_while_its_browser_has_the_cookie(app):
    cookie, token = form_of(app)
    page = ask(app, "/form", headers={"Cookie": cookie})
    assert (page.text, page.header("Set-Cookie")) == (token, "")


def test_no_script_reads_the_cookie_and_no_other_site_sends_it(app):
    attributes = ask(app, "/form").header("Set-Cookie").split("; ")[1:]
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Strict"]


def test_a_form_is_bounded(app):
    cookie, _ = form_of(app)
    answer = ask(app, "/change", "POST", {**ORIGIN, **FORM, "Cookie": cookie}, b"a=" + b"b" * MAXIMUM_FORM)
    assert (answer.status, str(MAXIMUM_FORM) in answer.text) == (413, True)
