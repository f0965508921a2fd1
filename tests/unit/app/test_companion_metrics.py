"""The processor reports the companion's metrics."""

import os

from socorro_processor.app.companion import PipeSink, relay
from socorro_processor.monitoring.metrics import Metrics


def test_metrics_of_the_companion_are_the_processors():
    companion, processor = Metrics(), Metrics()
    reading, writing = os.pipe()
    companion.add_sink(PipeSink(writing))
    companion.increment("symbol_cache.hits", 3)
    companion.gauge("symbol_cache.bytes", 12.5)
    companion.duration("symbols.indexing", 0.25)
    companion.increment("x", label="one")
    os.close(writing)
    relay(os.fdopen(reading, "rb"), processor)
    assert processor.snapshot() == companion.snapshot()


def test_a_processor_that_does_not_read_holds_nothing_up():
    companion, processor = Metrics(), Metrics()
    reading, writing = os.pipe()
    companion.add_sink(PipeSink(writing))
    for _ in range(10_000):
        companion.increment("symbol_cache.hits")
    os.close(writing)
    relay(os.fdopen(reading, "rb"), processor)
    assert 100 < processor.snapshot().counter("symbol_cache.hits") < 10_000
