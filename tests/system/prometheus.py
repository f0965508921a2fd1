"""A real Prometheus that reads daemons and evaluates alert rules: Debian's, which ``bin/services install`` installs."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.shared import require
from tests.system.daemon import eventually

SCRAPE_INTERVAL = "2s"
EVALUATION_INTERVAL = "1s"
DEADLINE = 180.0
"""Seconds until an alert is raised or ends, on a busy machine."""


def program(name: str) -> str:
    """Return ``prometheus`` or ``promtool``. Skips the test if it is missing; with ``CI=true`` fails it."""
    found = shutil.which(name)
    require(found is not None, f"no {name}: bin/services install, or Debian's prometheus")
    assert found
    return found


class Prometheus:
    """A running Prometheus at ``address``."""

    def __init__(self, address: str, log: Path) -> None:
        self._address = address
        self._log = log

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """Return the current values by their labels, ordered by name, without the labels that all share."""
        return {
            tuple(
                value for name, value in sorted(sample["metric"].items()) if name not in ("__name__", "instance", "job")
            ): float(sample["value"][1])
            for sample in self._get("query", query=expression)["result"]
        }

    def firing(self) -> set[str]:
        """Return the names of the alerts that are raised now."""
        return {each["labels"]["alertname"] for each in self._get("alerts")["alerts"] if each["state"] == "firing"}

    def wait_for(self, condition: Callable[[set[str]], bool], what: str) -> None:
        """Wait until the raised alerts fulfil a condition."""
        deadline = time.monotonic() + DEADLINE
        while not condition(firing := self.firing()):
            assert time.monotonic() < deadline, f"not {what}: {firing or 'none'}\n{self._get('alerts')}"
            time.sleep(0.1)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._address}/-/ready", timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    def log(self) -> str:
        return self._log.read_text()

    def _get(self, what: str, **parameters: str) -> Any:
        address = f"{self._address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)["data"]


@contextmanager
def running_prometheus(directory: Path, port: int, target: int, rules: dict[str, Any]) -> Iterator[Prometheus]:
    """A Prometheus on ``port`` that reads the daemon at ``target``, with these rules and its data in ``directory``."""
    # JSON is YAML, too.
    (directory / "rules.yaml").write_text(json.dumps(rules))
    configuration = {
        "global": {
            "scrape_interval": SCRAPE_INTERVAL,
            "scrape_timeout": SCRAPE_INTERVAL,
            "evaluation_interval": EVALUATION_INTERVAL,
        },
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "socorro-processor", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    (directory / "prometheus.yaml").write_text(json.dumps(configuration))
    log = directory / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={directory / 'prometheus.yaml'}",
                f"--storage.tsdb.path={directory / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        prometheus = Prometheus(f"http://127.0.0.1:{port}", log)
        eventually(lambda: prometheus.is_ready() or process.poll() is not None, prometheus.log)
        assert process.poll() is None, prometheus.log()
        yield prometheus
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE)
        finally:
            process.kill()
            process.wait()
