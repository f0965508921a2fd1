"""The shipped alert rules, in a real Prometheus that reads a real daemon, and in Prometheus's test tool."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from socorro_processor import __version__
from socorro_processor.app.delivery_handler import CAUSES
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import QUEUES
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.monitoring.metric_names import ALL_METRICS
from socorro_processor.monitoring.prometheus import prometheus_name
from socorro_processor.stackwalk.result import OUTCOMES
from tests.ports import free_port
from tests.shared import REPOSITORY, stackwalker
from tests.system.daemon import Daemon, Installation, eventually, variables
from tests.system.embedded import EmbeddedInstallation, embedded_installation
from tests.system.production import CONFIGURATION
from tests.system.prometheus import Prometheus, program, running_prometheus
from tests.system.test_operation import get
from tests.unit.monitoring.test_metric_names import OF_JOBS

RULES = REPOSITORY / "config" / "prometheus" / "alerts.yaml"
CASES = RULES.with_name("alerts_test.yaml")

NOT_HERE = ("collector.", "disk.", "retention.", "search.", "web.")
"""The beginnings of metrics of ``socorro serve``, and of a store that the configuration of production lacks."""

SECONDS = {"s": 1, "m": 60, "h": 3600}
DURATION = re.compile(r"(?<=\[)(\d+)([smh])(?=\])|(?<=process_start_time_seconds < )(\d+)")
"""Time ranges in an expression, and the time since the start."""

MANY = 12
"""More crashes than are tried while a store is away; the others wait."""

RULE = """
from socorro_processor.pipeline.rule import Rule


class Signs(Rule):
    def action(self, crash):
        crash.processed["signature"] = "main"
        return True
