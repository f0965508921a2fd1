"""With real daemons: a store goes away and comes back, junk arrives meanwhile, one crash lacks what others have."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from socorro_processor.configuration import class_name
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from tests.faults.proxy import Proxy
from tests.integration.postgresql_database import Database, new_database
from tests.ports import free_port
from tests.services import end, own_servers, start
from tests.system.daemon import Daemon, eventually
from tests.system.embedded import EmbeddedInstallation, embedded_installation
from tests.system.test_operation import get

UNKNOWN = 300
JUNK = 3_000
TOLD_WITHIN = 20.0
"""Seconds until /readyz says that a store is away, or that it is back."""
SAVED_WITHIN = 50.0
"""Seconds until a crash behind junk is saved, once the store is back."""

RULES = """
import errno

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.pipeline.rule import Rule

LACKS = {
    "memory": MemoryError(),
    "space": OSError(errno.ENOSPC, "No space left on device"),
    "a tool": ProcessingEnvironmentError("the tool cannot be executed"),
}


class Lacking(Rule):
    def action(self, crash):
        if lack := LACKS.get(crash.raw.get("Lacks")):
            raise lack
        crash.processed["signature"] = "main"
        return True
"""

REASONS = {
    "memory": "found no memory left",
    "space": "No space left on device",
    "a tool": "the tool cannot be executed",
}


@pytest.fixture(params=["sqlite", "rabbitmq"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedInstallation]:
    with installed(request.param, tmp_path) as installation:
        yield installation


@contextmanager
def installed(queue: str, directory: Path, retry_delays: str = "0.2, 1") -> Iterator[EmbeddedInstallation]:
    with embedded_installation(queue, directory, retry_delays) as installation:
        installation.plug_in("lacking_rules", RULES)
        installation.use_rule("lacking_rules.Lacking")
        setup = installation.socorro("setup")
        assert setup.returncode == 0, setup.stderr
        yield installation


def test_ids_without_a_raw_crash_are_rejected_after_four_looks_however_many_processors_there_are(installation):
    queue = installation.queue_of_its_own
    unknown = [new_crash_id() for _ in range(UNKNOWN)]
    daemons = [installation.start("--health.port=0") for _ in range(2)]
    list(queue.submit_all(unknown[: UNKNOWN // 2]))
    good = installation.submit_crash()
    list(queue.submit_all(unknown[UNKNOWN // 2 :]))
    eventually(lambda: queue.depths().rejected == UNKNOWN, lambda: f"{queue.depths()}\n{daemons[0].log}")
    eventually(lambda: installation.is_processed(good), lambda: daemons[0].log)
    assert [daemon.stop() for daemon in daemons] == [0, 0]
    log = "".join(daemon.log for daemon in daemons)
    looks = Counter(re.findall(r" WARNING (\S+) (?:was not found|is rejected)", log))
    assert looks == dict.fromkeys(unknown, 4)


def test_a_crash_that_alone_lacks_what_this_machine_has_for_others_is_parked_with_the_reason(installation):
    queue = installation.queue_of_its_own
    lacking = {installation.submit_crash(Lacks=what): what for what in REASONS}
    daemon = installation.start("--health.port=0")
    others: list[str] = []

    def all_parked() -> bool:
        others.extend(installation.submit_crash() for _ in range(10))
        return queue.depths().parked == len(lacking)

    eventually(all_parked, lambda: f"{queue.depths()}\n{daemon.log[-3000:]}")
    eventually(lambda: all(map(installation.is_processed, others)), lambda: daemon.log[-3000:])
    assert daemon.stop() == 0
    parked = {crash.crash_id: crash.reason for crash in queue.set_aside("parked")}
    assert parked.keys() == lacking.keys()
    for crash_id, what in lacking.items():
        assert REASONS[what] in parked[crash_id]
        assert "this crash alone fails: 20 others were saved meanwhile" in parked[crash_id]


@pytest.mark.parametrize("what", REASONS)
def test_a_crash_that_lacks_something_while_nothing_is_saved_is_tried_for_ever(tmp_path, what):
    with installed("sqlite", tmp_path) as installation:
        crash_id = installation.submit_crash(Lacks=what)
        daemon = installation.start("--health.port=0", "--app.maximum_attempts=1")
        eventually(
            lambda: daemon.log.count(f"{crash_id} will be tried again, this attempt does not count") == 4,
            lambda: daemon.log,
        )
        assert REASONS[what] in daemon.log
        assert installation.queue_of_its_own.depths().parked == 0
        assert daemon.stop() == 0


def save_to_postgresql_too(installation: EmbeddedInstallation, database: Database) -> None:
    for option, value in database.options.items():
        installation.set(option, value)
    installation.set("destination.crashstorage_class", class_name(PolyCrashStorage))
    stores = (FileSystemCrashStorage, PostgreSQLCrashStorage)
    installation.set("destination.storage_classes", ", ".join(map(class_name, stores)))
    setup = installation.socorro("setup")
    assert setup.returncode == 0, setup.stderr


def readiness(port: int) -> tuple[int, dict[str, str]]:
    status, body = get(port, "/readyz")
    return status, json.loads(body)["problems"]


def seconds_until_ready(port: int, status: int, daemon: Daemon) -> float:
    begun = time.monotonic()
    eventually(lambda: readiness(port)[0] == status, lambda: f"{readiness(port)}\n{daemon.log[-3000:]}")
    return time.monotonic() - begun


def test_a_good_crash_behind_much_junk_is_saved_soon_once_the_store_is_back(installation):
    with new_database() as database:
        host, port = (database.options[f"resource.postgresql.database_{name}"] for name in ("hostname", "port"))
        with Proxy(host, int(port)) as proxy:
            save_to_postgresql_too(installation, database)
            installation.set("resource.postgresql.database_hostname", proxy.host)
            installation.set("resource.postgresql.database_port", str(proxy.port))
            good_after(installation, database, proxy)


def good_after(installation: EmbeddedInstallation, database: Database, proxy: Proxy) -> None:
    port = free_port()
    daemon = installation.start(f"--health.port={port}")
    assert seconds_until_ready(port, 200, daemon) < TOLD_WITHIN
    proxy.refuse()
    proxy.cut()
    failing = [installation.submit_crash() for _ in range(5)]
    eventually(
        lambda: daemon.log.count(" will be tried again, this attempt does not count") >= 2, lambda: daemon.log[-3000:]
    )
    junk = [new_crash_id() if number % 2 else str(uuid.uuid4())[:35] for number in range(JUNK)]
    list(installation.queue_of_its_own.submit_all(junk))
    good = installation.submit_crash()
    assert readiness(port)[0] == 503
    proxy.heal()
    back = time.monotonic()
    assert seconds_until_ready(port, 200, daemon) < TOLD_WITHIN
    for crash_id in (good, *failing):
        eventually(lambda crash_id=crash_id: database.rows("processed_crashes", crash_id), lambda: daemon.log[-3000:])
    assert time.monotonic() - back < SAVED_WITHIN
    assert readiness(port) == (200, {})
    assert daemon.stop() == 0


def test_an_idle_processor_says_that_a_store_is_away_and_that_it_is_back(tmp_path):
    with own_servers(), installed("sqlite", tmp_path) as installation, new_database() as database:
        save_to_postgresql_too(installation, database)
        port = free_port()
        daemon = installation.start(f"--health.port={port}")
        assert seconds_until_ready(port, 200, daemon) < TOLD_WITHIN
        end("postgresql", "kill")
        assert seconds_until_ready(port, 503, daemon) < TOLD_WITHIN
        assert "PostgreSQL" in str(readiness(port)) or database.name in str(readiness(port)), readiness(port)
        start("postgresql")
        assert seconds_until_ready(port, 200, daemon) < TOLD_WITHIN
        assert daemon.stop() == 0
