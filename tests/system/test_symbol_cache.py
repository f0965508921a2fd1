"""The manager of the symbol cache as a process: limits, restarts, takeovers, and many who use the cache at once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys

import pytest

from socorro_processor.cli.main import main
from tests.system.daemon import eventually
from tests.system.symbol_cache import SymbolCache, end

STRESS_SECONDS = float(os.environ.get("SOCORRO_STRESS_SECONDS", "5"))
"""How long the cache is read and written at random; a minute in the closing run."""


@pytest.fixture
def cache(tmp_path):
    cache = SymbolCache(tmp_path, size=100)
    yield cache
    cache.close()


def test_it_is_kept_to_its_size_and_the_file_unused_for_longest_goes(cache, capsys):
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
def test_it_ends_when_it_is_told_to_and_takes_up_the_order_of_use_again(cache, number):
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


def test_one_that_is_killed_at_any_moment_leaves_nothing_that_the_next_one_cannot_put_right(cache, capsys):
    chance = random.Random(7)
    for round_ in range(4):
        manager = cache.manage()
        cache.wait_for_log("of 102400 bytes", times=round_ + 1)
        for _ in range(chance.randrange(1, 60)):
            cache.write(f"{chance.randrange(20)}", chance.randrange(1, 40))
        end(manager, signal.SIGKILL)
        for _ in range(5):  # nobody looks
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


def test_one_that_waits_ends_when_it_is_told_to(cache):
    cache.manage()
    cache.wait_for_log("0 files")
    second = cache.manage()
    cache.wait_for_log("this one waits")
    assert end(second) == 0


def test_a_cache_that_is_wiped_is_managed_anew(cache, capsys):
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
from socorro_processor.log import set_up_logging
from socorro_processor.symbols.lru_cache_manager import SymbolLRUCacheManager

set_up_logging(DotDict({"level": "INFO", "format": "plain"}))
config = defaults(SymbolLRUCacheManager, symbol_cache_path="cache", symbol_cache_size="100k")
SymbolLRUCacheManager(config, scan_interval=0.2).run(lambda: False)
"""
"""Looks through its cache five times a second, not once a minute."""


@pytest.mark.parametrize("which", ["watches", "instances"])
def test_with_too_few_of_them_it_says_which_setting_to_raise_and_looks_through_the_cache(cache, tmp_path, which):
    program = tmp_path / "manager.py"
    program.write_text(IMPATIENT_MANAGER)
    cache.write("a", 30)
    # The limit of a user namespace of its own, for that of the machine is everybody's.
    limit = f'echo 3 > /proc/sys/user/max_inotify_{which} && exec "$0" "$1"'
    if which == "instances":
        limit = limit.replace("3", "0")
    process = cache.manage("unshare", "--user", "--map-root-user", "sh", "-c", limit, sys.executable, str(program))
    cache.wait_for_log("1 files")
    for name in ("b", "c", "d"):
        cache.write(name, 30)
    cache.wait_for_log(f"Raise the sysctl fs.inotify.max_user_{which}")
    eventually(lambda: cache.names() == {"b", "c", "d"})
    for name in ("e", "f"):  # below directories that have no watch
        cache.write(name, 30)
    eventually(lambda: cache.names() == {"d", "e", "f"})
    assert cache.log.read_text().count("Raise the sysctl") == 1
    end(process, signal.SIGKILL)


USER = """
import os, random, sys, time
root, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
chance = random.Random(seed)
lost = written = 0
end = time.monotonic() + seconds
while time.monotonic() < end:
    try:
        os.close(os.open(f"{root}/used-{chance.randrange(10)}.pdb/ABCDEF0123456789/used.sym", os.O_RDONLY))
    except FileNotFoundError:
        lost += 1
    name = f"library-{chance.randrange(5000)}"
    path = f"{root}/{name}.pdb/ABCDEF0123456789/{name}.sym"
    if chance.random() < 0.02:
        with __import__("contextlib").suppress(FileNotFoundError):
            os.unlink(path)
    try:
        os.close(os.open(path, os.O_RDONLY))
    except FileNotFoundError:
        # As whoever puts a file in: beside it, then moved; once more where the directory went.
        temporary = f"{root}/.{seed}"
        with open(temporary, "wb") as file:
            written += file.write(b"x" * chance.randrange(20000))
        while True:
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.rename(temporary, path)
                break
            except FileNotFoundError:
                pass
print(lost, written)
"""
"""Opens files at random, puts in those that are missing, deletes some; prints how often a file was gone that
is in use all the time, and how many bytes it has written."""


def test_eight_processes_at_once_see_limits_hold_and_no_file_go_that_is_in_use(tmp_path, capsys):
    cache = SymbolCache(tmp_path, size=2_000)  # 5,000 files come to 25 times as much
    try:
        for number in range(10):
            cache.write(f"used-{number}", 10).rename(
                cache.path / f"used-{number}.pdb" / "ABCDEF0123456789" / "used.sym"
            )
        cache.manage()
        cache.wait_for_log("10 files")
        arguments = [sys.executable, "-c", USER, str(cache.path)]
        users = [
            subprocess.Popen([*arguments, str(seed), str(STRESS_SECONDS)], stdout=subprocess.PIPE, text=True)
            for seed in range(8)
        ]
        largest = 0
        while any(user.poll() is None for user in users):
            largest = max(largest, cache.bytes())
        results = [[int(word) for word in user.communicate()[0].split()] for user in users]
        eventually(lambda: cache.bytes() <= cache.limit)
        eventually(lambda: cache.status(capsys)["bytes"] == cache.bytes())
        eventually(lambda: not cache.empty_directories())
        status = cache.status(capsys)
        written = sum(bytes_ for _, bytes_ in results)
        print(f"{written} bytes written, {largest} at once, limit {cache.limit}; {status}")
        assert [lost for lost, _ in results] == [0] * 8
        assert written > cache.limit
        assert status["evictions"] > 0
    finally:
        cache.close()


class TestCommand:
    def test_the_command_is_the_manager(self, cache, capsys):
        run = "from socorro_processor.cli.main import run; run()"
        manager = cache.manage(sys.executable, "-c", run, "symbols", "manage")
        cache.wait_for_log("0 files")
        eventually(lambda: cache.status(capsys).get("pid") == manager.pid)
        assert end(manager) == 0

    def test_without_a_cache_there_is_nothing_to_manage_or_to_say(self, capsys):
        for action in ("manage", "status"):
            assert main(["symbols", action], environ={}) == 2
            assert "set companion_process.symbol_cache_path" in capsys.readouterr().err

    def test_a_state_within_the_cache_is_a_mistake(self, capsys, tmp_path):
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
