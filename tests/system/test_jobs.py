"""The jobs as processes, as timers start them: on two hosts at once, with good and bad input, beside a processor."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from socorro_processor.configuration import class_name
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from tests.integration.postgresql_database import new_database
from tests.shared import REPOSITORY
from tests.symbol_server import Request, SymbolServer
from tests.system.daemon import DEADLINE, SOCORRO, Installation, eventually, variables

REFERENCE = REPOSITORY / "config" / "reference_data.json"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    """An embedded installation without a stackwalker."""
    installation = Installation(tmp_path)
    installation.environment["SOCORRO__RESOURCE__REFERENCE__REFERENCE_FILE"] = str(tmp_path / "reference.json")
    yield installation
    installation.close()


@contextmanager
def ledger_in_files(site: Installation) -> Iterator[None]:
    yield


@contextmanager
def ledger_in_postgresql(site: Installation) -> Iterator[None]:
    with new_database() as database:
        with closing(database.store()) as store:
            store.setup()
        store_class = {"destination.crashstorage_class": class_name(PostgreSQLCrashStorage)}
        site.environment |= variables(database.options | store_class)
        yield


@contextmanager
def begun(site: Installation, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*SOCORRO, *arguments]
    with subprocess.Popen(
        command, cwd=site.directory, env=site.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("ledger", [ledger_in_files, ledger_in_postgresql])
def test_one_of_two_hosts_whose_timers_start_a_job_at_once_does_it(site, ledger):
    data = REFERENCE.read_bytes()

    def answer(request: Request) -> None:
        server.hang(request)
        request.body(data)

    with ledger(site), SymbolServer(answer) as server:
        job = ("cron", "reference-data", f"--origin={server.url}/data.json")
        with begun(site, *job) as first:
            eventually(lambda: server.paths or first.poll() is not None)
            second = site.socorro(*job)
            assert (second.returncode, second.stdout) == (0, "reference-data is running elsewhere\n")
            status = site.socorro("cron", "status", "--json")
            assert json.loads(status.stdout)["state"] == "at work, or died"
            server.released.set()
            out, err = first.communicate(timeout=DEADLINE)
            assert (first.returncode, err) == (0, ""), out
        assert server.paths == ["data.json"]
        status = site.socorro("cron", "status")
        assert status.returncode == 0
        assert "14 rows changed" in status.stdout


def test_a_running_processor_uses_new_reference_data_without_a_signal(installation):
    site = installation
    site.environment |= variables({"resource.reference.reference_file": str(site.directory / "reference.json")})
    assert site.socorro("cron", "reference-data", f"--origin={REFERENCE}").returncode == 0
    daemon = site.start("--resource.reference.reference_refresh=0.1")
    new = site.directory / "new.json"
    content = json.loads(REFERENCE.read_text())
    content["windows_versions"].append({"name": "Windows 12", "major": 12, "minor": 0})
    new.write_text(json.dumps(content))
    done = site.socorro("cron", "reference-data", f"--origin={new}")
    assert done.stdout.splitlines()[1] == "windows_versions: 1 added (8 rows before)"
    daemon.wait_for_log("has changed and is in use")
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("cron", "filesystem-cleanup", "--cron.filesystem_cleanup.retention_days=3"),
            "a number of days of at least 7",
        ),
        (("cron", "filesystem-cleanup", "--maximum=0"), "'0' is not a whole number of at least 1"),
        (("cron", "missing-symbols", "--date=yesterday"), "is not a date such as 2016-11-23"),
        (("cron", "partitions", "--trust-clocks"), "unrecognized arguments: --trust-clocks"),
        (("cron", "reference-data", "--maximum-loss=200"), "'200' is not a whole number from 0 to 100"),
        (("siglists", "preview"), "nothing to try: name a directory of signature lists"),
    ],
)
def test_bad_input_gives_a_message_and_exit_code_2(site, arguments, expected):
    done = site.socorro(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
