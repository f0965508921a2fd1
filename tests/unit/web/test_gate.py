"""The gate: who asks, by token, cookie or a proxy's header; what is not meant for this server; what nobody may."""

import ipaddress
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from socorro_processor.configuration import Configuration, DotDict, Namespace, Source
from socorro_processor.errors import ConfigurationError
from socorro_processor.monitoring.health import Health
from socorro_processor.web import options
from socorro_processor.web.access.gate import VIEWER_COOKIE
from socorro_processor.web.access.public_url import PublicURL
from socorro_processor.web.access.rules import AccessRules
from socorro_processor.web.access.sign_in import sign_in_routes
from socorro_processor.web.access.tokens import TokenFile
from socorro_processor.web.access.trusted_proxy import TrustedProxy
from socorro_processor.web.application import application
from socorro_processor.web.http.form_body import MAXIMUM_FORM
from socorro_processor.web.http.open_paths import PROBE_PATHS
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.routes import Route
from socorro_processor.web.pages.viewer import viewer_of
from socorro_processor.web.permissions import PERMISSIONS, in_order
from socorro_processor.web.probes import Probes
from tests.asgi import Answer, ask
from tests.unit.web.html_tree import read_html

HOST = "127.0.0.1:8000"
PROXY = "10.1.2.3"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Submit:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("taken")(scope, receive, send)


def who(request: Request) -> JSONResponse:
    viewer = viewer_of(request)
    return JSONResponse({"name": viewer.whole_name, "may": in_order(viewer.permissions), "url": str(request.base_url)})


async def change(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"changed by {viewer_of(request).name}")


def app_of(rules: AccessRules):
    health = Health()
    health.resolve("start")
    pages = Pages()
    routes = [
        Route("/who", who, needs="public"),
        Route("/symbols", change, needs="uploads", methods=["POST"]),
        Route("/change", change, needs="actions", methods=["POST"]),
        *sign_in_routes(pages, rules),
    ]
    return application(Submit(), Probes(health, lambda: {"directory": "/home/ada"}), rules, routes, pages)


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


@pytest.fixture
def word(tokens: TokenFile) -> str:
    return tokens.add("ada", {"public", "actions"}, None)


@pytest.fixture
def rules(tokens: TokenFile, word: str) -> AccessRules:
    return AccessRules(tokens, is_open=False)


@pytest.fixture
def app(rules):
    return app_of(rules)


