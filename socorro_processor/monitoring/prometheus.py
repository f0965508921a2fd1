"""Metrics as the text that Prometheus reads: ``/metrics`` of the health server.

Names are those of ``metric_names`` with ``_`` for dots, and what statsd has before them: the counter
``crash.saved`` is ``processor_crash_saved_total``, the duration ``rule`` the histogram
``processor_rule_seconds``. Labels are labels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.monitoring.metric_names import MEASURED, Measured
from socorro_processor.monitoring.metrics import BUCKETS, METRICS, Durations, Labels, Metrics

CONTENT_TYPE = CONTENT_TYPE_LATEST

required_config = Namespace()
required_config.add_option(
    "textfile_directory",
    default="",
    doc="where each job writes what it measured, socorro-JOB.prom, for the textfile collector of Prometheus's "
    "node exporter (empty: nowhere)",
)

_BOUNDS = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")

T = TypeVar("T")


def prometheus_name(measured: Measured) -> str:
    """Return the name of the metric; its samples add ``_bucket``, ``_sum`` and ``_count`` to that of a duration."""
    ending = {"counter": "_total", "gauge": "", "duration": "_seconds"}[measured.kind]
    return f"processor_{measured.name.replace('.', '_')}{ending}"


def as_text(metrics: Metrics = METRICS) -> bytes:
    """Everything measured so far, with memory, CPU and descriptors of this process."""
    registry = CollectorRegistry()
    registry.register(MetricsCollector(metrics))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


@contextmanager
def writing_metrics(config: DotDict, job: str, metrics: Metrics = METRICS) -> Iterator[None]:
    """Write what was measured to the file of this job when the block ends, for it lives too short to be asked."""
    try:
        yield
    finally:
        if config.textfile_directory:
            registry = CollectorRegistry()
            registry.register(MetricsCollector(metrics, only_measured=True))
            path = Path(config.textfile_directory, f"socorro-{job}.prom")
            try:
                write_to_textfile(str(path), registry)
            except OSError as error:
                raise ProcessingEnvironmentError(
                    f"cannot write what was measured to {path}: {error.strerror}: correct metrics.textfile_directory"
                ) from error


class MetricsCollector(Collector):
    """Hands the client library what a registry of ours holds."""

    def __init__(self, metrics: Metrics, only_measured: bool = False) -> None:
        """``only_measured``: leave out what is 0 because it was not measured yet."""
        self._metrics = metrics
        self._only_measured = only_measured

    def collect(self) -> Iterator[Metric]:
        snapshot = self._metrics.snapshot()
        counters = _by_name(snapshot.counters)
        gauges, durations = _by_name(snapshot.gauges), _by_name(snapshot.durations)
        # What has not happened yet is 0: the first time is an increase.
        expected = {} if self._only_measured else _by_name(dict.fromkeys(snapshot.expected))
        for measured in MEASURED:
            name, meaning, labels = prometheus_name(measured), measured.meaning, measured.labels
            known = sorted(expected.get(measured.name, {}))
            if not labels and not self._only_measured:
                known.append(())
            if measured.kind == "counter":
                counter = CounterMetricFamily(name, meaning, labels=labels)
                for key, count in (dict.fromkeys(known, 0) | counters.get(measured.name, {})).items():
                    counter.add_metric(_values(key), count)
                yield counter
            elif measured.kind == "gauge":
                gauge = GaugeMetricFamily(name, meaning, labels=labels)
                for key, value in gauges.get(measured.name, {}).items():
                    gauge.add_metric(_values(key), value)
                yield gauge
            else:
                histogram = HistogramMetricFamily(name, meaning, labels=labels)
                for key, each in (dict.fromkeys(known, Durations()) | durations.get(measured.name, {})).items():
                    histogram.add_metric(_values(key), _cumulated(each), each.seconds)
                yield histogram


def _by_name(samples: Mapping[tuple[str, Labels], T]) -> dict[str, dict[Labels, T]]:
    found: defaultdict[str, dict[Labels, T]] = defaultdict(dict)
    for (name, labels), value in samples.items():
        found[name][labels] = value
    return found


def _values(labels: Labels) -> list[str]:
    return [value for _, value in labels]


def _cumulated(durations: Durations) -> list[tuple[str, float]]:
    return list(zip(_BOUNDS, accumulate(durations.buckets), strict=True))
