"""``socorro queue`` as a process: at a terminal, and in a pipe."""

import json
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from tests.system.daemon import EMPTY_QUEUE, Installation, eventually
from tests.terminal import Terminal


@pytest.fixture
def at_a_terminal(installation: Installation) -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []

    def run(*arguments: str, **environment: str) -> Terminal:
        terminals.append(
            Terminal(*arguments, environment=installation.environment | environment, directory=installation.directory)
        )
        return terminals[-1]

    yield run
    for terminal in terminals:
        terminal.close()


def queue_two(installation: Installation) -> None:
    path = installation.environment["SOCORRO__NEW_CRASH_SOURCE__PATH"]
    with closing(SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=path))) as queue:
        queue.submit(new_crash_id())
        queue.submit(new_crash_id())


def test_a_watch_at_a_terminal_redraws_its_table_in_place(installation, at_a_terminal):
    watch = at_a_terminal("queue", "status", "--watch=0.05")
    watch.wait_for("since the start", times=2)
    queue_two(installation)
    watch.wait_for("+2")
    watch.interrupt()
    assert watch.end() == 0
    # Up by a line, repeatedly: the table is drawn over itself.
    assert watch.printed.count("\x1b[1A") > 4
    assert "Traceback" not in watch.printed


def test_a_watch_in_a_pipe_prints_table_after_table_without_control_sequences(installation):
    watch = installation.begin("queue", "status", "--watch=0.05")
    lines = [watch.stdout.readline() for _ in range(14)]
    watch.send_signal(signal.SIGINT)
    rest, errors = watch.communicate(timeout=60)
    assert (watch.returncode, errors) == (0, "")
    assert "\x1b" not in "".join(lines) + rest
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00\n", lines[0])
    assert lines[1].split()[:3] == ["queue", "waiting", "delayed"]
    assert lines[6] == lines[13] == "\n"
    assert lines[1:6] == lines[8:13]


def test_a_watch_for_programs_is_an_object_a_line(installation):
    watch = installation.begin("queue", "status", "--watch=0.05", "--json")
    first, second = (json.loads(watch.stdout.readline()) for _ in range(2))
    watch.send_signal(signal.SIGINT)
    watch.communicate(timeout=60)
    assert watch.returncode == 0
    assert first["parked"] == second["parked"] == 0
    assert first["time"] <= second["time"]


@pytest.mark.parametrize(("answer", "code", "left"), [("normal\n", 0, 0), ("y\n", 1, 2), ("\x04", 1, 2)])
def test_at_a_terminal_a_purge_asks_for_the_name_of_the_queue(installation, at_a_terminal, answer, code, left):
    queue_two(installation)
    purge = at_a_terminal("queue", "purge", "normal")
    purge.wait_for("type the name of the queue, normal: ")
    assert "2 crash ids in normal. This would be lost: " in purge.printed
    purge.type(answer)
    assert purge.end() == code
    assert ("nothing was purged" in purge.printed) == (code == 1)
    assert installation.queue()["waiting"] == left


def test_in_a_pipe_a_purge_needs_the_option_yes(installation):
    queue_two(installation)
    refused = installation.socorro("queue", "purge", "normal")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert installation.queue()["waiting"] == 2
    done = installation.socorro("queue", "purge", "normal", "--yes")
    assert done.returncode == 0
    assert done.stdout.startswith("2 crash ids were purged from normal\n")
    assert "2 crash ids were purged from normal" in done.stderr
    assert installation.queue()["waiting"] == 0


@pytest.mark.parametrize("stored", ["x'fffe00'", "CAST(x'fffe00' AS TEXT)", "7", "zeroblob(3000000)"])
def test_a_row_that_is_not_text_is_rejected_by_the_daemon_and_listed(installation, stored):
    assert installation.socorro("setup").returncode == 0
    with closing(sqlite3.connect(installation.environment["SOCORRO__NEW_CRASH_SOURCE__PATH"])) as connection:
        connection.execute(f"INSERT INTO crash (body, queue) VALUES ({stored}, 'normal')")
        connection.commit()
    daemon = installation.start()
    eventually(lambda: installation.queue() == EMPTY_QUEUE | {"rejected": 1}, lambda: daemon.log)
    listed = installation.socorro("queue", "rejected")
    assert (listed.returncode, listed.stderr) == (0, "")
    crash = json.loads(installation.socorro("queue", "rejected", "--json").stdout)
    assert crash["crash_id"].startswith({"7": "7", "zeroblob(3000000)": "\0\0"}.get(stored, "\\xff\\xfe\0"))
    assert daemon.stop() == 0