def bearer(word: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {word}"}


def sign_in(app, word: str, address: str = "/who?a=1", headers: dict[str, str] | None = None) -> Answer:
    headers = {"Host": HOST, **(headers or {})}
    page = ask(app, f"/sign-in?{urlencode({'next': address})}", headers=headers)
    form = read_html(page.text).one("form", action="/sign-in")
    fields = {each.attributes["name"]: each.attributes.get("value", "") for each in form.all("input")}
    cookie = page.header("Set-Cookie").partition(";")[0]
    body = urlencode({**fields, "token": word}).encode()
    scheme = "https" if headers["Host"].startswith("crashes") else "http"
    return ask(
        app, "/sign-in", "POST", {"Origin": f"{scheme}://{headers['Host']}", "Cookie": cookie, **FORM, **headers}, body
    )


def cookies(answer: Answer) -> str:
    return "; ".join(value.partition(";")[0] for name, value in answer.headers if name.lower() == "set-cookie")


@pytest.mark.parametrize("header", ["Authorization", "Auth-Token"])
def test_a_token_in_a_header_says_who_asks(app, word, header):
    value = f"bearer {word}" if header == "Authorization" else word
    assert ask(app, "/who", headers={header: value}).text.startswith('{"name":"ada (token ')
    assert ask(app, "/change", "POST", {header: value}).text.startswith("changed by ada")


def test_a_token_that_is_not_valid_is_refused_even_if_everyone_may(app, rules, word):
    app = app_of(replace(rules, everyone=frozenset(PERMISSIONS)))
    assert ask(app, "/who").status == 200
    answer = ask(app, "/who", headers=bearer(word[:-1]))
    assert (answer.status, answer.header("WWW-Authenticate")) == (401, "Bearer")
    assert word[:-1] not in answer.text


def test_a_token_in_the_address_counts_for_uploads_only(app, tokens, word):
    key = tokens.add("build machine", {"uploads", "public"}, None)
    assert ask(app, f"/symbols?key={key}", "POST").text.startswith("changed by build machine")
    assert ask(app, f"/who?key={key}").status == 401
    assert ask(app, "/symbols?key=no-such-token", "POST").status == 401


def test_a_removed_token_is_refused_at_once_and_so_is_the_browser_that_was_signed_in_with_it(app, tokens, word):
    session = cookies(sign_in(app, word))
    assert ask(app, "/who", headers={"Cookie": session}).status == 200
    tokens.remove(word.split("_")[1])
    assert ask(app, "/who", headers=bearer(word)).status == 401
    assert ask(app, "/who", headers={"Cookie": session}).status == 401


def test_nobody_is_led_to_the_page_that_signs_in_and_back(app, word):
    answer = ask(app, "/who?a=1&b=%26", headers={"Accept": "text/html"})
    assert (answer.status, answer.header("Location")) == (303, "/sign-in?next=%2Fwho%3Fa%3D1%26b%3D%2526")
    answer = sign_in(app, word, "/who?a=1&b=%26")
    assert (answer.status, answer.header("Location")) == (303, "/who?a=1&b=%26")
    assert '"ada (token' in ask(app, "/who", headers={"Cookie": cookies(answer)}).text


def test_the_cookie_of_a_session_is_for_the_server_only(app, word):
    (cookie,) = (value for name, value in sign_in(app, word).headers if VIEWER_COOKIE in value)
    assert {"httponly", "path=/", "samesite=lax"} <= {part.strip().lower() for part in cookie.split(";")}
    assert word.rpartition("_")[2] not in cookie


def test_a_program_is_told_how_to_show_who_it_is(app):
    answer = ask(app, "/who")
    assert (answer.status, answer.header("WWW-Authenticate")) == (401, "Bearer")
    assert "permission public" in answer.text
    assert "Authorization: Bearer TOKEN" in answer.text


def test_who_lacks_a_permission_is_told_which(app, tokens):
    word = tokens.add("bob", {"public"}, None)
    answer = ask(app, "/change", "POST", bearer(word))
    assert (answer.status, "permission actions" in answer.text, "bob" in answer.text) == (403, True, True)


def test_who_lacks_a_permission_gets_a_page_with_a_way_on(app, tokens):
    answer = ask(app, "/who?a=1", headers={**bearer(tokens.add("<b>bob", {"uploads"}, None)), "Accept": "text/html"})
    page = read_html(answer.text)
    assert (answer.status, page.one("h1").text) == (403, "You may not see this")
    assert "<b>" not in answer.text
    links = [each.attributes["href"] for each in page.one("main").all("a")]
    assert links == ["/sign-in?next=%2Fwho%3Fa%3D1"]
    # The pages are not for bob, and so are not named.
    assert page.all("nav") == []


def test_a_form_of_a_session_that_has_ended_says_that_nothing_was_done(app, tokens, word):
    signed_in = sign_in(app, word)
    page = ask(app, "/sign-in", headers={"Cookie": cookies(signed_in)})
    token = read_html(page.text).all("input", name="csrf_token")[0].attributes["value"]
    tokens.remove(word.split("_")[1])
    headers = {"Origin": f"http://{HOST}", "Cookie": f"{cookies(signed_in)}; {cookies(page)}", "Accept": "text/html"}
    answer = ask(app, "/change", "POST", {**headers, **FORM}, urlencode({"csrf_token": token}).encode())
    assert (answer.status, read_html(answer.text).one("h1").text) == (401, "Nothing was done")


def test_a_form_that_is_too_large_is_refused_before_it_is_read_whole(app):
    page = ask(app, "/sign-in")
    token = read_html(page.text).one("input", name="csrf_token").attributes["value"]
    headers = {"Origin": f"http://{HOST}", "Cookie": cookies(page), "X-CSRF-Token": token}
    assert ask(app, "/sign-in", "POST", headers, b"token=" + b"x" * MAXIMUM_FORM).status == 413
    assert ask(app, "/sign-in", "POST", headers, b"token=x").status == 403


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_where_no_crashes_are_taken_a_browser_is_told_that_there_is_no_such_page(rules, method):
    app = application(None, Probes(Health(), dict), rules, [], Pages())
    assert ask(app, "/submit", method, {"Accept": "text/html"}).status == 404


def test_a_wrong_token_signs_nobody_in_and_the_form_may_be_sent_again(app, word):
    answer = sign_in(app, "socorro_00000000_" + "x" * 43)
    page = read_html(answer.text)
    assert answer.status == 403
    assert VIEWER_COOKIE not in cookies(answer)
    assert page.one("input", name="csrf_token").attributes["value"]
    assert page.one("input", name="next").attributes["value"] == "/who?a=1"


@pytest.mark.parametrize(
    "address", ["//example.com", "https://example.com", "/\\example.com", "/\t/example.com", "javascript:x", "", "/é"]
)
def test_signing_in_leads_nowhere_else(app, word, address):
    assert sign_in(app, word, address).header("Location") == "/"


def test_signing_out_ends_the_session_of_the_browser(app, word):
    signed_in = sign_in(app, word)
    page = ask(app, "/sign-in", headers={"Cookie": cookies(signed_in)})
    both = f"{cookies(signed_in)}; {cookies(page)}"
    token = read_html(page.text).all("input", name="csrf_token")[0].attributes["value"]
    body = urlencode({"csrf_token": token}).encode()
    answer = ask(app, "/sign-out", "POST", {"Origin": f"http://{HOST}", "Cookie": both, **FORM}, body)
    assert (answer.status, answer.header("Location")) == (303, "/sign-in")
    assert "Max-Age=0" in next(value for name, value in answer.headers if VIEWER_COOKIE in value)


def test_a_cookie_that_this_server_did_not_sign_or_that_has_ended_shows_nobody(app, rules, word, monkeypatch):
    cookie = rules.sign_in(word)
    assert cookie is not None
    token_id, end, signature = cookie.split(".")
    forged = [
        f"{token_id}.{int(end) + 1}.{signature}",
        f"{token_id}.{end}.{signature[:-1]}",
        f"{token_id}.{end}",
        f"{token_id}..",
        "...",
        f"00000000.{end}.{signature}",
        f"{token_id}.{end}.é",
    ]
    for each in forged:
        assert ask(app, "/who", headers={"Cookie": f"{VIEWER_COOKIE}={each}"}).status in (400, 401), each
    assert ask(app, "/who", headers={"Cookie": f"{VIEWER_COOKIE}={cookie}"}).status == 200
    later = time.time() + 8 * 86400
    monkeypatch.setattr(time, "time", lambda: later)
    assert ask(app, "/who", headers={"Cookie": f"{VIEWER_COOKIE}={cookie}"}).status == 401


def test_servers_with_one_key_know_each_others_sessions(tokens, word):
    config = web(session_key="a long word, at random", token_file=str(tokens.path))
    cookie = AccessRules.of(config).sign_in(word)
    assert cookie is not None
    assert AccessRules.of(config).viewer_of_cookie(cookie) is not None
    other = AccessRules.of(web(session_key="another word, at random", token_file=str(tokens.path)))
    assert other.viewer_of_cookie(cookie) is None


def web(**values: object) -> DotDict:
    definitions = Namespace()
    definitions.web = options.required_config
    section: DotDict = Configuration(
        definitions, [Source({f"web.{name}": value for name, value in values.items()})]
    ).values.web
    return section


def test_the_first_token_closes_an_open_server_and_removing_it_does_not_open_it_again(tmp_path):
    tokens = TokenFile(tmp_path / "tokens.json")
    app = app_of(AccessRules(tokens))
    assert ask(app, "/who").status == 200
    word = tokens.add("ada", {"public"}, None)
    assert ask(app, "/who").status == 401
    tokens.remove(word.split("_")[1])
    assert ask(app, "/who").status == 401


def test_a_damaged_file_of_tokens_lets_nobody_in(app, tokens, word, caplog):
    tokens.path.write_bytes(b"{")
    for headers in (bearer(word), {}, {"Cookie": f"{VIEWER_COOKIE}=1.2.3"}):
        answer = ask(app, "/change", "POST", {"Origin": f"http://{HOST}", **headers})
        assert answer.status in (403, 503)
    answer = ask(app, "/who", headers=bearer(word))
    assert (answer.status, "its log says why" in answer.text, str(tokens.path) in answer.text) == (503, True, False)
    (line,) = (record.getMessage() for record in caplog.records if "nobody is let in" in record.message)
    assert f"{tokens.path} is not a file of tokens" in line
    assert ask(app, "/submit", "POST").status == 200
    assert ask(app, "/healthz").status == 200
    assert ask(app, "/metrics").status == 401


@pytest.mark.parametrize("host", ["example.com", "crashes.example.com.org", "", "127.0.0.1@example.com", "x:99999"])
def test_another_name_is_not_answered(rules, word, host):
    app = app_of(replace(rules, public_url=PublicURL("https", "crashes.example.com"), hosts=frozenset({"crashes"})))
    answer = ask(app, "/who", headers={"Host": host, **bearer(word)})
    assert (answer.status, "no such name" in answer.text) == (421, True)


@pytest.mark.parametrize(
    "host", ["crashes.example.com", "Crashes.Example.com", "crashes:8000", "crashes", HOST, "[::1]"]
)
def test_the_names_of_the_server_are_answered(rules, word, host):
    app = app_of(replace(rules, public_url=PublicURL("https", "crashes.example.com"), hosts=frozenset({"crashes"})))
    assert ask(app, "/who", headers={"Host": host, **bearer(word)}).status == 200


def test_behind_https_links_cookies_and_origins_are_those_of_the_public_address(rules, word):
    app = app_of(replace(rules, public_url=PublicURL("https", "crashes.example.com")))
    headers = {"Host": "crashes.example.com", "X-Forwarded-For": "192.0.2.1"}
    assert '"url":"https://crashes.example.com/"' in ask(app, "/who", headers={**headers, **bearer(word)}).text
    answer = sign_in(app, word, headers=headers)
    assert answer.status == 303
    assert all("secure" in value.lower() for name, value in answer.headers if name.lower() == "set-cookie")


@pytest.mark.parametrize(
    ("text", "scheme", "hosts"),
    [
        ("https://Crashes.example.com/", "https", ["crashes.example.com", "crashes.example.com:443"]),
        ("https://crashes.example.com:443", "https", ["crashes.example.com"]),
        ("https://crashes.example.com:8443", "https", ["crashes.example.com:8443"]),
        ("http://[2001:db8::1]:80", "http", ["[2001:db8::1]", "[2001:db8::1]:80"]),
    ],
)
def test_a_public_address_has_its_usual_port_or_not(text, scheme, hosts):
    url = PublicURL.read(text)
    assert url is not None
    assert url.scheme == scheme
    assert all(url.is_at(host) for host in hosts)
    assert not url.is_at(f"{hosts[0].removesuffix(':8443')}:1")


def proxied(rules: AccessRules, **values) -> AccessRules:
    networks = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("::1"))
    proxy = TrustedProxy(networks, "X-Remote-User", frozenset({"public"}), "X-Remote-Groups")
    return replace(rules, proxy=proxy, **values)


