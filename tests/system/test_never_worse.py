"""A crash that is processed again after its dump or its symbols are gone keeps its earlier result."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from tests.shared import SAMPLES
from tests.system.daemon import EMPTY_QUEUE, Daemon, Installation

SAMPLE = SAMPLES / "segfault"
SIGNATURE = "lightbox::exif::Directory::find"


@pytest.fixture
def symbols(installation: Installation, tmp_path: Path) -> Path:
    """A copy of the samples' symbols, which the installation uses."""
    symbols = tmp_path / "symbols"
    shutil.copytree(SAMPLES / "symbols", symbols)
    installation.walker(symbols_path=str(symbols), symbol_cache_path=str(tmp_path / "symbol-cache"))
    return symbols


@pytest.fixture
def audit_file(installation: Installation, tmp_path: Path) -> Path:
    installation.environment |= {
        "SOCORRO__LOGGING__AUDIT_FILE": str(tmp_path / "audit"),
        "SOCORRO__LOGGING__FORMAT": "json",
    }
    return tmp_path / "audit"


@contextmanager
def running(installation: Installation) -> Iterator[Daemon]:
    daemon = installation.start()
    yield daemon
    assert daemon.stop() == 0
    assert installation.queue() == EMPTY_QUEUE


def reprocess(installation: Installation, crash_id: str, *arguments: str, fails: bool = False) -> dict:
    """Return the only crash of the summary."""
    done = installation.socorro("reprocess", crash_id, "--summary", "--json", *arguments)
    assert done.returncode == fails, done.stdout + done.stderr
    (crash,) = json.loads(done.stdout)["summary"]["crashes"]
    return crash


def written(audit_file: Path) -> list[tuple[str, str]]:
    lines = audit_file.read_text().splitlines() if audit_file.exists() else []
    return [(line["message"], line["because"]) for line in map(json.loads, lines)]


def expire(installation: Installation, crash_id: str, symbols: Path) -> str:
    (installation.crashes / "v1" / "dump" / crash_id).unlink()
    return "there is no dump any more, and the earlier result has what was read from it"


def evict(installation: Installation, crash_id: str, symbols: Path) -> str:
    shutil.rmtree(symbols)
    symbols.mkdir()
    shutil.rmtree(symbols.parent / "symbol-cache", ignore_errors=True)
    return "modules with symbols: 0, in the earlier result: 2"


@pytest.mark.parametrize("lose", [expire, evict])
def test_a_good_result_stays_until_somebody_forces_the_worse_one(installation, symbols, audit_file, lose):
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp", "--raw-crash", SAMPLE / "raw_crash.json")
    with running(installation) as daemon:
        daemon.wait_for_log(f"{crash_id} saved")
        good = installation.show(crash_id)
        assert SIGNATURE in good["signature"]
    because = lose(installation, crash_id, symbols)
    with running(installation) as daemon:
        crash = reprocess(installation, crash_id)
        assert (crash["outcome"], crash["after"]) == ("kept", good["signature"])
        assert installation.show(crash_id) == good
        assert written(audit_file) == [(f"{crash_id} keeps its earlier result", because)]
        assert daemon.log.count("keeps its earlier result") == 1
        outcome = reprocess(installation, crash_id, "--force", fails=lose is expire)
        assert outcome["outcome"] == ("failed" if lose is expire else "changed")
        assert SIGNATURE not in installation.show(crash_id)["signature"]
    assert len(written(audit_file)) == 1


@pytest.mark.parametrize("lose", [expire, evict])
def test_a_good_result_stays_in_the_foreground_too(installation, symbols, audit_file, lose):
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp")
    first = installation.socorro("process", crash_id)
    good = installation.show(crash_id)
    assert SIGNATURE in good["signature"]
    assert not audit_file.exists()
    because = lose(installation, crash_id, symbols)
    kept = installation.socorro("process", crash_id)
    assert (kept.returncode, kept.stdout) == (0, first.stdout)
    assert f"socorro: {crash_id} keeps its earlier result (--force replaces it): {because}\n" in kept.stderr
    assert installation.show(crash_id) == good
    assert written(audit_file) == [(f"{crash_id} keeps its earlier result", because)]
    forced = installation.socorro("process", "--force", crash_id)
    assert (forced.returncode, forced.stdout == first.stdout) == (0, False)
    assert "earlier result" not in forced.stderr
    assert SIGNATURE not in installation.show(crash_id)["signature"]


@pytest.mark.parametrize("lost_by", ["crashes", "second"])
def test_a_store_that_lost_a_crash_whose_dump_has_expired_has_it_again_after_one_verification(
    installation, audit_file, tmp_path, lost_by
):
    store = class_name(FileSystemCrashStorage)
    roots = {"crashes": installation.crashes, "second": tmp_path / "second"}
    installation.environment |= {
        "SOCORRO__DESTINATION__CRASHSTORAGE_CLASS": "socorro_processor.crashstorage.poly.PolyCrashStorage",
        "SOCORRO__DESTINATION__STORAGE_CLASSES": f"{store}, {store}",
        "SOCORRO__DESTINATION__STORAGE0__ROOT": str(roots["crashes"]),
        "SOCORRO__DESTINATION__STORAGE1__ROOT": str(roots["second"]),
        "SOCORRO__CRON__DIRECTORY": str(tmp_path / "jobs"),
    }
    day = datetime.now(UTC).date() - timedelta(days=3)
    crash_id = new_crash_id(day)
    source = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(installation.crashes)))
    source.save_raw_crash({}, {MAIN_DUMP: SAMPLE / "upload_file_minidump.dmp"}, crash_id)
    assert installation.socorro("process", crash_id).returncode == 0
    good = installation.show(crash_id)
    (installation.crashes / "v1" / "dump" / crash_id).unlink()
    lost = roots[lost_by] / "v1" / "processed_crash" / crash_id
    lost.unlink()

    def verify() -> dict:
        done = installation.socorro("cron", "verify-processed", f"--date={day}", "--reprocess", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    assert (verify()["missing"], installation.queue()["waiting"]) == (1, 1)
    with running(installation) as daemon:
        daemon.wait_for_log(f"{crash_id} keeps its earlier result")
        daemon.wait_for_log(f"{crash_id} saved")
    assert json.loads(lost.read_bytes()) == good == installation.show(crash_id)
    assert (verify()["missing"], installation.queue()) == (0, EMPTY_QUEUE)
    assert len(written(audit_file)) == 1
