"""The companion process starts with the processor, is restarted when it dies, and ends with the processor."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from socorro_processor.app.companion import CompanionProcess, command
from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, Source
from tests.system.daemon import Installation, eventually


@pytest.fixture
def cache(installation: Installation) -> Path:
    """Configure the processor with a symbol cache."""
    path = installation.directory / "cache"
    installation.environment |= {
        "SOCORRO__COMPANION_PROCESS__SYMBOL_CACHE_PATH": str(path),
        "SOCORRO__COMPANION_PROCESS__SYMBOL_CACHE_SIZE": "10k",
    }
    return path


def manager_of(cache: Path, but: int = 0) -> int:
    """Return the pid of the running manager, once there is another one than ``but``."""
    status = cache.with_name("cache.state") / "status.json"
    eventually(lambda: status.exists() and json.loads(status.read_text())["pid"] != but)
    pid: int = json.loads(status.read_text())["pid"]
    return pid


def is_gone(pid: int) -> bool:
    eventually(lambda: not is_running(pid))
    return True


def is_running(pid: int) -> bool:
    """Return True if a process runs. An ended one may still wait for somebody to take its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_processor_starts_a_manager_of_its_symbol_cache(installation, cache):
    daemon = installation.start()
    manager = manager_of(cache)
    (cache / "large.sym").write_bytes(b"x" * 20_000)
    eventually(lambda: not (cache / "large.sym").exists())
    assert daemon.stop() == 0
    assert is_gone(manager)
    assert "companion process" not in daemon.log


def test_a_manager_that_is_killed_is_started_again(installation, cache):
    daemon = installation.start()
    manager = manager_of(cache)
    os.kill(manager, signal.SIGKILL)
    again = manager_of(cache, but=manager)
    daemon.wait_for_log("the companion process has ended (-9); it is started again")
    assert daemon.stop() == 0
    assert is_gone(again)


def test_a_manager_ends_with_a_processor_that_is_killed(installation, cache):
    daemon = installation.start()
    manager = manager_of(cache)
    daemon.kill()
    assert is_gone(manager)


def test_a_manager_that_hangs_does_not_keep_the_processor_from_ending(installation, cache):
    daemon = installation.start()
    manager = manager_of(cache)
    os.kill(manager, signal.SIGSTOP)
    assert daemon.stop() == 0
    assert is_gone(manager)
    assert "does not end and is killed" in daemon.log


def test_two_processors_may_share_a_cache_and_one_of_them_manages_it(installation, cache):
    first = installation.start()
    manager = manager_of(cache)
    second = installation.start()
    second.wait_for_log("another manager runs")
    first.kill()
    assert manager_of(cache, but=manager)
    assert second.stop() == 0


def options(**values: str) -> list[str] | None:
    sources = [Source({f"companion_process.{name}": value for name, value in values.items()})]
    return command(Configuration(ProcessorApp.get_required_config(), sources).values)


@pytest.mark.parametrize("values", [{}, {"companion_class": ""}])
def test_without_a_cache_or_a_class_there_is_no_companion(values):
    assert options(**values) is None


def test_the_companion_gets_the_values_that_are_in_force_and_no_secret():
    started_with = options(
        companion_class="socorro.processor.symbol_cache_manager.SymbolLRUCacheManager",
        symbol_cache_path="/a b",
        symbol_cache_size="40G",
    )
    assert "--companion_process.symbol_cache_path=/a b" in started_with
    assert f"--companion_process.symbol_cache_size={40 << 30}" in started_with
    assert {each.split(".")[0] for each in started_with[4:]} == {
        "--companion_process",
        "--health",
        "--logging",
        "--metrics",
        "--plugins",
    }


def test_a_companion_that_cannot_start_is_tried_again_after_growing_pauses(caplog):
    companion = CompanionProcess(["/no/such/program"], first_delay=0.1)
    eventually(lambda: len(caplog.messages) >= 3)
    companion.close()
    assert [message.split("again in ")[1] for message in caplog.messages[:3]] == ["0.1 s", "0.2 s", "0.4 s"]
    assert "could not be started" in caplog.text


def test_a_companion_for_which_there_is_no_memory_is_tried_again(monkeypatch, caplog):
    def no_memory(*_, **__):
        raise MemoryError

    monkeypatch.setattr("subprocess.Popen", no_memory)
    companion = CompanionProcess([sys.executable, "-c", ""], first_delay=0.01)
    eventually(lambda: len(caplog.messages) >= 2)
    companion.close()
    assert "the companion process could not be started: MemoryError" in caplog.text


def test_a_companion_that_ends_is_tried_again(caplog):
    companion = CompanionProcess([sys.executable, "-c", "raise SystemExit(3)"], first_delay=0.01)
    eventually(lambda: len(caplog.messages) >= 2)
    companion.close()
    assert "the companion process has ended (3); it is started again" in caplog.text


def test_a_companion_whose_configuration_is_wrong_says_so(installation):
    done = installation.socorro("symbols", "manage", "--companion_process.symbol_cache_size=much")
    assert done.returncode == 2
    assert "such as 500M or 4G" in done.stderr
