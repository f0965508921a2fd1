"""What needs much memory is done by one thread after the other, but nobody is held up without end."""

import threading

from socorro_processor.machine.one_at_a_time import OneAtATime


def test_one_enters_when_the_one_before_has_left():
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


def test_who_has_waited_for_long_enters_all_the_same_and_lets_nobody_in_by_leaving():
    gate = OneAtATime(0.0)
    with gate.entered():
        with gate.entered():
            pass
        assert gate._lock.locked()
    assert not gate._lock.locked()
