"""Measure the production services: the processor's CPU time for saving, and the gain from more threads while they wait.

    python -m benchmarks.services [DIRECTORY_OF_CRASHES]

The first table: CPU time of this process for saving a crash to each of the real services, without the servers'
own. The second: crashes a second of the daemon, by its number of threads, where every service answers 20 ms
later, and the stackwalker is replaced by one that prints what it printed before, so that only waiting counts.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.crashes import add_crashes, crashes_of
from benchmarks.results import record
from benchmarks.rules import walk
from benchmarks.walker import print_dumps
from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.cli.all_options import all_options
from socorro_processor.configuration import Configuration, EnvironmentSource, read_ini
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.serialization import decode
from tests.faults.proxy import Proxy
from tests.services import services_of_a_run
from tests.statsd_server import StatsdServer
from tests.system.production import CONFIGURATION, Production, production

ROUNDS = 15
CPU_BAR = 0.012
"""Seconds of own CPU that saving a crash to all four may take (median over the crashes)."""

ANSWER_TIME = 0.02
CRASHES = 80
SPEEDUP_BAR = 2.5
"""The speed of four threads, as a multiple of that of one."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the production services cost.")
    add_crashes(parser)
    arguments = parser.parse_args()
    dumps, symbols = crashes_of(parser, arguments)
    walked = {dump: walk(dump, symbols) for dump in dumps}
    with services_of_a_run():
        cpu = measure_cpu(walked)
        rates = measure_threads(walked)
    record("services", {"cpu": cpu, "threads": rates})
    return 0 if statistics.median(cpu.values()) <= CPU_BAR and rates[4] >= SPEEDUP_BAR * rates[1] else 1


def measure_cpu(walked: dict[Path, dict[str, Any]]) -> dict[str, float]:
    """Return the CPU seconds of saving, by crash."""
    with ExitStack() as stack:
        installation = installed(stack)
        app = app_of(installation)
        stack.callback(app.close)
        store = app.destination
        assert isinstance(store, PolyCrashStorage)
        names = [type(each).__name__ for each in store.stores.values()]
        print(f"{'crash':<30}" + "".join(f"{name:>32}" for name in names) + f"{'all':>12}")
        totals = {}
        for dump, json_dump in walked.items():
            raw_crash, processed_crash = processed(app, installation.directory, dump, json_dump)
            costs = [cpu_of(each, raw_crash, processed_crash) for each in store.stores.values()]
            totals[dump.parent.name] = sum(costs)
            print(
                f"{dump.parent.name:<30}"
                + "".join(f"{cost * 1e3:>29.2f} ms" for cost in costs)
                + f"{sum(costs) * 1e3:>9.2f} ms"
            )
    median = statistics.median(totals.values())
    print(f"median {median * 1e3:.2f} ms of CPU a crash; at most {CPU_BAR * 1e3:.0f} ms are allowed\n")
    return totals


def installed(stack: ExitStack) -> Production:
    """Return a new installation, whose stackwalker prints the dump, which is the output of an earlier walk."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    statsd = stack.enter_context(StatsdServer())
    statsd_options = {"resource.statsd.statsd_host": statsd.host, "resource.statsd.statsd_port": str(statsd.port)}
    installation = stack.enter_context(production(directory, **statsd_options))
    print_dumps(installation)
    return installation


def app_of(installation: Production) -> ProcessorApp:
    environment = {name: value for name, value in installation.environment.items() if "ADMIN__CONF" not in name}
    sources = [read_ini(CONFIGURATION), EnvironmentSource(environment)]
    return ProcessorApp(Configuration(all_options(), sources).values)


def processed(
    app: ProcessorApp, directory: Path, dump: Path, json_dump: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the raw and the processed crash that the pipeline makes from the stackwalker's output."""
    raw_crash_file = dump.with_name("raw_crash.json")
    raw_crash = decode(raw_crash_file.read_bytes()) if raw_crash_file.exists() else {}
    printed = directory / "printed.json"
    printed.write_text(json.dumps(json_dump))
    crash = app.pipeline.process_crash(new_crash_id(), raw_crash, {MAIN_DUMP: printed})
    return crash.raw, crash.processed


def cpu_of(store: Any, raw_crash: dict[str, Any], processed_crash: dict[str, Any]) -> float:
    costs = []
    for _ in range(ROUNDS):
        crash_id = new_crash_id()
        raw, new = {**raw_crash, "uuid": crash_id}, {**processed_crash, "uuid": crash_id, "crash_id": crash_id}
        begun = time.process_time()
        store.save_raw_and_processed(raw, {}, new, crash_id)
        costs.append(time.process_time() - begun)
    return statistics.median(costs)


def measure_threads(walked: dict[Path, dict[str, Any]]) -> dict[int, float]:
    """Return crashes a second, by the number of threads."""
    rates = {threads: crashes_a_second(walked, threads) for threads in (1, 4)}
    print(f"{'threads':<10}{'crashes a second':>18}")
    for threads, rate in rates.items():
        print(f"{threads:<10}{rate:>18.1f}")
    ratio = rates[4] / rates[1]
    print(f"ratio {ratio:.2f} where services answer in {ANSWER_TIME * 1e3:.0f} ms; at least {SPEEDUP_BAR} is required")
    return rates


def crashes_a_second(walked: dict[Path, dict[str, Any]], threads: int) -> float:
    with ExitStack() as stack:
        installation = installed(stack)
        submit_all(installation, walked)
        delay_services(installation, stack)
        daemon = installation.start(f"--producer_consumer.number_of_threads={threads}", "--health.port=0")
        while len(times := saved_at(daemon.log)) < CRASHES:
            if daemon.process.poll() is not None:
                raise SystemExit(f"the processor ended:\n{daemon.log}")
            time.sleep(0.2)
        daemon.stop()
        return (len(times) - 1) / (times[-1] - times[0])


def submit_all(installation: Production, walked: dict[Path, dict[str, Any]]) -> None:
    app = app_of(installation)
    queue = app.crash_queue()
    outputs = [json.dumps(json_dump).encode() for json_dump in walked.values()]
    for number in range(CRASHES):
        crash_id = new_crash_id()
        dumps = {MAIN_DUMP: outputs[number % len(outputs)]}
        app.source.save_raw_crash({"ProductName": "Lightbox", "uuid": crash_id}, dumps, crash_id)
        queue.submit(crash_id)
    queue.close()
    app.close()


def delay_services(installation: Production, stack: ExitStack) -> None:
    """Put a proxy that answers later in front of each service."""
    options = installation.options
    for host, port in (
        ("resource.rabbitmq.host", "resource.rabbitmq.port"),
        ("resource.postgresql.database_hostname", "resource.postgresql.database_port"),
    ):
        proxy = stack.enter_context(Proxy(options[host], int(options[port])))
        proxy.latency(to_client=ANSWER_TIME)
        installation.set(port, str(proxy.port))
    for url in ("resource.boto.endpoint_url", "resource.elasticsearch.elasticsearch_urls"):
        host, port_number = re.fullmatch(r"http://([\d.]+):(\d+)", options[url]).groups()  # type: ignore[union-attr]
        proxy = stack.enter_context(Proxy(host, int(port_number)))
        proxy.latency(to_client=ANSWER_TIME)
        installation.set(url, f"http://{proxy.host}:{proxy.port}")


def saved_at(log: str) -> list[float]:
    """Return the time at which each crash was saved, in seconds."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    times = [line["time"] for line in lines if str(line.get("message", "")).endswith(" saved")]
    return [datetime.fromisoformat(text).timestamp() for text in times]


if __name__ == "__main__":
    sys.exit(main())
