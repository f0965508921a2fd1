"""``socorro show`` at a terminal, and in a pipe."""

import json
from pathlib import Path

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from tests.system.daemon import Installation
from tests.terminal import Terminal

CRASH_ID = "0bba61c5-dfc3-43e7-dead-8afd20161123"
FRAMES = [
    {"frame": 0, "function": "decode", "file": "src/codec.c", "line": 42, "module": "libcodec.so", "trust": "context"},
    {"frame": 1, "module": "libz.so", "module_offset": "0x10", "missing_symbols": True, "trust": "scan"},
]
CRASH = {
    "uuid": CRASH_ID,
    "signature": "codec::decode",
    "success": True,
    "reason": "SIGSEGV",
    "processor_notes": ["a note"],
    "json_dump": {
        "crash_info": {"crashing_thread": 0},
        "threads": [{"frames": FRAMES}, {"frames": [{"function": "poll"}]}],
    },
}


@pytest.fixture
def stored(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(installation.crashes)))
    store.save_processed(json.loads(json.dumps(CRASH)))
    store.close()
    return installation


def at_a_terminal(installation: Installation, **environment: str) -> str:
    variables = installation.environment | environment
    terminal = Terminal("show", CRASH_ID, "--all-threads", environment=variables, directory=installation.directory)
    try:
        assert terminal.end() == 0
        return terminal.printed
    finally:
        terminal.close()


def test_at_a_terminal_the_reason_is_red_and_a_guessed_frame_yellow(stored):
    printed = at_a_terminal(stored)
    assert "\x1b[31mSIGSEGV\x1b[0m" in printed
    assert "\x1b[33mscan?" in printed
    assert "\x1b[1mcodec::decode\x1b[0m" in printed


def test_with_no_color_there_are_no_colours(stored):
    printed = at_a_terminal(stored, NO_COLOR="1")
    assert not any(f"\x1b[{colour}m" in printed for colour in range(30, 38))


def test_in_a_pipe_there_is_only_text(stored):
    done = stored.socorro("show", CRASH_ID, "--all-threads")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    for shown in (
        "decode",
        "src/codec.c:42",
        "no symbols",
        "  libz.so (without a debug id)",
        "Thread 1",
        "poll",
        "a note",
    ):
        assert shown in done.stdout
