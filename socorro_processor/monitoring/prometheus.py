"""Write metrics as the text that Prometheus reads, for ``/metrics`` and for the textfile collector.

Names are those of ``metric_names`` with ``processor_`` in front and ``_`` for dots: the counter ``crash.saved`` is
``processor_crash_saved_total``, the duration ``rule`` is the histogram ``processor_rule_seconds``.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as MetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.monitoring.metric_names import ALL_METRICS, Metric
from socorro_processor.monitoring.metrics import BUCKETS, METRICS, Durations, Labels, Metrics

CONTENT_TYPE = CONTENT_TYPE_LATEST

required_config = Namespace()
required_config.add_option(
    "textfile_directory",
    default="",
    doc="directory in which each job writes its metrics, as socorro-JOB.prom, for the textfile collector of "
    "Prometheus's node exporter (empty: none)",
)

_BOUNDS = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")

T = TypeVar("T")

logger = logging.getLogger(__name__)


def prometheus_name(metric: Metric) -> str:
    """Return the name of the metric. Samples of a duration append ``_bucket``, ``_sum`` and ``_count``."""
    ending = {"counter": "_total", "gauge": "", "duration": "_seconds"}[metric.kind]
    return f"processor_{metric.name.replace('.', '_')}{ending}"


def prometheus_text(metrics: Metrics = METRICS) -> bytes:
    """Return everything measured so far, and the memory, CPU and descriptors of this process."""
    registry = CollectorRegistry()
    registry.register(MetricsCollector(metrics))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


@contextmanager
def writing_metrics(config: DotDict, job: str, metrics: Metrics = METRICS) -> Iterator[None]:
    """Write the metrics to the file of this job when the block ends: a job does not live long enough to be scraped.

    Raises ProcessingEnvironmentError if the file cannot be written, or only logs it if the block raises.
    """
    try:
        yield
    except BaseException:
        try:
            _write_metrics(config, job, metrics)
        except ProcessingEnvironmentError as error:
            logger.error("%s", error)
        raise
    _write_metrics(config, job, metrics)


def _write_metrics(config: DotDict, job: str, metrics: Metrics) -> None:
    if not config.textfile_directory:
        return
    registry = CollectorRegistry()
    registry.register(MetricsCollector(metrics, only_measured=True))
    path = Path(config.textfile_directory, f"socorro-{job}.prom")
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise ProcessingEnvironmentError(
            f"cannot write metrics to {path}: {error.strerror} (see metrics.textfile_directory)"
        ) from error


class MetricsCollector(Collector):
    """Passes the content of a ``Metrics`` to the client library."""

    def __init__(self, metrics: Metrics, only_measured: bool = False) -> None:
        """``only_measured``: leave out metrics that are 0 because they have not been measured yet."""
        self._metrics = metrics
        self._only_measured = only_measured

    def collect(self) -> Iterator[MetricFamily]:
        snapshot = self._metrics.snapshot()
        counters = _by_name(snapshot.counters)
        gauges, durations = _by_name(snapshot.gauges), _by_name(snapshot.durations)
        # Reported as 0 beforehand, so that the first event shows as an increase.
        expected = {} if self._only_measured else _by_name(dict.fromkeys(snapshot.expected))
        for metric in ALL_METRICS:
            name, meaning, labels = prometheus_name(metric), metric.meaning, metric.labels
            known = sorted(expected.get(metric.name, {}))
            if not labels and not self._only_measured:
                known.append(())
            if metric.kind == "counter":
                counter = CounterMetricFamily(name, meaning, labels=labels)
                for key, count in (dict.fromkeys(known, 0) | counters.get(metric.name, {})).items():
                    counter.add_metric(_values(key), count)
                yield counter
            elif metric.kind == "gauge":
                gauge = GaugeMetricFamily(name, meaning, labels=labels)
                for key, value in gauges.get(metric.name, {}).items():
                    gauge.add_metric(_values(key), value)
                yield gauge
            else:
                histogram = HistogramMetricFamily(name, meaning, labels=labels)
                for key, each in (dict.fromkeys(known, Durations()) | durations.get(metric.name, {})).items():
                    histogram.add_metric(_values(key), _cumulated(each), each.seconds)
                yield histogram


def _by_name(samples: Mapping[tuple[str, Labels], T]) -> dict[str, dict[Labels, T]]:
    samples_by_name: defaultdict[str, dict[Labels, T]] = defaultdict(dict)
    for (name, labels), value in samples.items():
        samples_by_name[name][labels] = value
    return samples_by_name


def _values(labels: Labels) -> list[str]:
    return [value for _, value in labels]


def _cumulated(durations: Durations) -> list[tuple[str, float]]:
    return list(zip(_BOUNDS, accumulate(durations.buckets), strict=True))