def test_a_trusted_proxy_says_who_asks(rules):
    app = app_of(proxied(rules))
    answer = ask(app, "/who", headers={"X-Remote-User": "grace", "X-Forwarded-For": "192.0.2.1"}, client=PROXY)
    assert answer.text.startswith('{"name":"grace (the proxy)","may":["public"]')
    answer = ask(app, "/who", headers={"X-Remote-User": "grace", "X-Remote-Groups": "dumps, actions"}, client="::1")
    assert '"may":["public","dumps","actions"]' in answer.text


@pytest.mark.parametrize("client", ["192.0.2.1", "10.2.0.1", "127.0.0.1", "", "no address"])
def test_the_header_from_elsewhere_is_not_believed(rules, client):
    app = app_of(proxied(rules))
    assert ask(app, "/who", headers={"X-Remote-User": "grace"}, client=client).status == 401


def test_an_address_of_ipv4_in_ipv6_is_that_of_the_proxy(rules):
    app = app_of(proxied(rules))
    assert ask(app, "/who", headers={"X-Remote-User": "grace"}, client="::ffff:10.1.2.3").status == 200


def test_a_group_that_is_no_permission_gives_none(rules):
    app = app_of(proxied(rules))
    headers = {"X-Remote-User": "grace", "X-Remote-Groups": "dumps,everything"}
    assert '"may":["public"]' in ask(app, "/who", headers=headers, client=PROXY).text