"""

NOWHERE = {
    "resource.rabbitmq.port": "1",
    "resource.postgresql.database_port": "1",
    "resource.elasticsearch.elasticsearch_urls": "http://127.0.0.1:1",
    "resource.boto.endpoint_url": "http://127.0.0.1:1",
    "resource.boto.access_key": "key",
    "secrets.boto.secret_access_key": "secret",
    "resource.statsd.statsd_host": "",
    "resource.symbols.sources": "http://127.0.0.1:1/",
}
"""An address on which nothing answers."""


def shortened(rules: dict[str, Any]) -> dict[str, Any]:
    """The rules with each minute shortened to a second, but half a minute at most."""

    def short(seconds: int) -> int:
        return min(round(seconds / 60), 30)

    def window(match: re.Match[str]) -> str:
        number, unit, since_the_start = match.groups()
        if since_the_start:
            return str(short(int(since_the_start)))
        return f"{short(int(number) * SECONDS[unit])}s"

    rules = copy.deepcopy(rules)
    for rule in rules["groups"][0]["rules"]:
        rule["expr"] = DURATION.sub(window, rule["expr"])
        rule["for"] = f"{short(int(rule['for'][:-1]) * SECONDS[rule['for'][-1]])}s"
    return rules


def without_durations(rules: dict[str, Any]) -> dict[str, Any]:
    rules = copy.deepcopy(rules)
    for rule in rules["groups"][0]["rules"]:
        rule["expr"] = DURATION.sub("", rule["expr"])
        del rule["for"]
    return rules


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[EmbeddedInstallation]:
    """An installation whose processed crashes are in a separate store."""
    with embedded_installation("sqlite", tmp_path, "0.2") as installation:
        installation.plug_in("signing_rule", RULE)
        installation.use_rule("signing_rule.Signs")
        installation.set("destination.root", str(tmp_path / "processed"))
        setup = installation.socorro("setup")
        assert setup.returncode == 0, setup.stderr
        yield installation


@pytest.fixture
def daemon(installation: EmbeddedInstallation) -> Daemon:
    installation.set("health.port", str(free_port()))
    return installation.start()


@pytest.fixture
def prometheus(installation: EmbeddedInstallation, daemon: Daemon, tmp_path: Path) -> Iterator[Prometheus]:
    rules = yaml.safe_load(RULES.read_text())
    short = shortened(rules)
    assert without_durations(short) == without_durations(rules)
    target = int(installation.environment["SOCORRO__HEALTH__PORT"])
    with running_prometheus(tmp_path, free_port(), target, short) as prometheus:
        yield prometheus


def submit_damaged(installation: EmbeddedInstallation) -> str:
    """Submit a crash that is parked at once."""
    store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(installation.crashes)))
    crash_id = new_crash_id()
    store.save_raw_crash({}, {}, crash_id)
    (raw_crash,) = installation.crashes.glob(f"v2/raw_crash/*/*/{crash_id}")
    raw_crash.write_text("no JSON")
    installation.queue_of_its_own.submit(crash_id)
    return crash_id


def test_the_first_parked_crash_and_a_store_that_is_away_raise_alerts_that_end(
    installation, daemon, prometheus, tmp_path
):
    queues = {(queue,) for queue in QUEUES}
    eventually(lambda: prometheus.query("processor_ready") == {(): 1}, prometheus.log)
    eventually(
        lambda: prometheus.query("processor_crash_parked_total") == dict.fromkeys(queues, 0),
        lambda: f"{prometheus.query('processor_crash_parked_total')}\n{daemon.log}",
    )
    eventually(lambda: prometheus.query("processor_info") == {(__version__,): 1}, prometheus.log)
    eventually(lambda: prometheus.query("processor_queue_oldest") == dict.fromkeys(queues, 0), prometheus.log)
    prometheus.wait_for(lambda firing: not firing, "without any alert")

    submit_damaged(installation)
    prometheus.wait_for(lambda firing: firing == {"CrashesAreParked"}, "CrashesAreParked alone")

    store = tmp_path / "processed"
    store.rename(tmp_path / "away")
    store.write_text("what is here is no directory")
    crash_ids = [installation.submit_crash() for _ in range(MANY)]
    raised = {"NothingIsSaved", "SomethingIsAway", "ProcessorNotReady"}
    prometheus.wait_for(lambda firing: firing >= raised, f"all of {raised}")
    eventually(lambda: prometheus.query("processor_queue_oldest").get(("normal",), 0) > 0, prometheus.log)

    store.unlink()
    (tmp_path / "away").rename(store)
    saved = [store / "v1" / "processed_crash" / crash_id for crash_id in crash_ids]
    eventually(lambda: all(path.exists() for path in saved), lambda: daemon.log)
    prometheus.wait_for(lambda firing: not firing, "without any alert")
    eventually(lambda: prometheus.query("processor_crash_parked_total").get(("normal",)) == 1, prometheus.log)

    assert daemon.stop() == 0
    prometheus.wait_for(lambda firing: firing == {"ProcessorGone"}, "ProcessorGone alone")


def test_metrics_that_are_known_beforehand_are_0_from_the_start(tmp_path):
    stackwalker()
    installation = Installation(tmp_path)
    port = free_port()
    options = NOWHERE | {
        "resource.symbols.symbol_cache_path": str(tmp_path / "cache"),
        "app.temporary_directory": str(tmp_path / "temporary"),
        "health.port": str(port),
    }
    installation.environment = {
        "PATH": installation.environment["PATH"],
        "SOCORRO__ADMIN__CONF": str(CONFIGURATION),
        **variables(options),
    }
    try:
        daemon = installation.start()
        status, text = get(port, "/metrics")
    finally:
        installation.close()
    assert status == 200
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    for kind, name, labels, _ in ALL_METRICS:
        if kind != "gauge" and labels and name not in OF_JOBS and not name.startswith(NOT_HERE):
            measured = next(each for each in ALL_METRICS if each.name == name)
            samples = found.get(prometheus_name(measured) + ("_count" if kind == "duration" else ""), [])
            assert samples, f"nothing of {name}\n{daemon.log}"
            assert {value for _, value in samples} == {0}, name

    def values(name: str, label: str) -> set[str]:
        return {labels[label] for labels, _ in found[name]}

    for outcome in ("saved", "kept_earlier", "retried", "parked", "rejected", "untold"):
        assert values(f"processor_crash_{outcome}_total", "queue") == set(QUEUES)
    assert values("processor_crash_retried_total", "cause") == set(CAUSES)
    assert values("processor_stackwalk_ended_total", "outcome") == set(OUTCOMES)
    assert values("processor_save_seconds_count", "store") == {f"storage{number}" for number in range(4)}
    assert values("processor_rule_failed_total", "rule") == values("processor_rule_seconds_count", "rule")
    assert {"FieldsRule", "BreakpadStackwalkerRule2015"} <= values("processor_rule_failed_total", "rule")
    assert values("processor_symbols_supplied_total", "outcome") == {"cached", "fetched", "missing", "failed"}


def test_each_alert_is_raised_and_ends_when_it_should_by_prometheus_own_test_tool():
    done = subprocess.run([program("promtool"), "test", "rules", CASES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case_in_which_it_is_raised_and_ends():
    raised: dict[str, bool] = {}
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        looks = [[each["labels"] for each in look["exp_samples"]] for look in case["promql_expr_test"]]
        for before, after in zip(looks, [*looks[1:], None], strict=True):
            for labels in before:
                (name,) = re.findall(r'^{alertname="(\w+)"}$', labels)
                raised[name] = raised.get(name, False) or after == []
    alerts = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert raised == {alert["alert"]: True for alert in alerts}
