"""The daemon informs its operators: systemd, Prometheus, the log, and probes while RabbitMQ is away."""

from __future__ import annotations

import json
import signal
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port
from tests.shared import SAMPLES, stackwalker
from tests.system.daemon import Installation, eventually
from tests.system.embedded import embedded_installation
from tests.tcp_proxy import TCPProxy

SAMPLE = SAMPLES / "segfault"


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class SystemdsSocket:
    """Receives the messages sent to ``NOTIFY_SOCKET``."""

    def __init__(self, path: Path) -> None:
        self.messages: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def wait_for(self, beginning: str, times: int = 1) -> None:
        eventually(
            lambda: sum(each.startswith(beginning) for each in self.messages) >= times, lambda: str(self.messages)
        )

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        while message := self._socket.recv(4096):
            self.messages.append(message.decode())


class Told(NamedTuple):
    """The words of a daemon that has processed a crash, reloaded its lists, and stopped."""

    crash_id: str
    pid: int
    messages: list[str]
    metrics: dict[tuple[str, ...], float]
    log: list[dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    stackwalker()
    directory = tmp_path_factory.mktemp("operation")
    installation = Installation(directory, SAMPLES / "symbols")
    systemd = SystemdsSocket(directory / "notify")
    port = free_port()
    installation.environment |= {
        "NOTIFY_SOCKET": str(directory / "notify"),
        "WATCHDOG_USEC": "1000000",
        "SOCORRO__HEALTH__PORT": str(port),
        "SOCORRO__LOGGING__FORMAT": "json",
        "SOCORRO__COMPANION_PROCESS__SYMBOL_CACHE_PATH": str(directory / "cache"),
    }
    try:
        crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp", "--raw-crash", SAMPLE / "raw_crash.json")
        daemon = installation.start()
        daemon.wait_for_log(f"{crash_id} saved")
        eventually(lambda: "\nprocessor_symbol_cache_limit " in get(port, "/metrics")[1])
        families = text_string_to_metric_families(get(port, "/metrics")[1])
        metrics = {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}
        systemd.wait_for("WATCHDOG=1", times=3)
        systemd.wait_for("STATUS=ready; since the start 1 saved")
        daemon.process.send_signal(signal.SIGHUP)
        systemd.wait_for("READY=1", times=2)
        assert daemon.stop() == 0
        log = [json.loads(line) for line in daemon.log.splitlines()]
        return Told(crash_id, daemon.process.pid, systemd.messages, metrics, log)
    finally:
        installation.close()
        systemd.close()


def test_systemd_hears_of_the_start_each_reload_and_the_end(told):
    heads = [each.partition("\n")[0] for each in told.messages]
    assert [each for each in heads if each.endswith("=1") and each != "WATCHDOG=1"] == [
        "READY=1",
        "RELOADING=1",
        "READY=1",
        "STOPPING=1",
    ]
    assert told.messages[heads.index("READY=1")] == f"READY=1\nMAINPID={told.pid}"
    assert "STATUS=finishing the crashes in work" in heads


def test_prometheus_gets_the_metrics_of_the_processor_and_its_companion(told):
    assert told.metrics["processor_ready",] == 1
    assert told.metrics["processor_crash_saved_total", "normal"] == 1
    assert told.metrics["processor_queue_parked",] == 0
    assert told.metrics["processor_symbol_cache_limit",] == 1 << 30
    for step in ("fetch", "stackwalk", "rules", "saves"):
        assert told.metrics[f"processor_{step}_seconds_count",] == 1
        assert 0 < told.metrics[f"processor_{step}_seconds_sum",] < 60
    assert told.metrics["processor_rule_seconds_count", "SignatureGenerationRule2026"] == 1


def test_a_crash_is_a_log_line_that_says_where_its_time_went(told):
    (line,) = [each for each in told.log if each["message"] == f"{told.crash_id} saved"]
    assert (line["level"], line["crash_id"], line["queue"], line["attempt"]) == ("INFO", told.crash_id, "normal", 1)
    assert line["signature"].startswith("lightbox::exif::Directory::find")
    assert line["success"] is True
    for step in ("fetch", "stackwalk", "rules", "saves", "seconds"):
        assert 0 < line[step] < 60


@pytest.fixture
def behind_a_proxy(tmp_path: Path) -> Iterator[tuple[Installation, TCPProxy]]:
    """An installation whose connection to RabbitMQ can be cut, and whose stores exist."""
    with embedded_installation("rabbitmq", tmp_path, "1") as installation:
        installation.plug_in("operators", RULE)
        installation.use_rule("operators.OperatorsRule")
        installation.submit_crash(ProductName="Lightbox")
        host = installation.environment["SOCORRO__RESOURCE__RABBITMQ__HOST"]
        proxy = TCPProxy(host, int(installation.environment["SOCORRO__RESOURCE__RABBITMQ__PORT"]))
        installation.set("resource.rabbitmq.host", "127.0.0.1")
        installation.set("resource.rabbitmq.port", str(proxy.port))
        yield installation, proxy
        installation.close()
        proxy.close()


RULE = """
from socorro_processor.pipeline.rule import Rule

class OperatorsRule(Rule):
    def action(self, crash):
        crash.processed["signature"] = "done"
"""


def test_while_rabbitmq_is_away_the_processor_is_not_ready_and_says_so_within_seconds(behind_a_proxy):
    installation, proxy = behind_a_proxy
    port = free_port()
    daemon = installation.start(f"--health.port={port}")

    def readiness() -> tuple[int, str]:
        status, body = get(port, "/readyz")
        return status, json.loads(body)["problems"].get("queue", "")

    eventually(lambda: readiness() == (200, ""), lambda: daemon.log)
    proxy.refuse()
    proxy.cut()
    eventually(lambda: readiness()[0] == 503, lambda: daemon.log)
    assert f"RabbitMQ at 127.0.0.1:{proxy.port}/" in readiness()[1]
    assert "processor_ready 0.0" in get(port, "/metrics")[1]
    assert get(port, "/healthz")[0] == 200
    proxy.accept_again()
    eventually(lambda: readiness() == (200, ""), lambda: daemon.log)
    daemon.wait_for_log("ready")
    assert daemon.stop() == 0


def test_a_processor_that_starts_without_rabbitmq_is_not_ready_until_it_comes(behind_a_proxy):
    installation, proxy = behind_a_proxy
    proxy.refuse()
    port = free_port()
    daemon = installation.start(f"--health.port={port}")
    eventually(lambda: "RabbitMQ at" in get(port, "/readyz")[1], lambda: daemon.log)
    assert get(port, "/readyz")[0] == 503
    proxy.accept_again()
    eventually(lambda: get(port, "/readyz")[0] == 200, lambda: daemon.log)
    assert daemon.stop() == 0


HANGS = """
import time
from pathlib import Path
from socorro_processor.pipeline.rule import Rule

class OperatorsRule(Rule):
    def action(self, crash):
        Path("begun").touch()
        time.sleep(600)
"""


def test_a_crash_that_is_in_work_for_too_long_silences_systemds_watchdog(tmp_path):
    with embedded_installation("sqlite", tmp_path, "1") as installation:
        installation.plug_in("operators", HANGS)
        installation.use_rule("operators.OperatorsRule")
        crash_id = installation.submit_crash(ProductName="Lightbox")
        systemd = SystemdsSocket(tmp_path / "notify")
        installation.environment |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        try:
            daemon = installation.start("--app.maximum_crash_time=4")
            # It lives for as long as a crash may take.
            systemd.wait_for("WATCHDOG=1", times=5)
            assert daemon.process.wait(60) == 70
            assert f"{crash_id} has been in work for" in daemon.log
            assert "STOPPING=1" not in "".join(systemd.messages)
        finally:
            installation.close()
            systemd.close()


def test_while_the_main_loop_hangs_systemds_watchdog_hears_nothing(tmp_path):
    with embedded_installation("sqlite", tmp_path, "1") as installation:
        installation.plug_in("operators", HANGS)
        installation.use_rule("operators.OperatorsRule")
        installation.set("producer_consumer.producer_consumer_class", "socorro_processor.app.task_manager.TaskManager")
        systemd = SystemdsSocket(tmp_path / "notify")
        installation.environment |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        try:
            daemon = installation.start("--app.maximum_crash_time=4")
            systemd.wait_for("WATCHDOG=1", times=2)
            # With this task manager, a crash that hangs is a main loop that hangs.
            installation.submit_crash(ProductName="Lightbox")
            eventually((tmp_path / "begun").exists, lambda: daemon.log)
            heard = systemd.messages.count("WATCHDOG=1")
            assert daemon.process.wait(60) == 70
            # One message may have been on its way; a running loop sends forty in these four seconds.
            assert systemd.messages.count("WATCHDOG=1") <= heard + 1
        finally:
            installation.close()
            systemd.close()
