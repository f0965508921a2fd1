"""Debian's chromium, without a window, in a directory of its own, which is gone with it."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.browser.devtools import BrowserError, DevTools
from tests.browser.tab import Tab
from tests.shared import require

ENDS_WITHIN = 20.0
"""Seconds, after which it is killed."""
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    # All that it would send or fetch on its own.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--disable-gpu",
    "--disable-features=OptimizationHints,MediaRouter,Translate,DialMediaRouteProvider",
    "--proxy-server=direct://",
    # A name leads nowhere: a page that asked another host shows it, and still reaches nobody.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    # Containers have a small /dev/shm.
    "--disable-dev-shm-usage",
    # The same pictures on every machine.
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--lang=en-US",
)
_PARENT = "/tmp"
"""The path of a socket in the browser's directory must not be long, as it would be in a directory of pytest's."""
_HIGH = 10
"""Descriptors from here on are in nobody's way."""
# The browser reads commands from descriptor 3, and writes to 4.
_WITH_PIPE = 'exec 3<&"$1" 4>&"$2" && shift 2 && exec "$0" "$@"'


class Browser:
    """A running browser."""

    def __init__(self, tools: DevTools, directory: Path) -> None:
        self.directory = directory
        """All its files are there."""
        self._tools = tools

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """Open a tab that shares nothing with others, and close it afterwards."""
        context = self._tools.call("Target.createBrowserContext")["browserContextId"]
        try:
            target = self._tools.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
            session = self._tools.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            yield Tab(self._tools, session)
        finally:
            self._tools.call("Target.disposeBrowserContext", browserContextId=context)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser; its processes and files are gone at the end. Skips the test if there is none here."""
    program = shutil.which("chromium")
    require(program is not None, "no chromium: bin/services install, as root")
    assert program
    with tempfile.TemporaryDirectory(prefix="socorro-chromium-", dir=_PARENT) as directory:
        commands, to_browser = (_high(each) for each in os.pipe())
        from_browser, answers = (_high(each) for each in os.pipe())
        with (Path(directory) / "log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", _WITH_PIPE, program, str(commands), str(answers), *_flags(directory)],
                cwd=directory,
                env={"PATH": os.environ["PATH"], "HOME": directory, "TMPDIR": directory, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(commands, answers),
                start_new_session=True,
            )
        os.close(commands)
        os.close(answers)
        try:
            tools = DevTools(from_browser, to_browser)
            yield Browser(tools, Path(directory))
            with suppress(BrowserError, OSError):
                tools.call("Browser.close")
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDS_WITHIN)
        except BrowserError as error:
            end = (Path(directory) / "log").read_text(errors="replace")[-2000:]
            raise BrowserError(f"{error}; its log ends with:\n{end}") from error
        finally:
            _end(process)
            os.close(to_browser)
            os.close(from_browser)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the browser, and wait until none of its helpers writes any more."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + ENDS_WITHIN
    with suppress(ProcessLookupError):
        # A dead one stays until the machine's first process has seen it.
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.01)


def _flags(directory: str) -> list[str]:
    # Its sandbox does not work for root, nor in most containers.
    sandbox = ["--no-sandbox"] if os.getuid() == 0 or os.environ.get("CI") == "true" else []
    return [*_FLAGS, *sandbox, f"--user-data-dir={directory}/profile", "about:blank"]


def _high(descriptor: int) -> int:
    """Move a descriptor to a high number, so that 3 and 4 are free in the child."""
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    os.close(descriptor)
    return high
