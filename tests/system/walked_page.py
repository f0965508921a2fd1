"""A page of the docs, followed as a reader does: files are written, commands typed into one shell, outputs compared.

A literal block is a file if it has a caption; commands if it is ``sh`` or begins with one; otherwise the output of the
commands before it. There ``...`` stands for any text, within a line or for lines; ids, times, durations,
process ids and directories may differ from those of the page.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import textwrap
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.system.daemon import EMPTY_QUEUE, Installation

DEADLINE = 600.0
"""Seconds for one command."""

CRASH_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_BLOCK = re.compile(
    r"^(?:\.\. code-block:: (?P<language>\w+)|(?!\.\. ).*::)\n"
    r"(?:    :caption: (?P<file>\S+)\n)?\n"
    r"(?P<text>(?:    .*\n|\n)+)",
    re.MULTILINE,
)
_OWN_PROGRAM = re.compile(r"\./|target/")
"""The reader's program, which will crash."""
DIED_OF_A_SIGNAL = range(129, 160)
"""The words of bash."""
_COMMAND = re.compile(r"(?:make|socorro) |\. ")
_VARYING = {
    "id": CRASH_ID,
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)",
    "duration": r"\d+\.\d{3}\b",
    "pid": r"(?<=pid )\d+",
    "host_and_pid": r"\b\w+:\d{4,}$",
    "directory": r"(?<= )/\S*/(?=socorro-data)|(?<= in )/\S*(?=:$)",
    "crashes": r"(?<=in flight that come back: )\d+",
    "anything": r" +\.\.\.(?= |$)",
    "gap": r" {2,}",
}
_EACH = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _VARYING.items()), re.MULTILINE)
_IN_ITS_PLACE = {
    "pid": r"\d+",
    "host_and_pid": r"\S+:\d+",
    "directory": r"/\S*",
    "crashes": r"\d+",
    "anything": ".*",
    "gap": " {2,}",
}
_ANY_LINES = "..."


@dataclass(frozen=True)
class Block:
    kind: str
    """``file``, ``commands`` or ``output``."""
    text: str
    name: str = ""
    """The name of the file."""

    def write(self, directory: Path) -> None:
        path = directory / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text)


def blocks(page: str) -> Iterator[Block]:
    """The literal blocks of a page, in order, without their indentation."""
    for found in _BLOCK.finditer(page):
        text = textwrap.dedent(found["text"]).strip("\n") + "\n"
        if found["file"]:
            yield Block("file", text, found["file"])
        elif found["language"] == "sh" or (not found["language"] and _COMMAND.match(text)):
            yield Block("commands", text)
        elif not found["language"] or found["language"] == "text":
            yield Block("output", text)


def pattern_of(shown: str) -> re.Pattern[str]:
    """Return a pattern of the shown output, in which anything that varies from run to run may differ."""
    lines = []
    for line in shown.splitlines():
        if line == _ANY_LINES:
            lines.append(r"(?:.*\n)*?")
            continue
        pattern, at = "", 0
        for varying in _EACH.finditer(line):
            pattern += re.escape(line[at : varying.start()])
            name = str(varying.lastgroup)
            pattern += _IN_ITS_PLACE.get(name, _VARYING[name])
            at = varying.end()
        lines.append(pattern + re.escape(line[at:]) + r"\n")
    return re.compile("^" + "".join(lines), re.MULTILINE)


class Shell:
    """A bash in a directory. ``CRASH_ID`` in a command is the crash id that was last printed in a line of its own."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self.crash_id = ""
        self._output = directory.parent / f"output-{time.monotonic_ns()}"
        self._commands = 0
        with self._output.open("wb") as output:
            self._bash = subprocess.Popen(
                ["bash", "--norc", "--noprofile"],
                cwd=directory,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )

    @property
    def current_directory(self) -> Path:
        return Path(f"/proc/{self._bash.pid}/cwd").readlink()

    def run(self, command: str, then: Callable[[], None] = lambda: None, exit_codes: Container[int] = (0,)) -> str:
        """Run a command to its end; return its output. ``then`` is called while it runs."""
        begin = self._output.stat().st_size
        self._commands += 1
        mark = f"\n-- {self._commands} ended with "
        assert self._bash.stdin
        self._bash.stdin.write(f"{command.replace('CRASH_ID', self.crash_id)}\necho '{mark}'$?\n")
        self._bash.stdin.flush()
        then()
        self.wait_until(lambda: re.search(f"{mark}\\d+\n", self._printed(begin)))
        printed, _, rest = self._printed(begin).partition(mark)
        assert int(rest.partition("\n")[0]) in exit_codes, f"{command}: exit code {rest}{printed}"
        if printed and not printed.endswith("\n"):
            printed += "\n"
        if ids := re.findall(f"^(?:submitted )?({CRASH_ID})$", printed, re.MULTILINE):
            self.crash_id = ids[-1]
        return printed

    def interrupt(self) -> None:
        """Send SIGINT to the running command, as Ctrl-C does."""
        (child,) = self._children()
        os.kill(child, signal.SIGINT)

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert self._bash.poll() is None, f"the shell ended: {self._printed(0)}"
            assert time.monotonic() < deadline, f"it did not happen: {self._printed(0)}"
            time.sleep(0.02)

    def close(self) -> None:
        """End the shell with all that it started."""
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()

    def _children(self) -> list[int]:
        pid = self._bash.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _printed(self, begin: int) -> str:
        with self._output.open("rb") as output:
            output.seek(begin)
            return output.read().decode(errors="replace")


class WalkedPage:
    """Follows pages. ``socorro processor`` in the foreground is ended with Ctrl-C once all crashes are processed."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.directory = shell.directory
        self._queue = Installation(self.directory)
        self._queue.environment = {"PATH": os.environ["PATH"]}
        self.printed = ""
        """The output of the last block of commands."""
        self.printed_by: dict[str, str] = {}
        """The output of each block of commands."""

    def walk(self, page: str) -> None:
        for block in blocks(page):
            if block.kind == "file":
                block.write(self.shell.current_directory)
            elif block.kind == "commands":
                self.printed = "".join(self._type(line) for line in block.text.splitlines())
                self.printed_by[block.text] = self.printed
            else:
                assert pattern_of(block.text).search(self.printed), (
                    f"shown is\n{block.text}\nprinted was\n{self.printed}"
                )

    def crashes(self, kind: str) -> set[str]:
        """Return the ids of the crashes in the store; ``kind`` is raw_crash or processed_crash."""
        crashes = self.directory / "socorro-data" / "crashes"
        return {path.name for path in crashes.rglob("*") if re.fullmatch(CRASH_ID, path.name) and kind in path.parts}

    def _type(self, line: str) -> str:
        command = line.partition(" #")[0].strip()
        if command == "socorro processor":
            return self.shell.run(line, self._wait_for_all_and_interrupt)
        if command == "socorro processor &":
            before = len(self.crashes("processed_crash"))
            return self.shell.run(
                line, lambda: self.shell.wait_until(lambda: len(self.crashes("processed_crash")) > before + 2)
            )
        if _OWN_PROGRAM.match(command):
            return self.shell.run(line, exit_codes=DIED_OF_A_SIGNAL)
        return self.shell.run(line)

    def _wait_for_all_and_interrupt(self) -> None:
        self.shell.wait_until(lambda: self.crashes("processed_crash") == self.crashes("raw_crash"))
        # A crash that was saved, but not acknowledged, comes back.
        self.shell.wait_until(lambda: self._queue.queue() == EMPTY_QUEUE)
        self.shell.interrupt()
