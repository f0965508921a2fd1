"""Several worker threads, which receive deliveries from the thread that reads the queue."""

from __future__ import annotations

import logging
import queue
import threading
import time

from socorro_processor.app.task_manager import TaskManager
from socorro_processor.configuration import Namespace, WholeNumber
from socorro_processor.crashqueue.base import Delivery
from socorro_processor.monitoring.log import stack_of

logger = logging.getLogger(__name__)


class ThreadedTaskManager(TaskManager):
    """Hands deliveries to ``number_of_threads`` threads; a thread that dies of a bug is replaced."""

    required_config = Namespace()
    required_config.add_option(
        "number_of_threads",
        default=4,
        doc="how many crashes are processed at once; twice the number of cores keeps these busy",
        from_string_converter=WholeNumber(1, 1000),
    )
    required_config.add_option(
        "maximum_queue_size",
        default=2,
        doc="how many crashes are taken from the queue before a thread is free for them",
        from_string_converter=WholeNumber(0),
    )

    def _start(self) -> None:
        self._workers = [self._new_worker(number) for number in range(max(1, self.config.number_of_threads))]
        self._deliveries_for_workers: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(len(self._workers) + max(0, self.config.maximum_queue_size))
        for worker in self._workers:
            worker.start()

    def _new_worker(self, number: int) -> _Worker:
        return _Worker(number, self)

    def _has_room(self) -> bool:
        self._replace_dead_workers()
        if not self._room.acquire(timeout=self.config.idle_delay):
            return False
        self._room.release()
        return True

    def _pass_on(self, delivery: Delivery) -> None:
        self._room.acquire()
        self._deliveries_for_workers.put(delivery)

    def _replace_dead_workers(self) -> None:
        for index, worker in enumerate(self._workers):
            if worker.is_alive():
                continue
            logger.error("%s died of a bug and is replaced", worker.name)
            try:
                if worker.delivery:
                    self._handler.worker_died(worker.delivery)
                    worker.delivery = None
                    self._room.release()
                self._workers[index] = self._new_worker(index)
                self._workers[index].start()
            except Exception:
                # There may be memory, or a thread, at the next tick.
                logger.exception("%s could not be replaced yet", worker.name)
                self._workers[index] = worker

    def _finish(self) -> None:
        while True:
            try:
                waiting = self._deliveries_for_workers.get_nowait()
            except queue.Empty:
                break
            if waiting:
                self._release(waiting)
        for _ in self._workers:
            self._deliveries_for_workers.put(None)
        deadline = time.monotonic() + self.config.shutdown_timeout
        for worker in self._workers:
            while worker.is_alive() and time.monotonic() < deadline:
                worker.join(self.config.idle_delay)
                self._tick()
        for worker in self._workers:
            if worker.is_alive() and (unfinished := worker.delivery):
                logger.warning("%s did not end in time and is given back", unfinished.crash_id)
                self._release(unfinished)


class _Worker(threading.Thread):
    """Handles deliveries from the manager until it receives None."""

    def __init__(self, number: int, manager: ThreadedTaskManager) -> None:
        # A daemon thread: one that hangs must not keep the process from ending.
        super().__init__(name=f"worker-{number}", daemon=True)
        self._manager = manager
        self.delivery: Delivery | None = None

    def run(self) -> None:
        manager = self._manager
        try:
            while (delivery := manager._deliveries_for_workers.get()) is not None:
                self.delivery = delivery
                manager._handler.handle(delivery)
                self.delivery = None
                manager._room.release()
        except BaseException as error:
            # The thread ends; the manager replaces it and takes care of its delivery.
            logger.critical("bug in %s: %s", self.name, stack_of(error))
