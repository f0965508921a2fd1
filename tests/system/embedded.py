"""An installation with embedded stores over either queue, with a rule and a store of the operator's own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import CrashQueueBase
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from tests.integration.rabbitmq_broker import Broker
from tests.system.daemon import Daemon, Installation

DEADLINE = 180.0


class EmbeddedInstallation(Installation):
    """An installation without a stackwalker; ``queue_of_its_own`` is the test's end of the daemons' queue."""

    queue_of_its_own: CrashQueueBase

    def plug_in(self, module: str, text: str) -> None:
        """Write a module of the operator's own."""
        plugins = self.directory / "plugins"
        plugins.mkdir(exist_ok=True)
        (plugins / f"{module}.py").write_text(text)
        self.set("plugins.path", str(plugins))

    def use_rule(self, name: str) -> None:
        """Use this rule and no other."""
        own = self.directory / "own.ini"
        own.write_text("")
        self.set("admin.conf", str(own))
        self.set("processor.rule_sets", json.dumps([["own", "", "", "apply_all_rules", name]]))

    def submit_crash(self, **annotations: str) -> str:
        """Save and submit a crash without a dump, as a collector does; return its id."""
        store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(self.crashes)))
        crash_id = new_crash_id()
        store.save_raw_crash(annotations, {}, crash_id)
        self.queue_of_its_own.submit(crash_id)
        return crash_id


@contextmanager
def embedded_installation(queue: str, directory: Path, retry_delays: str) -> Iterator[EmbeddedInstallation]:
    """Make an installation; ``queue`` is sqlite or rabbitmq."""
    installation = EmbeddedInstallation(directory)
    installation.set("new_crash_source.retry_delays", retry_delays)
    broker = Broker(retry_delays=retry_delays) if queue == "rabbitmq" else None
    if broker:
        name = f"{RabbitMQCrashQueue.__module__}.{RabbitMQCrashQueue.__name__}"
        installation.set("new_crash_source.new_crash_source_class", name)
        for option, value in broker.addresses.items():
            installation.set(option, value)
        del installation.environment["SOCORRO__NEW_CRASH_SOURCE__PATH"]
        installation.queue_of_its_own = RabbitMQCrashQueue(broker.configuration())
    else:
        path = installation.environment["SOCORRO__NEW_CRASH_SOURCE__PATH"]
        installation.queue_of_its_own = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=path, busy_timeout=30.0))
    try:
        yield installation
    finally:
        installation.close()
        installation.queue_of_its_own.close()
        if broker:
            broker.connect()  # it may have been restarted meanwhile
            broker.close()


def supervise(start: Callable[[], Daemon], done: Callable[[], bool]) -> tuple[Daemon, list[int]]:
    """Restart a daemon whenever it ends, like systemd, until all is done. Return the last, and earlier exit codes."""
    ended: list[int] = []
    daemon = start()
    deadline = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < deadline, daemon.log
        if (code := daemon.process.poll()) is not None:
            ended.append(code)
            daemon = start()
        time.sleep(0.05)
    return daemon, ended
