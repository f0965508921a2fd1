"""Deliveries in, work done, and an orderly end."""

import threading
import time
from contextlib import suppress

import pytest

from socorro_processor.app.outage_breaker import OutageBreaker
from socorro_processor.app.task_manager import TaskManager
from socorro_processor.app.threaded_task_manager import ThreadedTaskManager
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.health import Health

DEADLINE = 20.0


class Handler:
    """Acknowledges each delivery, when it may."""

    def __init__(self, queue):
        self.queue = queue
        self.handled = []
        self.threads = set()
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self.bugs = 0
        self.speechless = 0
        self.died_of = []

    def handle(self, delivery):
        self.begun.release()
        self.threads.add(threading.current_thread().name)
        assert self.go_on.wait(DEADLINE)
        if self.bugs:
            self.bugs -= 1
            raise SystemExit("a bug")
        with suppress(CrashQueueError):  # it may have been given back, and the queue closed
            self.queue.ack(delivery)
            self.handled.append(delivery.crash_id)

    def needs_a_store(self, delivery):
        return True

    def exchange_outcomes(self):
        pass

    def worker_died(self, delivery):
        if self.speechless:
            self.speechless -= 1
            raise MemoryError
        self.died_of.append(delivery.crash_id)
        self.queue.retry(delivery, "a bug", transient=False)


@pytest.fixture
def queue(tmp_path):
    config = defaults(SQLiteCrashQueue, path=str(tmp_path / "queue"), idle_delay=0.01, retry_delays="0.01")
    queue = SQLiteCrashQueue(config)
    yield queue
    queue.close()


@pytest.fixture
def handler(queue):
    return Handler(queue)


@pytest.fixture
def breaker():
    return OutageBreaker(Health())


@pytest.fixture
def start(queue, handler, breaker):
    """A task manager that runs in a thread, and is stopped at the end."""
    running = []

    def start(manager_class, tick=lambda: None, **options):
        manager = manager_class(defaults(manager_class, idle_delay=0.01, **options), queue, handler, breaker, tick)
        thread = threading.Thread(target=manager.run)
        thread.start()
        running.append((manager, thread))
        return manager, thread

    yield start
    handler.go_on.set()
    for manager, thread in running:
        manager.stop()
        thread.join(DEADLINE)
        assert not thread.is_alive()


def eventually(condition):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.005)


@pytest.mark.parametrize("manager_class", [TaskManager, ThreadedTaskManager])
def test_every_crash_is_handled_once(start, queue, handler, manager_class):
    crash_ids = [new_crash_id() for _ in range(20)]
    for crash_id in crash_ids:
        queue.submit(crash_id)
    start(manager_class)
    eventually(lambda: len(handler.handled) == 20)
    assert sorted(handler.handled) == sorted(crash_ids)


def test_as_many_crashes_at_once_as_there_are_threads(start, queue, handler):
    for _ in range(8):
        queue.submit(new_crash_id())
    handler.go_on.clear()
    start(ThreadedTaskManager, number_of_threads=3, maximum_queue_size=1)
    eventually(lambda: len(handler.threads) == 3)
    eventually(lambda: queue.depths().queues["normal"].in_flight == 4)
    assert queue.depths().queues["normal"].waiting == 4


@pytest.mark.parametrize("manager_class", [TaskManager, ThreadedTaskManager])
def test_on_stop_crashes_in_work_are_finished_and_the_others_given_back(start, queue, handler, manager_class):
    for _ in range(6):
        queue.submit(new_crash_id())
    handler.go_on.clear()
    manager, thread = start(manager_class)
    handler.begun.acquire(timeout=DEADLINE)
    manager.stop()
    handler.go_on.set()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    depth = queue.depths().queues["normal"]
    assert depth.in_flight == depth.delayed == 0
    assert depth.waiting + len(handler.handled) == 6
    assert handler.handled


def test_a_crash_that_does_not_end_within_the_shutdown_timeout_is_given_back(start, queue, handler):
    queue.submit(new_crash_id())
    handler.go_on.clear()
    manager, thread = start(ThreadedTaskManager, shutdown_timeout=0.05)
    handler.begun.acquire(timeout=DEADLINE)
    manager.stop()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert queue.depths().queues["normal"].waiting == 1


def test_a_thread_that_dies_of_a_bug_is_replaced_and_its_crash_tried_again(start, queue, handler):
    handler.bugs = 3
    for _ in range(4):
        queue.submit(new_crash_id())
    start(ThreadedTaskManager, number_of_threads=2)
    eventually(lambda: len(handler.handled) == 4)
    assert len(handler.died_of) == 3


def test_a_crash_whose_thread_died_silently_is_tried_again_too(start, queue, handler):
    handler.bugs = 1
    handler.speechless = 2
    for _ in range(3):
        queue.submit(new_crash_id())
    start(ThreadedTaskManager, number_of_threads=1, maximum_queue_size=0)
    eventually(lambda: len(handler.handled) == 3)
    assert len(handler.died_of) == 1


def test_a_bug_does_not_end_the_single_thread(start, queue, handler):
    handler.bugs = 2
    for _ in range(2):
        queue.submit(new_crash_id())
    start(TaskManager)
    eventually(lambda: len(handler.handled) == 2)
    assert len(handler.died_of) == 2


def test_after_an_outage_a_crash_that_waits_for_its_delay_is_tried_at_once(tmp_path, handler):
    config = defaults(SQLiteCrashQueue, path=str(tmp_path / "slow"), idle_delay=0.01, retry_delays="60")
    queue = SQLiteCrashQueue(config)
    queue.submit(new_crash_id())
    handler.queue = queue
    breaker = OutageBreaker(Health(), pauses=[0.05])

    def away(delivery):
        handler.handle = handled
        breaker.failed("a crash", "the store is away")
        queue.retry(delivery, "the store is away", transient=True)

    handled, handler.handle = handler.handle, away
    manager = ThreadedTaskManager(defaults(ThreadedTaskManager, idle_delay=0.01), queue, handler, breaker)
    thread = threading.Thread(target=manager.run)
    thread.start()
    eventually(lambda: len(handler.handled) == 1)
    manager.stop()
    thread.join(DEADLINE)
    queue.close()


def test_while_the_breaker_is_open_no_crash_is_taken(start, queue, handler, breaker):
    breaker.failed("a crash", "the store is away")
    queue.submit(new_crash_id())
    ticked = threading.Semaphore(0)
    start(ThreadedTaskManager, ticked.release)
    for _ in range(5):
        assert ticked.acquire(timeout=DEADLINE)
    assert queue.depths().queues["normal"].waiting == 1
    assert handler.handled == []
    breaker.succeeded()
    eventually(lambda: len(handler.handled) == 1)
