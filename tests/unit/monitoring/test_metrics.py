"""The metrics that a processor counts."""

import threading

import pytest

from socorro_processor.monitoring.metrics import Metrics, collecting_durations


class ListSink:
    def __init__(self):
        self.seen = []

    def increment(self, name, value, labels):
        self.seen.append(("increment", name, value, labels))

    def gauge(self, name, value, labels):
        self.seen.append(("gauge", name, value, labels))

    def duration(self, name, seconds, labels):
        self.seen.append(("duration", name, seconds, labels))


@pytest.fixture
def metrics():
    return Metrics()


def test_counters_are_kept_by_name_and_labels(metrics):
    metrics.increment("crash.saved", queue="normal")
    metrics.increment("crash.saved", 2, queue="normal")
    metrics.increment("crash.saved", queue="priority")
    assert metrics.snapshot().counter("crash.saved", queue="normal") == 3
    assert metrics.snapshot().counter("crash.saved", queue="priority") == 1
    assert metrics.snapshot().counter("crash.lost") == 0


def test_every_sink_gets_every_metric(metrics):
    sinks = [ListSink(), ListSink()]
    for sink in sinks:
        metrics.add_sink(sink)
    metrics.increment("a", x="1")
    metrics.gauge("b", 2.5)
    metrics.duration("c", 0.5)
    expected = [("increment", "a", 1, (("x", "1"),)), ("gauge", "b", 2.5, ()), ("duration", "c", 0.5, ())]
    assert [sink.seen for sink in sinks] == [expected, expected]


def test_a_block_is_timed_even_if_it_raises(metrics):
    with pytest.raises(KeyError), metrics.timer("step"):
        raise KeyError
    assert metrics.snapshot().durations[("step", ())].count == 1


def test_times_of_a_block_are_collected_in_its_own_thread_only(metrics):
    def elsewhere():
        with metrics.timer("other"):
            pass

    with collecting_durations() as durations:
        with metrics.timer("save", store="storage0"):
            pass
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    with metrics.timer("afterwards"):
        pass
    assert list(durations) == ["save.storage0"]


def test_threads_lose_no_count(metrics):
    threads = [threading.Thread(target=lambda: [metrics.increment("n") for _ in range(1000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.snapshot().counter("n") == 8000
