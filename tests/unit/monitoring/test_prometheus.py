"""Metrics as Prometheus reads them, by the parser of its own client library."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from socorro_processor.configuration import DotDict
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.monitoring.metric_names import ALL_METRICS
from socorro_processor.monitoring.metrics import Metrics
from socorro_processor.monitoring.prometheus import prometheus_name, prometheus_text, writing_metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Return the metrics by name and the values of the labels, in the order of their names."""
    families = text_string_to_metric_families(text.decode())
    return {
        (each.name, *(value for _, value in sorted(each.labels.items()))): each.value
        for family in families
        for each in family.samples
    }


def test_names_are_those_of_statsd_with_underscores_and_labels(metrics):
    metrics.increment("crash.retried", 3, queue="normal", cause="transient")
    metrics.gauge("queue.waiting", 12, queue="priority")
    found = samples(prometheus_text(metrics))
    assert found["processor_crash_retried_total", "transient", "normal"] == 3
    assert found["processor_queue_waiting", "priority"] == 12


def test_a_duration_is_a_histogram(metrics):
    for seconds in (0.00005, 0.05, 0.06, 1000.0):
        metrics.duration("rule", seconds, rule="ProductRule")
    found = samples(prometheus_text(metrics))
    name = "processor_rule_seconds"
    by_bound = {key[1]: value for key, value in found.items() if key[0] == f"{name}_bucket"}
    assert (by_bound["0.0001"], by_bound["0.05"], by_bound["0.1"], by_bound["300"]) == (1, 2, 3, 3)
    assert by_bound["+Inf"] == found[f"{name}_count", "ProductRule"] == 4
    assert found[f"{name}_sum", "ProductRule"] == pytest.approx(1000.11005)


def test_an_expected_counter_is_0_so_that_its_first_event_is_an_increase(metrics):
    assert samples(prometheus_text(metrics))[("processor_stackwalk_differences_total",)] == 0


def test_a_counter_that_is_expected_with_labels_is_0_until_it_is_measured(metrics):
    metrics.expect("crash.parked", queue="normal")
    metrics.expect("crash.parked", queue="priority")
    metrics.expect("rule", rule="ProductRule")
    metrics.increment("crash.parked", queue="priority")
    metrics.increment("crash.parked", queue="reprocessing")
    found = samples(prometheus_text(metrics))
    parked = [found["processor_crash_parked_total", queue] for queue in ("normal", "priority", "reprocessing")]
    assert parked == [0, 1, 1]
    assert found["processor_rule_seconds_count", "ProductRule"] == 0
    metrics.duration("rule", 0.2, rule="ProductRule")
    assert samples(prometheus_text(metrics))["processor_rule_seconds_count", "ProductRule"] == 1


def test_a_gauge_that_is_forgotten_is_absent(metrics):
    metrics.gauge("queue.oldest", 7, queue="normal")
    metrics.forget("queue.oldest", queue="normal")
    metrics.forget("queue.oldest", queue="priority")
    assert "processor_queue_oldest{" not in prometheus_text(metrics).decode()


def test_every_metric_of_the_table_has_a_name_of_its_own_and_a_help_text(metrics):
    text = prometheus_text(metrics).decode()
    assert len({prometheus_name(each) for each in ALL_METRICS}) == len(ALL_METRICS)
    for each in ALL_METRICS:
        assert f"# HELP {prometheus_name(each)} {each.meaning}\n" in text


def test_memory_and_descriptors_of_the_process_are_reported(metrics):
    found = samples(prometheus_text(metrics))
    assert found[("process_resident_memory_bytes",)] > 1e6
    assert found[("process_open_fds",)] > 2


def test_a_value_of_a_label_cannot_forge_a_line(metrics):
    metrics.increment("elasticsearch.left_out", field='a"} 1\nforged_total 7')
    found = samples(prometheus_text(metrics))
    assert found["processor_elasticsearch_left_out_total", 'a"} 1\nforged_total 7'] == 1
    assert ("forged_total",) not in found


def test_a_job_writes_its_metrics_to_a_file_even_if_it_fails(metrics, tmp_path):
    def run() -> None:
        with writing_metrics(DotDict({"textfile_directory": str(tmp_path)}), "partitions", metrics):
            metrics.expect("postgresql.left_out", column="url")
            metrics.increment("job.ended", job="partitions", outcome="failed")
            raise KeyError

    with pytest.raises(KeyError):
        run()
    found = samples((tmp_path / "socorro-partitions.prom").read_bytes())
    assert found == {("processor_job_ended_total", "partitions", "failed"): 1}


def test_a_missing_directory_is_named(metrics, tmp_path):
    config = DotDict({"textfile_directory": str(tmp_path / "missing")})
    expected = r"missing/socorro-x\.prom: No such file .*textfile_directory"
    with pytest.raises(ProcessingEnvironmentError, match=expected), writing_metrics(config, "x", metrics):
        pass


def test_the_error_of_a_job_is_not_replaced_by_that_of_its_metrics(metrics, tmp_path, caplog):
    config = DotDict({"textfile_directory": str(tmp_path / "missing")})

    def run() -> None:
        with writing_metrics(config, "x", metrics):
            raise KeyError

    with pytest.raises(KeyError):
        run()
    (record,) = caplog.records
    assert "missing/socorro-x.prom: No such file" in record.getMessage()
