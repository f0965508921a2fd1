"""``socorro cron late-symbols``, with crashes in files and a directory of symbols."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.symbols.layout import SymbolFileID

ID = "83CF4DC03621B778E931FC713889E8F10"
TODAY = datetime.now(UTC).date()


class Late:
    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.symbols = directory / "symbols"
        self.symbols.mkdir()
        self._capsys = capsys
        self._store = FileSystemCrashStorage(defaults(FileSystemCrashStorage, root=str(directory / "crashes")))
        self._store.setup()
        self.queue = SQLiteCrashQueue(defaults(SQLiteCrashQueue, path=str(directory / "queue.sqlite")))
        self.queue.setup()
        self._options = {
            "resource.filesystem.root": directory / "crashes",
            "new_crash_source.path": directory / "queue.sqlite",
            "cron.directory": directory / "jobs",
            "resource.symbols.symbol_cache_path": directory / "cache",
            "resource.symbols.sources": self.symbols,
        }

    def crash(self, *debug_files: str, days_ago: int = 0, debug_id: str = ID) -> str:
        """Save a crash that missed the symbols of these modules."""
        crash_id = new_crash_id(TODAY - timedelta(days=days_ago))
        rows = [[name, debug_id, None, None] for name in debug_files]
        self._store.save_processed({"uuid": crash_id, "processing": {"missing_symbols": rows}})
        return crash_id

    def comes(self, debug_file: str, debug_id: str = ID) -> None:
        path = self.symbols / SymbolFileID.of(debug_file, debug_id).path
        path.parent.mkdir(parents=True)
        path.write_text(f"MODULE Linux x86_64 {debug_id} {debug_file}\n")

    def run(self, *arguments: str) -> dict[str, object]:
        options = (f"--{key}={value}" for key, value in self._options.items())
        assert main(["cron", "late-symbols", "--json", *arguments, *options], environ={}) == 0
        words: dict[str, object] = json.loads(self._capsys.readouterr().out.splitlines()[-1])
        return words

    def queued(self) -> int:
        return self.queue.depths().queues["reprocessing"].waiting


@pytest.fixture
def late(tmp_path, capsys):
    late = Late(tmp_path, capsys)
    yield late
    late.queue.close()


def test_nobody_is_asked_for_the_symbols_of_a_module_without_a_debug_id(late):
    late.crash("boot.art", debug_id="0" * 33)
    late.comes("boot.art", debug_id="0" * 33)
    assert late.run() == {"arrived": 0, "queued": 0, "left": 0, "dry_run": False}


def test_a_crash_whose_symbols_have_come_is_queued_once_however_many_came(late):
    late.crash("a.so", "b.so", "../..", "c.so")
    late.crash("z.so")
    assert late.run() == {"arrived": 0, "queued": 0, "left": 0, "dry_run": False}
    late.comes("a.so")
    late.comes("b.so")
    assert late.run() == {"arrived": 2, "queued": 1, "left": 0, "dry_run": False}
    assert late.run()["queued"] == 0
    assert late.queued() == 1
    late.comes("c.so")
    assert late.run()["queued"] == 1


def test_no_more_than_the_maximum_are_queued_newest_first_and_the_others_next_time(late):
    late.comes("a.so")
    late.crash("a.so", days_ago=8)
    crashes = [late.crash("a.so", days_ago=days) for days in (3, 1, 2)]
    assert late.run("--maximum=2") == {"arrived": 1, "queued": 2, "left": 1, "dry_run": False}
    deliveries = late.queue.new_crashes()
    assert [next(deliveries).crash_id for _ in range(2)] == [crashes[1], crashes[2]]
    assert late.run("--maximum=2") == {"arrived": 1, "queued": 1, "left": 0, "dry_run": False}
    assert next(deliveries).crash_id == crashes[0]


def test_a_dry_run_gets_and_queues_nothing(late):
    late.crash("a.so")
    late.comes("a.so")
    assert late.run("--dry-run")["queued"] == 0
    late.run()
    late.crash("a.so")
    assert late.run("--dry-run") == {"arrived": 1, "queued": 1, "left": 0, "dry_run": True}
    assert late.queued() == 1
