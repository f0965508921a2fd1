"""The manager of the symbol cache as a process: limits, restarts, takeovers, and many users at once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.symbol_cache.index_directory import (
    IndexDirectory,
    IndexRequest,
    ask_the_manager,
    index_directory,
)
from tests.shared import own_stackwalker
from tests.system.daemon import SOCORRO, eventually
from tests.system.symbol_cache import SymbolCache, end
from tests.system.symbol_cache_users import CacheUsers, SizeMeter

STRESS_SECONDS = float(os.environ.get("SOCORRO_STRESS_SECONDS", "5"))
"""Seconds of random reading and writing; a minute in the final run."""


@pytest.fixture
def cache(tmp_path):
    cache = SymbolCache(tmp_path, size=100)
    yield cache
    cache.close()


def test_the_cache_is_kept_to_its_size_and_the_file_unused_for_longest_goes(cache, capsys):
    cache.manage()
    cache.wait_for_log("0 files")
    for name in ("a", "b", "c"):
        cache.write(name, 30)
        eventually(lambda: cache.status(capsys).get("bytes") == cache.bytes())
    cache.write("a", 30)
    eventually(lambda: cache.status(capsys)["hits"] > 0)
    cache.write("d", 30)
    eventually(lambda: cache.names() == {"a", "c", "d"})
    eventually(lambda: cache.status(capsys)["evictions"] == 1)
    status = cache.status(capsys)
    assert (
        status
        | {
            "managed": True,
            "files": 3,
            "bytes": 90 * 1024,
            "limit": 100 * 1024,
            "evicted_bytes": 30 * 1024,
            "overflows": 0,
            "watching": True,
        }
        == status
    )
    assert "removed 'b.pdb/ABCDEF0123456789/b.sym'" in cache.log.read_text()
    eventually(lambda: not cache.empty_directories())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_manager_ends_when_it_is_told_to_and_the_next_one_knows_the_order_of_use(cache, number):
    for name in ("a", "b", "c"):
        path = cache.write(name, 30)
        os.utime(path, (1000, 1000))
    manager = cache.manage()
    cache.wait_for_log("3 files")
    os.close(os.open(cache.path / "b.pdb/ABCDEF0123456789/b.sym", os.O_RDONLY))  # reads nothing: no access time
    assert end(manager, number) == 0
    cache.manage()
    cache.wait_for_log("3 files", times=2)
    cache.write("d", 60)
    eventually(lambda: cache.names() == {"b", "d"})


def test_a_manager_that_is_killed_at_any_moment_leaves_nothing_that_the_next_one_cannot_repair(cache, capsys):
    chance = random.Random(7)
    for round_ in range(4):
        manager = cache.manage()
        cache.wait_for_log("of 102400 bytes", times=round_ + 1)
        for _ in range(chance.randrange(1, 60)):
            cache.write(f"{chance.randrange(20)}", chance.randrange(1, 40))
        end(manager, signal.SIGKILL)
        for _ in range(5):  # nobody watches
            cache.write(f"unseen-{chance.randrange(20)}", 20)
    cache.manage()
    cache.wait_for_log("of 102400 bytes", times=5)
    eventually(lambda: cache.bytes() <= cache.limit)
    eventually(lambda: cache.status(capsys)["bytes"] == cache.bytes())
    eventually(lambda: not cache.empty_directories())


def test_a_second_manager_waits_and_takes_over(cache, capsys):
    first = cache.manage()
    cache.wait_for_log("0 files")
    second = cache.manage()
    cache.wait_for_log("this one waits")
    eventually(lambda: cache.status(capsys).get("pid") == first.pid)
    end(first, signal.SIGKILL)
    eventually(lambda: cache.status(capsys)["pid"] == second.pid)
    cache.write("a", 101)
    eventually(lambda: cache.names() == set())
    assert end(second) == 0


def test_a_manager_that_waits_ends_when_it_is_told_to(cache):
    cache.manage()
    cache.wait_for_log("0 files")
    second = cache.manage()
    cache.wait_for_log("this one waits")
    assert end(second) == 0


def test_a_cache_that_is_wiped_is_managed_again(cache, capsys):
    cache.manage()
    cache.wait_for_log("0 files")
    cache.write("a", 30)
    shutil.rmtree(cache.path)
    cache.wait_for_log("was replaced")
    cache.wait_for_log("0 files", times=2)
    cache.write("b", 60)
    cache.write("c", 60)
    eventually(lambda: cache.names() == {"c"})
    eventually(lambda: cache.status(capsys)["bytes"] == 60 * 1024)


IMPATIENT_MANAGER = """
from socorro_processor.configuration import DotDict, defaults
from socorro_processor.monitoring.log import set_up_logging
from socorro_processor.symbol_cache.manager import SymbolLRUCacheManager

