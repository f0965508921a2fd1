"""Deadlines for whole requests: a waiting connection is cut when the time is over, and not before."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from socorro_processor.machine.request_deadline import Deadlines

PLENTY = 60.0
SHORT = 2.0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end, which gives up on its own after a long time, and the server's."""
    client, server = socket.socketpair()
    client.settimeout(PLENTY)
    with client, server:
        yield client, server


def test_a_request_whose_step_exceeds_its_time_is_cut_with_the_reason(ends):
    with Deadlines().within(PLENTY) as deadline:
        deadline.guard(ends[0])
        deadline.step(0.1, "did not answer")
        assert ends[0].recv(1) == b""
        assert deadline.reason == "did not answer"
        with pytest.raises(TimeoutError, match="did not answer"):
            deadline.guard(ends[1])


def test_a_step_has_no_more_time_than_is_left_for_the_request(ends):
    with Deadlines().within(0.2) as deadline:
        deadline.guard(ends[0])
        deadline.step(PLENTY, "did not answer")
        assert ends[0].recv(1) == b""
        assert deadline.reason == "was not done after 0.2 s"


def test_a_later_step_has_its_own_time(ends):
    with Deadlines().within(PLENTY) as deadline:
        deadline.guard(ends[0])
        deadline.step(SHORT, "did not connect")
        deadline.step(PLENTY, "did not answer")
        threading.Timer(2 * SHORT, ends[1].send, [b"x"]).start()
        assert ends[0].recv(1) == b"x"
        assert deadline.reason == ""


def test_each_of_many_requests_of_one_thread_is_cut_at_its_own_time():
    deadlines = Deadlines()
    with deadlines.within(PLENTY) as first, deadlines.within(PLENTY) as last, deadlines.within(0.1) as between:
        while not between.reason:
            time.sleep(0.01)
        last.step(0.1, "too late")
        while not last.reason:
            time.sleep(0.01)
        assert (first.reason, between.reason, last.reason) == ("", "was not done after 0.1 s", "too late")
        assert [thread.name for thread in threading.enumerate()].count("deadlines") == 1


def test_nothing_is_cut_once_the_request_is_done(ends):
    deadlines = Deadlines()
    with deadlines.within(SHORT) as deadline:
        deadline.guard(ends[0])
    threading.Timer(2 * SHORT, ends[1].send, [b"x"]).start()
    assert ends[0].recv(1) == b"x"
    assert deadline.reason == ""


def test_closing_a_client_cuts_all_its_requests_and_later_ones(ends):
    deadlines = Deadlines()
    with deadlines.within(PLENTY) as deadline:
        deadline.guard(ends[0])
        deadlines.close("the processor stops")
        assert ends[0].recv(1) == b""
    with deadlines.within(PLENTY) as late:
        assert (deadline.reason, late.reason) == ("the processor stops", "the processor stops")


def test_a_child_that_is_forked_has_a_thread_of_its_own():
    with Deadlines().within(PLENTY):
        child = os.fork()
        if child == 0:
            with Deadlines().within(0.1) as deadline:
                end = time.monotonic() + PLENTY
                while not deadline.reason and time.monotonic() < end:
                    time.sleep(0.01)
                os._exit(0 if deadline.reason else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
