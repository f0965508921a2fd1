"""`make serve` in a clone: one command, and crashes are there to be seen."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.shared import REPOSITORY
from tests.system.daemon import DEADLINE, eventually
from tests.system.walked_page import WalkedPage, blocks, pattern_of

SIGNATURES = ["lightbox::exif::Directory::find", "Abort"]


class Make:
    """A running `make serve`, and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def samples(self) -> dict[str, str]:
        """Return the addresses of the sample crashes, with their signatures, once all are printed."""
        eventually(lambda: "All crashes: " in self.printed or self.process.poll() is not None, lambda: self.printed)
        return dict(re.findall(r"^  (http://127\.0\.0\.1:\d+/report/\S+)  (.+)$", self.printed, re.MULTILINE))

    def interrupt(self) -> int:
        """Press Ctrl-C, which reaches all programs of the terminal; return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(DEADLINE)


@contextmanager
def make_serve(clone: WalkedPage, *arguments: str) -> Iterator[Make]:
    output = clone.directory.parent / "make-output"
    command = ["make", "--no-print-directory", "--old-file=.venv/.installed", "--old-file=stackwalker", "serve"]
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=clone.directory,
            env={"PATH": os.environ["PATH"], "SOCORRO__COLLECTOR__RESERVE": "1M"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Make(process, output)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(DEADLINE)


def test_make_serve_shows_the_sample_crashes_and_ends_with_ctrl_c(clone: WalkedPage) -> None:
    with make_serve(clone, "PORT=0") as make:
        samples = make.samples()
        assert [signature.partition(" |")[0] for signature in samples.values()] == SIGNATURES, make.printed
        for address, signature in samples.items():
            with urllib.request.urlopen(address, timeout=DEADLINE) as answer:
                page = answer.read().decode()
            assert signature.partition(" |")[0] in page
            assert "lightbox/src/main.rs" in page, "it lacks the samples' symbols"
        assert make.interrupt() in (0, 130, -signal.SIGINT)
    assert "Traceback" not in make.printed
    assert len(clone.crashes("processed_crash")) == 2

    # The README says the same, on the usual port.
    shown = (REPOSITORY / "README.rst").read_text().partition("\nSee it\n")[2].partition("\nCtrl-C ends it")[0]
    commands, output = blocks(shown)
    assert (commands.kind, commands.text) == ("commands", "make serve\n")
    printed = re.sub(r"(?<=127\.0\.0\.1:)\d+", "8000", make.printed)
    assert pattern_of(output.text).search(printed), printed

    # A second time shows the same ones, unless it is another day by now.
    with make_serve(clone, "PORT=0") as make:
        again = make.samples()
        make.interrupt()
    assert {*again.values()} == {*samples.values()}
    days = {address[-6:] for address in [*samples, *again]}
    assert len(clone.crashes("processed_crash")) == 2 * len(days)


def test_make_serve_says_if_its_port_is_taken_and_posts_nothing_to_who_has_it(clone: WalkedPage) -> None:
    with make_serve(clone, "PORT=0") as make:
        (port,) = {address.split(":")[2].partition("/")[0] for address in make.samples()}
        with make_serve(clone, f"PORT={port}") as other:
            assert other.process.wait(DEADLINE) == 2  # make's word for a command that failed
        assert "Address already in use. Another program has this port" in other.printed
        assert f"make serve PORT={int(port) + 1}" in other.printed
        assert "The sample crashes:" not in other.printed
        make.interrupt()


def test_without_an_installation_it_says_what_installs(clone: WalkedPage) -> None:
    (clone.directory / ".venv").unlink()
    done = subprocess.run([clone.directory / "bin" / "serve-samples"], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 2
    assert "socorro is missing: make serve installs it" in done.stderr