set_up_logging(DotDict({"level": "INFO", "format": "plain"}))
config = defaults(SymbolLRUCacheManager, symbol_cache_path="cache", symbol_cache_size="100k")
SymbolLRUCacheManager(config, scan_interval=0.2).run(lambda: False)
"""
"""A manager that scans its cache five times a second, not once a minute."""


@pytest.mark.parametrize("which", ["watches", "instances"])
def test_with_too_few_watches_the_manager_names_the_setting_to_raise_and_scans_the_cache(cache, tmp_path, which):
    program = tmp_path / "manager.py"
    program.write_text(IMPATIENT_MANAGER)
    cache.write("a", 30)
    # The limit of a user namespace of its own, because the machine's limit applies to everybody.
    limit = f'echo 3 > /proc/sys/user/max_inotify_{which} && exec "$0" "$1"'
    if which == "instances":
        limit = limit.replace("3", "0")
    process = cache.manage("unshare", "--user", "--map-root-user", "sh", "-c", limit, sys.executable, str(program))
    cache.wait_for_log("1 files")
    for name in ("b", "c", "d"):
        cache.write(name, 30)
    cache.wait_for_log(f"Raise the sysctl fs.inotify.max_user_{which}")
    eventually(lambda: cache.names() == {"b", "c", "d"})
    for name in ("e", "f"):  # below directories without a watch
        cache.write(name, 30)
    eventually(lambda: cache.names() == {"d", "e", "f"})
    assert cache.log.read_text().count("Raise the sysctl") == 1
    end(process, signal.SIGKILL)


@pytest.fixture
def cache_in_memory():
    """In memory: on a disk, the test would measure how long others make the manager wait."""
    with tempfile.TemporaryDirectory(prefix="symbol-cache-", dir="/dev/shm") as directory:
        cache = SymbolCache(Path(directory), size=2_000, verbosity=0)
        yield cache
        cache.close()


@pytest.fixture
def users(cache_in_memory):
    """Their 5,000 files make up 25 times the limit."""
    users = CacheUsers(cache_in_memory, processes=8, seconds=STRESS_SECONDS)
    yield users
    users.close()


def test_with_eight_processes_limits_hold_and_no_file_in_use_goes(cache_in_memory, users, capsys):
    cache = cache_in_memory
    manager = cache.manage()
    cache.wait_for_log("10 files")
    users.start()
    meter = SizeMeter(cache, manager.pid)
    while users.work():
        meter.measure()
    ended = time.monotonic()
    eventually(lambda: meter.measure() <= cache.limit)
    over = meter.own_time_since(ended)
    eventually(lambda: cache.status(capsys)["bytes"] == cache.bytes())
    eventually(lambda: not cache.empty_directories())
    status = cache.status(capsys)
    excess = meter.excess(users.writes, own_time=0.2)
    print(  # figures, for a run with -rP
        f"{users.written >> 20} MB written in {STRESS_SECONDS:g} s, limit {cache.limit >> 10} kB; at most "
        f"{meter.largest >> 10} kB, {excess} bytes more than it may be; kept to the limit {over:.2f} s after the end; "
        f"the manager had no core for {meter.waited:.1f} s; {status}"
    )
    assert users.lost == 0
    assert users.written > cache.limit
    assert status["evictions"] > 0
    # It may be over its limit by what was written in the last 200 ms, and for at most a second.
    assert excess <= 0
    assert over <= 1.0


SYMBOLS = "MODULE Linux x86_64 ABCDEF01234567890 {0}.pdb\n" + "PUBLIC 1000 0 a_function\n" * 500


def test_indexes_are_built_beside_the_cache_count_with_their_files_and_go_with_them(cache, capsys):
    def put(name):
        path = cache.write(name, 1)
        path.write_text(SYMBOLS.format(name))
        return str(path.relative_to(cache.path))

    def is_counted(*paths):
        eventually(lambda: all(indexes.file(path).is_file() for path in paths), cache.log.read_text)
        both = sum(indexes.file(path).stat().st_size for path in paths) + cache.bytes()
        eventually(lambda: cache.status(capsys)["bytes"] == both)
        return True

    directory = index_directory(cache.path)
    indexes = IndexDirectory(directory)
    orphan = indexes.file("gone.pdb/ABCDEF0123456789/gone.sym")
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"x")
    manager = cache.manage()
    cache.wait_for_log("0 files")
    assert not orphan.parents[1].exists()
    first, corrupt = put("first"), put("corrupt")
    (cache.path / corrupt).write_text("no symbol file")
    eventually(lambda: cache.status(capsys).get("bytes") == cache.bytes())
    walker = str(own_stackwalker())
    for path in (first, corrupt, "../../outside.sym"):
        assert ask_the_manager(cache.path, directory, IndexRequest(path, walker))
    assert is_counted(first, corrupt)
    # By now it knows the stackwalker.
    second = put("second")
    assert is_counted(first, corrupt, second)
    (cache.path / second).unlink()
    eventually(lambda: not indexes.file(second).parents[1].exists())
    cache.write("large", 100)
    eventually(lambda: not indexes.file(first).parents[1].exists())
    assert end(manager) == 0
    assert not ask_the_manager(cache.path, directory, IndexRequest(first, walker))


class TestCommand:
    def test_the_command_is_the_manager(self, cache, capsys):
        manager = cache.manage(*SOCORRO, "symbols", "manage")
        cache.wait_for_log("0 files")
        eventually(lambda: cache.status(capsys).get("pid") == manager.pid)
        assert end(manager) == 0

    def test_without_a_cache_there_is_nothing_to_manage_or_to_say(self, capsys):
        for action in ("manage", "status"):
            assert main(["symbols", action], environ={}) == 2
            assert "set companion_process.symbol_cache_path" in capsys.readouterr().err

    def test_a_state_file_within_the_cache_is_a_configuration_error(self, capsys, tmp_path):
        options = [f"--companion_process.symbol_cache_path={tmp_path}", f"--companion_process.state_path={tmp_path}/s"]
        assert main(["symbols", "status", *options], environ={}) == 2
        assert "set state_path to another directory" in capsys.readouterr().err

    def test_people_see_a_bar_and_a_table(self, cache, capsys):
        manager = cache.manage()
        cache.wait_for_log("0 files")
        cache.write("a", 50)
        eventually(lambda: cache.status(capsys).get("bytes") == 50 * 1024)
        assert main(["symbols", "status", *cache.options], environ={}) == 0
        out = capsys.readouterr().out
        assert f"[{'#' * 20}{'-' * 20}] 50%, 50.0k of 100.0k" in out
        assert [line.split() for line in out.splitlines() if line.startswith("files")] == [["files", "1"]]
        end(manager)
        assert main(["symbols", "status", *cache.options], environ={}) == 1
        assert "no manager runs" in capsys.readouterr().out
