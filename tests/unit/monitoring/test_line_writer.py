"""Log lines that keep nobody waiting, on real pipes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from socorro_processor.monitoring.line_writer import LIMIT, LineStream, LineWriter

DEADLINE = 30.0
MORE_THAN_A_PIPE_HOLDS = 1 << 17


class Pipe:
    """A pipe whose reader reads when it is told to."""

    def __init__(self) -> None:
        reading, self.writing = os.pipe()
        self.reader = os.fdopen(reading, "rb")
        self._writers: list[LineWriter] = []

    def writer(self, limit: int = LIMIT) -> LineWriter:
        self._writers.append(LineWriter(self.writing, limit))
        return self._writers[-1]

    def filled(self, limit: int) -> LineWriter:
        """A writer whose pipe is full, and whose thread waits there."""
        lines = self.writer(limit)
        lines.put("x" * MORE_THAN_A_PIPE_HOLDS + "\n")
        assert not lines.drain(0.01)
        return lines

    def close(self) -> list[str]:
        """Return all lines that are left."""
        rest: list[bytes] = []
        reading = threading.Thread(target=lambda: rest.extend(self.reader))
        reading.start()
        for lines in self._writers:
            assert lines.drain(DEADLINE)
        os.close(self.writing)
        reading.join(DEADLINE)
        self.reader.close()
        return [line.decode().rstrip("\n") for line in rest]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    if not pipe.reader.closed:
        pipe.close()


def test_lines_keep_their_order_and_are_written_after_drain(pipe):
    lines = pipe.writer()
    for number in range(100):
        lines.put(f"line {number}\n")
    assert lines.drain(DEADLINE)
    assert pipe.close() == [f"line {number}" for number in range(100)]


def test_lines_without_room_are_dropped_counted_and_mentioned_in_their_place(pipe):
    lines = pipe.filled(limit=2 * MORE_THAN_A_PIPE_HOLDS)
    drops = []
    lines.on_drop = lambda: drops.append(1)
    lines.put("y" * 2 * MORE_THAN_A_PIPE_HOLDS + "\n")
    for number in range(10):
        lines.put(f"line {number}\n")
    assert len(drops) == 11
    assert len(pipe.reader.readline()) == MORE_THAN_A_PIPE_HOLDS + 1
    assert b"11 lines of output were dropped" in pipe.reader.readline()
    lines.put("on it goes\n")
    assert lines.drain(DEADLINE)
    assert pipe.close() == ["on it goes"]


def test_last_words_are_accepted_however_many_lines_wait(pipe):
    lines = pipe.filled(limit=100)
    lines.put("dropped\n")
    lines.put("last words\n", always=True)
    rest = pipe.close()
    assert "1 lines of output were dropped: its reader stopped" in rest
    assert "last words" in rest


def test_a_line_longer_than_the_limit_is_written_if_nothing_waits(pipe):
    lines = pipe.writer(limit=10)
    lines.put("x" * 1000 + "\n")
    assert lines.drain(DEADLINE)
    assert pipe.close() == ["x" * 1000]


def test_a_reader_that_has_gone_blocks_nobody():
    reading, writing = os.pipe()
    os.close(reading)
    lines = LineWriter(writing)
    drops = []
    lines.on_drop = lambda: drops.append(1)
    for number in range(10):
        lines.put(f"line {number}\n")
    assert lines.drain(DEADLINE)
    assert len(drops) == 10
    os.close(writing)


def test_closing_waits_for_a_stopped_reader_only_for_a_time_and_later_lines_do_not_wait(pipe):
    lines = pipe.filled(limit=100)
    lines.close(0.01)
    lines.put("late\n")
    assert "late" not in pipe.close()


def test_printed_text_is_written_in_whole_lines(pipe):
    lines = pipe.writer()
    stream = LineStream(lines)
    print("one", 2, file=stream)
    print("three", end="", file=stream)
    print("\nfour", end="", file=stream)
    stream.flush()
    assert lines.drain(DEADLINE)
    assert pipe.close() == ["one 2", "three", "four"]


def program(*lines: str) -> list[str]:
    preamble = (
        "import os, sys, threading",
        "from socorro_processor.monitoring.line_writer import *",
        "keep_output_from_blocking()",
    )
    return [sys.executable, "-c", "\n".join((*preamble, *lines))]


def test_an_exception_that_ends_a_program_is_written_and_so_is_printed_text():
    done = subprocess.run(program("print('x' * 300_000)", "raise KeyError('why')"), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("KeyError: 'why'\n")
    assert done.stdout == "x" * 300_000 + "\n"


def test_a_program_ends_with_its_exit_code_though_nobody_reads(pipe):
    lines = ("for stream in (sys.stdout, sys.stderr): print('x' * 300_000, file=stream)", "raise KeyError('why')")
    done = subprocess.run(program(*lines), stdout=pipe.writing, stderr=pipe.writing, timeout=DEADLINE)
    assert done.returncode == 1


def test_a_child_that_is_forked_has_its_own_thread_and_writes_nothing_twice():
    lines = (
        "print('parent')",
        "if pid := os.fork(): os.waitpid(pid, 0)",
        "else: print('child'); drain_output(10); os._exit(0)",
    )
    done = subprocess.run(program(*lines), capture_output=True, text=True, timeout=DEADLINE)
    assert sorted(done.stdout.split()) == ["child", "parent"]
