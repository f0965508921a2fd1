"""Ledgers of jobs, ready for the contract."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, Source, class_name
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.jobs.ledger import JobLedger
from socorro_processor.jobs.postgresql_ledger import configured_ledger
from tests.integration.postgresql_database import new_database
from tests.shared import REPOSITORY

_HOLD = """
import sys
from tests.contract.ledger_backends import opened
with opened(dict(line.split("=", 1) for line in sys.argv[2:])).locked(sys.argv[1]) as is_mine:
    print("mine" if is_mine else "another's", flush=True)
    sys.stdin.read()
"""


class LedgerBackend:
    """Options of a configuration whose ledger is empty."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self.options = options

    def open(self) -> JobLedger:
        """Open the ledger as another host would."""
        return opened(self.options)

    @contextmanager
    def another_process_with(self, name: str) -> Iterator[subprocess.Popen[str]]:
        """A process that holds the job's lock, unless another one does."""
        options = [f"{key}={value}" for key, value in self.options.items()]
        command = [sys.executable, "-c", _HOLD, name, *options]
        with subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout
                assert process.stdout.readline() == "mine\n"
                yield process
            finally:
                process.kill()


def opened(options: Mapping[str, str]) -> JobLedger:
    return configured_ledger(Configuration(ProcessorApp.get_required_config(), [Source(options)]).values)


@contextmanager
def file(directory: Path) -> Iterator[LedgerBackend]:
    yield LedgerBackend({"cron.directory": str(directory / "jobs")})


@contextmanager
def postgresql(directory: Path) -> Iterator[LedgerBackend]:
    with new_database() as database:
        store = database.store()
        store.setup()
        store.close()
        yield LedgerBackend({**database.options, "destination.crashstorage_class": class_name(PostgreSQLCrashStorage)})


BACKENDS = {"file": file, "postgresql": postgresql}
