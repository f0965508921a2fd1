"""The depths of the queues, as gauges."""

import threading

import pytest

from socorro_processor.app.queue_gauges import QueueGauges
from socorro_processor.configuration import DotDict
from socorro_processor.crashqueue.base import QUEUES, CrashQueueBase, Depth, Depths
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.metrics import Metrics

DEADLINE = 20.0
KINDS = ("waiting", "delayed", "in_flight")


class CountedQueue(CrashQueueBase):
    """Gives one answer after the other, and repeats the last."""

    def __init__(self, *answers) -> None:
        super().__init__(DotDict())
        self.answers = list(answers)
        self.asked_by = []
        self.all_given = threading.Event()

    def depths(self) -> Depths:
        self.asked_by.append(threading.current_thread().name)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if len(self.asked_by) > 3:  # the previous answer is in the gauges
            self.all_given.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


def depths(waiting: int) -> Depths:
    queues = {"normal": Depth(waiting, 2, 3, 99.5), "priority": Depth(0, 0, 0, 0.0), "reprocessing": Depth(4, 5, 6)}
    return Depths(queues, parked=7, rejected=8, suspect=9)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def gauges(metrics: Metrics) -> dict:
    return {
        (name, *(value for _, value in labels)): value for (name, labels), value in metrics.snapshot().gauges.items()
    }


def look(queue: CountedQueue, metrics: Metrics) -> None:
    watching = QueueGauges(queue, metrics, interval=0.001)
    assert queue.all_given.wait(DEADLINE)
    watching.close()


def test_every_number_of_the_queue_is_a_gauge(metrics):
    look(CountedQueue(depths(1)), metrics)
    expected = {("queue.parked",): 7, ("queue.rejected",): 8, ("queue.suspect",): 9}
    expected |= {("queue.oldest", "normal"): 99.5, ("queue.oldest", "priority"): 0.0}
    for name, numbers in {"normal": (1, 2, 3), "priority": (0, 0, 0), "reprocessing": (4, 5, 6)}.items():
        expected |= {(f"queue.{what}", name): number for what, number in zip(KINDS, numbers, strict=True)}
    assert gauges(metrics) == expected


def test_a_broker_that_is_away_is_asked_again(metrics):
    look(CountedQueue(CrashQueueError("away"), CrashQueueError("away"), depths(11)), metrics)
    assert gauges(metrics)["queue.waiting", "normal"] == 11


def test_a_look_that_fails_leaves_what_was_seen_before(metrics):
    look(CountedQueue(depths(11), CrashQueueError("away")), metrics)
    assert gauges(metrics)["queue.waiting", "normal"] == 11


def test_the_age_of_the_oldest_has_no_value_while_the_queue_is_away_or_does_not_know_it(metrics):
    look(CountedQueue(depths(11), CrashQueueError("away")), metrics)
    assert not [key for key in gauges(metrics) if key[0] == "queue.oldest"]
    unknown = Depths(dict.fromkeys(QUEUES, Depth(1, 0, 0)), parked=0, rejected=0)
    look(CountedQueue(depths(11), unknown), metrics)
    assert not [key for key in gauges(metrics) if key[0] == "queue.oldest"]


def test_the_queue_is_asked_in_a_thread_of_its_own_which_ends(metrics):
    queue = CountedQueue(depths(1))
    look(queue, metrics)
    assert set(queue.asked_by) == {"queue-gauges"}
    assert "queue-gauges" not in {thread.name for thread in threading.enumerate()}


def test_a_look_that_hangs_does_not_hold_up_the_end(metrics):
    class HangingQueue(CountedQueue):
        go_on = threading.Event()

        def depths(self) -> Depths:
            self.go_on.wait(DEADLINE)
            return super().depths()

    queue = HangingQueue(depths(1))
    QueueGauges(queue, metrics).close()
    queue.go_on.set()


def test_the_reason_of_a_failed_look_is_reported_until_one_succeeds(metrics):
    away = CountedQueue(CrashQueueError("away"))
    watching = QueueGauges(away, metrics, interval=0.001)
    assert away.all_given.wait(DEADLINE)
    assert watching.failure == "away"
    away.all_given.clear()
    away.asked_by.clear()
    away.answers = [depths(1)]
    assert away.all_given.wait(DEADLINE)
    assert watching.failure == ""
    watching.close()
