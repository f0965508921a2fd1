"""The daemon with an empty symbol cache and a symbol server: frames are the same as with local symbols."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from tests.shared import shared
from tests.symbol_server import SymbolServer, store
from tests.system.daemon import Daemon, Installation, eventually, variables

DUMP = "upload_file_minidump"


@pytest.fixture
def crash_ids(installation: Installation) -> list[str]:
    """Submit the real crashes."""
    crashes = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(installation.crashes)))
    crash_ids = []
    for directory in sorted(shared("crashes").iterdir()):
        raw_crash = directory / "raw_crash.json"
        annotations = json.loads(raw_crash.read_text()) if raw_crash.exists() else {}
        crash_ids.append(new_crash_id())
        crashes.save_raw_crash(annotations, {DUMP: directory / f"{DUMP}.dmp"}, crash_ids[-1])
    crashes.close()
    return crash_ids


def submit(installation: Installation, crash_ids: list[str]) -> None:
    queue = SQLiteCrashQueue(
        defaults(SQLiteCrashQueue, path=installation.environment["SOCORRO__NEW_CRASH_SOURCE__PATH"])
    )
    for crash_id in crash_ids:
        queue.submit(crash_id)
    queue.close()


def processed(installation: Installation, daemon: Daemon, crash_ids: list[str]) -> list[dict[str, Any]]:
    """Return the processed crashes once the daemon has taken them from its queue."""
    before = daemon.log.count(" saved")
    submit(installation, crash_ids)
    eventually(lambda: daemon.log.count(" saved") >= before + len(crash_ids), lambda: daemon.log)
    crashes = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(installation.crashes)))
    return [dict(crashes.get_unredacted_processed(crash_id)) for crash_id in crash_ids]


def test_real_crashes_have_the_same_frames_and_a_server_that_is_gone_is_no_loss(
    installation: Installation, crash_ids: list[str], tmp_path: Path
) -> None:
    installation.walker(symbols_path=str(shared("symbols")))
    daemon = installation.start()
    expected = [crash["json_dump"]["threads"] for crash in processed(installation, daemon, crash_ids)]
    assert daemon.stop() == 0
    installation.walker(symbols_path="")
    cache = tmp_path / "cache"
    with SymbolServer(store(shared("symbols"))) as server:
        installation.environment |= variables(
            {"resource.symbols.symbol_cache_path": str(cache), "resource.symbols.sources": server.url}
        )
        daemon = installation.start()
        first = processed(installation, daemon, crash_ids)
        requests = len(server.paths)
        second = processed(installation, daemon, crash_ids)
        assert len(server.paths) == requests > 0
    for crashes in (first, second):
        assert [crash["json_dump"]["threads"] for crash in crashes] == expected
    for directory in (cache, Path(f"{cache}.staging", "missing")):
        shutil.rmtree(directory)
    third = processed(installation, daemon, crash_ids)
    assert all(crash["success"] for crash in third)
    assert "symbol source away" in daemon.log
    assert any("symbols of" in crash["processor_notes"] for crash in third)
    assert daemon.stop() == 0


@pytest.mark.parametrize("drip", ["drip_header", "drip_body"])
def test_a_symbol_server_that_drips_delays_neither_crashes_nor_the_end(
    installation: Installation, crash_ids: list[str], tmp_path: Path, drip: str
) -> None:
    installation.walker(symbols_path="")
    with SymbolServer(store(tmp_path)) as server:
        server.answers(getattr(server, drip))
        installation.environment |= variables(
            {
                "resource.symbols.symbol_cache_path": str(tmp_path / "cache"),
                "resource.symbols.sources": server.url,
                "resource.symbols.connection_timeout": "1",
                "resource.symbols.read_timeout": "1",
            }
        )
        daemon = installation.start()
        started = time.monotonic()
        assert all(crash["success"] for crash in processed(installation, daemon, crash_ids))
        # Each crash would wait for a minute.
        assert time.monotonic() - started < 30
        assert "symbol source away" in daemon.log
        assert daemon.stop() == 0


def test_a_symbol_server_that_drips_does_not_delay_the_end_with_production_timeouts(
    installation: Installation, crash_ids: list[str], tmp_path: Path
) -> None:
    installation.walker(symbols_path="")
    with SymbolServer(store(tmp_path)) as server:
        server.answers(server.drip_header)
        installation.environment |= variables(
            {"resource.symbols.symbol_cache_path": str(tmp_path / "cache"), "resource.symbols.sources": server.url}
        )
        daemon = installation.start()
        submit(installation, crash_ids)
        eventually(lambda: server.paths, lambda: daemon.log)
        daemon.process.terminate()
        # Crashes in work wait for the answer's header, 13 seconds at most. They ask for one file after the
        # other, until the source has failed three times.
        assert daemon.process.wait(60) == 0
