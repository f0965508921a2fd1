"""``socorro serve`` behind nginx, with the configuration that docs/access.rst shows, over TLS."""

import base64
import getpass
import http.client
import re
import shutil
import socket
import ssl
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.certificates import Authority
from tests.multipart import CONTENT_TYPE, body_of
from tests.ports import free_port
from tests.shared import REPOSITORY, require
from tests.system.daemon import DEADLINE
from tests.system.serving import Serving, eventually

NAME = "crashes.example.com"
DOCS = REPOSITORY / "docs" / "access.rst"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/bin")
PASSWORD = "a password"


class Nginx:
    """nginx with the server of the docs; ``lines`` stand among those of its location."""

    def __init__(self, directory: Path, backend: int, lines: str = "") -> None:
        require(NGINX is not None, "no nginx: `bin/services install` brings it")
        assert NGINX
        self._authority = Authority(directory)
        certificate, key = self._authority.sign(NAME)
        self.port = free_port()
        (directory / "users").write_text("grace:{PLAIN}" + PASSWORD + "\n")
        configuration = directory / "nginx.conf"
        configuration.write_text(
            # Its workers would be nobody, and cannot read what tests keep in their directories.
            f"user {getpass.getuser()};\n"
            f"daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;\n"
            "events {}\nhttp {\naccess_log off;\n"
            + "".join(
                f"{kind}_temp_path {directory}/{kind};\n"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            + _server_of_the_docs(
                self.port, backend, lines, f"ssl_certificate {certificate}; ssl_certificate_key {key};"
            )
            + "}\n"
        )
        self._process = subprocess.Popen(
            [NGINX, "-c", configuration, "-p", directory, "-e", directory / "error.log"], stdin=subprocess.DEVNULL
        )
        eventually(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() or True)

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"", name: str = NAME
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """Send a request as a client that resolves the name to this machine; return status, headers and text."""
        context = ssl.create_default_context(cafile=str(self._authority.certificate))
        plain = socket.create_connection(("127.0.0.1", self.port), DEADLINE)
        with closing(http.client.HTTPSConnection(NAME, timeout=DEADLINE)) as connection:
            connection.sock = context.wrap_socket(plain, server_hostname=NAME)
            connection.request(method, path, body, {"Host": name, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE)


def _server_of_the_docs(port: int, backend: int, lines: str, certificate: str) -> str:
    block = re.search(r"\.\. code-block:: nginx\n\n((?:    .*\n|\n)+)", DOCS.read_text())
    assert block, "the docs show no nginx"
    text = textwrap.dedent(block[1])
    for ours, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl; {certificate}"),
        ("http://127.0.0.1:8000;", f"http://127.0.0.1:{backend}; {lines}"),
    ):
        assert ours in text
        text = text.replace(ours, here)
    return text


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    (tmp_path / "site").mkdir()
    with closing(Serving(tmp_path / "site")) as serving:
        yield serving


@pytest.fixture
def token(serving: Serving) -> str:
    made = serving.socorro("token", "add", "ada", "--may=all")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def directory_of(tmp_path: Path) -> Path:
    (tmp_path / "nginx").mkdir()
    return tmp_path / "nginx"


def test_without_permissions_the_proxy_opens_nothing_and_crashes_come_in(serving, tmp_path):
    serving.start("--web.processor=no")
    with closing(Nginx(directory_of(tmp_path), serving.port)) as nginx:
        status, _, text = nginx.request("GET", "/")
        assert (status, "socorro token add" in text) == (403, True)
        status, _, text = nginx.request("POST", "/submit", {"Content-Type": CONTENT_TYPE}, body_of({}, b"MDMP"))
        assert (status, text.startswith("CrashID=bp-")) == (200, True)


def test_whoever_has_a_token_works_through_the_proxy(serving, token, tmp_path):
    serving.start("--web.processor=no", f"--web.public_url=https://{NAME}")
    with closing(Nginx(directory_of(tmp_path), serving.port)) as nginx:
        assert nginx.request("GET", "/")[0] == 401
        assert nginx.request("GET", "/search.json", {"Authorization": f"Bearer {token}"})[0] in (200, 503)
        assert nginx.request("GET", "/", {"Authorization": f"Bearer {token}"}, name="example.com")[0] == 421
        large = body_of({"ProductName": "Lightbox"}, b"MDMP" + bytes(30 << 20))
        status, _, text = nginx.request("POST", "/submit", {"Content-Type": CONTENT_TYPE}, large)
        assert status == 200, text

        status, headers, page = nginx.request("GET", "/sign-in?next=/queues", {"Accept": "text/html"})
        assert status == 200
        (session,) = headers.get_all("Set-Cookie")
        assert "; Secure" in session
        csrf = re.search(r'name="csrf_token" value="(\w+)"', page)
        assert csrf
        form = urlencode({"csrf_token": csrf[1], "next": "/queues", "token": token}).encode()
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": session.partition(";")[0]}
        assert nginx.request("POST", "/sign-in", {**sent, "Origin": "http://127.0.0.1:8000"}, form)[0] == 403
        status, headers, _ = nginx.request("POST", "/sign-in", {**sent, "Origin": f"https://{NAME}"}, form)
        assert (status, headers["Location"]) == (303, "/queues")
        (viewer,) = headers.get_all("Set-Cookie")
        assert "secure" in viewer.lower()
        status, _, page = nginx.request("GET", "/queues", {"Cookie": viewer.partition(";")[0]})
        assert (status, ">ada</a>" in page) == (200, True)


def test_a_proxy_that_knows_its_users_says_who_asks(serving, tmp_path):
    serving.start(
        "--web.processor=no",
        f"--web.public_url=https://{NAME}",
        "--web.proxy_user_header=X-Remote-User",
        "--web.proxy_networks=127.0.0.1",
    )
    directory = directory_of(tmp_path)
    lines = f'auth_basic x; auth_basic_user_file "{directory}/users"; proxy_set_header X-Remote-User $remote_user;'
    with closing(Nginx(directory, serving.port, lines)) as nginx:
        forged = {"X-Remote-User": "mallory"}
        assert nginx.request("GET", "/queues", forged)[0] == 401
        words = base64.b64encode(f"grace:{PASSWORD}".encode()).decode()
        status, _, page = nginx.request("GET", "/queues", {"Authorization": f"Basic {words}", **forged})
        assert (status, "grace" in page, "mallory" in page) == (200, True, False)
    assert serving.get("/queues")[0] == 401
