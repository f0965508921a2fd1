"""A crash that hangs ends the process."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from socorro_processor.app.watchdog import EXIT_CODE, INTERVAL, Watchdog


@pytest.fixture
def watchdog(clock):
    return Watchdog(900.0, clock)


def test_a_crash_in_work_for_too_long_is_a_hang(watchdog, clock):
    with watchdog.watching("the crash"):
        clock.now += 900
        watchdog.alive()
        assert watchdog.look() is None
        clock.now += 1
        assert watchdog.look() == "the crash has been in work for 901 s"
    watchdog.alive()
    assert watchdog.look() is None


def test_many_crashes_one_after_the_other_are_not_a_hang(watchdog, clock):
    for _ in range(10):
        with watchdog.watching("a crash"):
            clock.now += 600
            watchdog.alive()
            assert watchdog.look() is None


def test_each_thread_is_looked_at(watchdog, clock):
    go_on = threading.Event()
    begun = threading.Event()

    def hang():
        with watchdog.watching("hanging"):
            begun.set()
            go_on.wait(20)

    thread = threading.Thread(target=hang)
    thread.start()
    begun.wait(20)
    clock.now += 500
    with watchdog.watching("quick"):
        clock.now += 500
        watchdog.alive()
        assert watchdog.look() == "hanging has been in work for 1000 s"
    go_on.set()
    thread.join()


def test_a_main_loop_without_a_sign_of_life_is_a_hang(watchdog, clock):
    clock.now += 901
    assert watchdog.look() == "the main loop has given no sign of life for 901 s"
    watchdog.alive()
    assert watchdog.look() is None


def test_a_watchdog_that_has_stopped_looking_is_a_hang(clock):
    dog = Watchdog(900.0, clock)
    dog.start()
    try:
        clock.now += 1000
        dog.alive()
        dog._stopped.wait(3 * INTERVAL)
        assert dog.look() is None
    finally:
        dog.stop()
    dog = Watchdog(900.0, clock)
    dog.start()
    dog._stopped.set()  # as if its thread had died
    dog._thread.join()
    clock.now += 100
    dog.alive()
    assert dog.look() == "the watchdog has given no sign of life for 100 s"
    dog.stop()


def hanging(*lines: str, **options: int) -> subprocess.CompletedProcess[str]:
    """Run a process with a crash in work that never ends."""
    program = "\n".join(
        (
            "import re, threading, time",
            "from socorro_processor.app import watchdog",
            "watchdog.INTERVAL = 0.05",
            *lines,
        )
    )
    where = options or {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run([sys.executable, "-c", program], text=True, timeout=60, **where)


@contextmanager
def nobody_reads(kind: str) -> Iterator[int]:
    """A pipe that takes no more data."""
    if kind == "pipe":
        unread, full = os.pipe()
    else:
        full, unread = (each.detach() for each in socket.socketpair())
    os.set_blocking(full, False)
    with suppress(BlockingIOError):
        while True:
            os.write(full, b"x" * 4096)
    os.set_blocking(full, True)
    yield full
    os.close(full)
    os.close(unread)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_hang_ends_the_process_though_nobody_reads_its_log(kind):
    with nobody_reads(kind) as full:
        done = hanging(
            "from socorro_processor.monitoring.log import set_up_logging",
            "from socorro_processor.monitoring.line_writer import keep_output_from_blocking",
            "from socorro_processor.configuration import DotDict",
            "keep_output_from_blocking()",
            "set_up_logging(DotDict({'level': 'INFO', 'format': 'plain'}))",
            "dog = watchdog.Watchdog(0.2)",
            "dog.start()",
            "time.sleep(60)",
            stderr=full,
        )
    assert done.returncode == EXIT_CODE


def test_before_a_hang_ends_the_process_it_does_what_is_still_to_be_done():
    done = hanging(
        "dog = watchdog.Watchdog(0.2)",
        "dog.before_end = lambda: print('done', flush=True)",
        "dog.start()",
        "time.sleep(60)",
    )
    assert (done.returncode, done.stdout) == (EXIT_CODE, "done\n")


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_hang_ends_the_process_though_a_handler_of_the_operators_hangs_too(kind):
    """Without the environment of a service, a line waits for the reader."""
    with nobody_reads(kind) as full:
        done = hanging("dog = watchdog.Watchdog(0.2)", "dog.start()", "time.sleep(60)", stderr=full)
    assert done.returncode == EXIT_CODE


@pytest.mark.parametrize(("kind", "code"), [("pipe", 1), ("socket", -signal.SIGALRM)])
def test_the_process_ends_even_if_nobody_reads_its_log_and_no_python_thread_can_run(kind, code):
    with nobody_reads(kind) as full:
        done = hanging(
            "watchdog.INTERPRETER_HANG_TIME = 0.5",
            "watchdog.KERNEL_TIME = 2.0",
            "dog = watchdog.Watchdog(0.5)",
            "dog.start()",
            "time.sleep(0.2)",
            "re.match('(a+)+b', 'a' * 60)",
            stderr=full,
        )
    assert done.returncode == code


def test_a_hang_ends_the_process_with_the_stacks_of_all_threads_in_the_log():
    done = hanging(
        "def stuck():",
        "    with dog.watching('the crash'):",
        "        threading.Event().wait()",
        "dog = watchdog.Watchdog(0.2)",
        "dog.start()",
        "threading.Thread(target=stuck).start()",
        "while True: time.sleep(0.05); dog.alive()",
    )
    assert done.returncode == EXIT_CODE
    assert "the crash has been in work for" in done.stderr
    assert "in stuck" in done.stderr


def test_the_process_ends_even_if_no_python_thread_can_run():
    done = hanging(
        "watchdog.INTERPRETER_HANG_TIME = 0.5",
        "dog = watchdog.Watchdog(0.5)",
        "dog.start()",
        "time.sleep(0.2)",
        "def matching(): re.match('(a+)+b', 'a' * 60)",
        "matching()",
    )
    assert done.returncode == 1
    assert "in matching" in done.stderr


def test_a_hang_ends_the_process_even_after_memory_ran_out():
    done = hanging(
        "from resource import RLIM_INFINITY, RLIMIT_AS, setrlimit",
        "dog = watchdog.Watchdog(1.0)",
        "dog.start()",
        "size = int(open('/proc/self/statm').read().split()[0]) * 4096",
        # Less than the stack of another thread needs.
        "setrlimit(RLIMIT_AS, (size + (1 << 20), RLIM_INFINITY))",
        "time.sleep(0.5)",
        "setrlimit(RLIMIT_AS, (RLIM_INFINITY, RLIM_INFINITY))",
        "time.sleep(30)",
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == EXIT_CODE
    assert "which is a hang" in done.stderr
