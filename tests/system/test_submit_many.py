"""``socorro submit`` with many files: a terminal shows a bar, which is not in a file of the crash ids."""

import os
import pty
import subprocess
import threading
from pathlib import Path

import pytest

from socorro_processor.stackwalk.smallest_minidump import sound_minidump
from tests.system.daemon import DEADLINE, SOCORRO, Installation
from tests.terminal import Terminal

DUMPS = 12


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    (tmp_path / "dumps").mkdir()
    for number in range(DUMPS):
        (tmp_path / "dumps" / f"{number}.dmp").write_bytes(sound_minidump())
    return Installation(tmp_path)


def test_at_a_terminal_a_bar_says_how_far_it_is(installation):
    terminal = Terminal(
        "submit", "dumps", environment=installation.environment, directory=installation.directory, width=100
    )
    try:
        assert terminal.end() == 0
        assert f"{DUMPS}/{DUMPS}" in terminal.printed
        assert "submitted" in terminal.printed
    finally:
        terminal.close()
    assert installation.queue()["waiting"] == DUMPS


def test_if_standard_output_is_a_pipe_it_has_only_the_crash_ids(installation):
    ours, its_end = pty.openpty()
    seen: list[bytes] = []
    process = subprocess.Popen(
        [*SOCORRO, "submit", "dumps"],
        cwd=installation.directory,
        env={"TERM": "xterm-256color"} | installation.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=its_end,
        text=True,
    )
    os.close(its_end)
    reader = threading.Thread(target=read_to_the_end, args=(ours, seen))
    reader.start()
    printed, _ = process.communicate(timeout=DEADLINE)
    reader.join(DEADLINE)
    os.close(ours)
    assert process.returncode == 0
    assert f"{DUMPS}/{DUMPS}" in b"".join(seen).decode()
    crash_ids = printed.splitlines()
    assert len(set(crash_ids)) == DUMPS
    assert all((installation.crashes / "v1" / "dump" / crash_id).exists() for crash_id in crash_ids)


def read_to_the_end(terminal: int, seen: list[bytes]) -> None:
    try:
        while data := os.read(terminal, 65536):
            seen.append(data)
    except OSError:  # so that the reader sees the end
        return


def test_in_pipes_there_is_no_bar(installation):
    done = installation.socorro("submit", "dumps", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == DUMPS