def test_a_proxy_that_names_nobody_leaves_it_at_everyone(rules):
    app = app_of(proxied(rules, everyone=frozenset({"public"})))
    assert '"name":""' in ask(app, "/who", headers={"X-Remote-User": ""}, client=PROXY).text


def test_whom_a_proxy_names_stays_so_whoever_was_signed_in_before(rules, word):
    app = app_of(proxied(rules))
    session = cookies(sign_in(app, word))
    headers = {"X-Remote-User": "grace", "Cookie": session}
    assert '"name":"grace (the proxy)"' in ask(app, "/who", headers=headers, client=PROXY).text
    page = read_html(ask(app, "/sign-in", headers=headers, client=PROXY).text)
    assert page.all("form") == []
    assert "The proxy before this server says who you are" in page.one("main").text


def test_a_header_that_comes_twice_names_nobody(rules):
    app = app_of(proxied(rules))
    headers = {"X-Remote-User": "grace", "x-remote-user": "mallory"}
    assert ask(app, "/who", headers=headers, client=PROXY).status == 401


def test_whom_a_proxy_names_needs_a_form_of_a_page_to_change_something(rules):
    rules = proxied(rules)
    rules = replace(rules, proxy=replace(rules.proxy, permissions=frozenset(PERMISSIONS)))
    app = app_of(rules)
    assert ask(app, "/change", "POST", {"X-Remote-User": "grace"}, client=PROXY).status == 403


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"proxy_user_header": "X-Remote-User"}, "need each other"),
        ({"proxy_networks": "10.0.0.0/8"}, "need each other"),
        ({"public_url": "https://crashes.example.com"}, "others reach this server as crashes.example.com, and nothing"),
    ],
)
def test_what_makes_no_sense_is_said_at_the_start(tmp_path, values, words):
    with pytest.raises(ConfigurationError, match=words):
        AccessRules.of(web(token_file=str(tmp_path / "tokens.json"), **values))


