"""Threads that need much memory take turns, but no thread waits without end."""

import threading
import time

from socorro_processor.machine.one_at_a_time import OneAtATime

A_MOMENT = 0.1


def test_a_thread_enters_when_the_one_before_has_left():
    gate = OneAtATime(60.0)
    order: list[str] = []
    entering = threading.Event()

    def second() -> None:
        entering.set()
        with gate.entered():
            order.append("second")

    thread = threading.Thread(target=second)
    with gate.entered():
        thread.start()
        entering.wait()
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_thread_that_has_waited_too_long_enters_anyway_and_lets_nobody_in_by_leaving():
    gate = OneAtATime(A_MOMENT)
    with gate.entered():
        with gate.entered():
            pass
        begun = time.monotonic()
        with gate.entered():
            assert time.monotonic() - begun >= A_MOMENT
