"""Documents of several threads are sent together, and each thread learns the outcome of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from socorro_processor.crashstorage.elasticsearch.bulk import GroupCommit, Operation
from socorro_processor.errors import PermanentStorageError, TransientStorageError

LONG = 3600.0
pytestmark = pytest.mark.timeout(30)  # whoever waits for all of it hangs


def operation(name="x"):
    return Operation("index.write", "other", name, b"{}")


class Server:
    """Takes requests one by one, each once the test lets it through."""

    def __init__(self):
        self.requests = []
        self.come = threading.Semaphore(0)
        self.let = threading.Semaphore(0)

    def send(self, operations):
        self.requests.append([each.crash_id for each in operations])
        self.come.release()
        self.let.acquire()
        for each in operations:
            if each.crash_id == "bad":
                each.error = PermanentStorageError("bad")


@pytest.fixture
def server():
    return Server()


@contextmanager
def known_threads(number, commit, server):
    """As many threads, each of which has saved once."""
    with ThreadPoolExecutor(number) as pool:
        puts = []
        for _ in range(number):
            puts.append(pool.submit(commit.put, operation()))
            server.come.acquire(timeout=LONG)
        server.let.release(number)
        for put in puts:
            put.result()
        server.requests.clear()
        yield pool


def test_a_single_thread_sends_at_once(server):
    server.let.release()
    GroupCommit(server.send, 100, LONG).put(operation("a"))
    assert server.requests == [["a"]]


def test_a_document_that_comes_while_all_others_wait_is_sent_at_once(server):
    """Each new thread finds all known threads waiting, and so does not wait for them."""
    commit = GroupCommit(server.send, 100, LONG)
    with ThreadPoolExecutor(3) as pool:
        puts = []
        for name in "abc":
            puts.append(pool.submit(commit.put, operation(name)))
            server.come.acquire(timeout=LONG)
        server.let.release(3)
        for put in puts:
            put.result()
    assert server.requests == [["a"], ["b"], ["c"]]


def test_the_last_of_all_known_threads_sends_the_request(server):
    commit = GroupCommit(server.send, 100, LONG)
    with known_threads(4, commit, server) as pool:
        server.let.release()
        list(pool.map(commit.put, map(operation, "abcd")))
    assert [sorted(request) for request in server.requests] == [["a", "b", "c", "d"]]


def test_no_request_is_larger_than_the_maximum(server):
    commit = GroupCommit(server.send, 2, LONG)
    with known_threads(4, commit, server) as pool:
        server.let.release(2)
        list(pool.map(commit.put, map(operation, "abcd")))
    assert [len(request) for request in server.requests] == [2, 2]


def test_after_the_interval_all_waiting_documents_are_sent(server):
    commit = GroupCommit(server.send, 100, 0.01)
    with known_threads(4, commit, server):
        server.let.release()
        commit.put(operation("a"))
    assert server.requests == [["a"]]


def test_a_thread_that_has_ended_is_not_waited_for(server):
    commit = GroupCommit(server.send, 100, LONG)
    with known_threads(4, commit, server):
        pass
    server.let.release()
    commit.put(operation("a"))
    assert server.requests == [["a"]]


def test_only_the_thread_whose_document_failed_learns_of_it(server):
    commit = GroupCommit(server.send, 100, LONG)
    with known_threads(2, commit, server) as pool:
        server.let.release()
        good, bad = (pool.submit(commit.put, operation(name)) for name in ("good", "bad"))
        assert good.result() is None
        with pytest.raises(PermanentStorageError, match="bad"):
            bad.result()
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError])
def test_if_the_sending_thread_fails_the_others_know_that_nothing_is_saved(server, kind):
    fails = threading.Event()

    def send(operations):
        if fails.is_set():
            raise kind
        server.send(operations)

    commit = GroupCommit(send, 100, LONG)
    with known_threads(3, commit, server) as pool:
        fails.set()
        errors = [put.exception() for put in [pool.submit(commit.put, operation()) for _ in range(3)]]
    assert sorted(type(error).__name__ for error in errors) == sorted(
        [kind.__name__, *[TransientStorageError.__name__] * 2]
    )


def test_many_threads_and_documents_are_each_sent_once():
    sent = []

    def send(operations):
        sent.extend(each.crash_id for each in operations)

    commit = GroupCommit(send, 3, 0.001)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(commit.put, [operation(str(number)) for number in range(2000)]))
    assert sorted(sent, key=int) == [str(number) for number in range(2000)]