@pytest.mark.parametrize(
    ("listens", "host", "is_answered"),
    [
        ("10.0.0.7", "10.0.0.7:8000", True),
        ("[2001:db8::7]", "[2001:db8::7]:8000", True),
        ("0.0.0.0", "0.0.0.0:8000", False),
        ("[::]", "[::]:8000", False),
    ],
)
def test_the_address_that_the_server_listens_on_is_a_name_of_it(tmp_path, listens, host, is_answered):
    config = web(host=listens, everyone="public", token_file=str(tmp_path / "tokens.json"))
    assert AccessRules.of(config).answers_to(host) == is_answered


def test_nothing_that_says_who_may_what_leaves_it_open_to_this_machine(tmp_path):
    config = {"token_file": str(tmp_path / "tokens.json")}
    assert AccessRules.of(web(**config)).is_open
    assert not AccessRules.of(web(**config, everyone="public")).is_open
    assert not AccessRules.of(web(**config, proxy_user_header="X-User", proxy_networks="10.0.0.0/8")).is_open
    TokenFile(tmp_path / "tokens.json").add("ada", {"public"}, None)
    assert not AccessRules.of(web(**config)).is_open


@pytest.mark.parametrize("path", PROBE_PATHS)
def test_a_probe_is_answered_without_a_name_and_tells_nobody_what_only_viewers_see(app, word, path):
    answer = ask(app, path, headers={"Host": "10.0.0.7:8000"})
    assert answer.status == (401 if path == "/metrics" else 200)
    assert "/home/ada" not in answer.text
    seen = ask(app, path, headers={"Host": "10.0.0.7:8000", **bearer(word)})
    assert seen.status == 200
    assert ("/home/ada" in seen.text) == (path in ("/readyz", "/__heartbeat__"))
