"""The stackwalker that judges a symbol file is run as carefully as one that walks a dump."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.symbols.index_process import IndexProcess, NotIndexed
from tests.chaos.leftovers import processes_of
from tests.shared import SAMPLES
from tests.system.daemon import eventually

FILE = next((SAMPLES / "symbols").rglob("lightbox.sym"))
ALLOWED = {"LANG", "MALLOC_ARENA_MAX", "TOKIO_WORKER_THREADS", "PATH", "TMPDIR", "LD_LIBRARY_PATH"}
OF_THE_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}
MARK = "SOCORRO_CRASH_DIRECTORY"


def walker(directory: Path, script: str) -> str:
    path = directory / "walker"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def judged(directory: Path, script: str) -> str:
    """Why no index was built with this stackwalker."""
    process = IndexProcess(FILE, directory / "index", walker(directory, script), "0.25.0")
    with pytest.raises(NotIndexed) as refused:
        process.finish(30.0)
    return str(refused.value)


def test_it_has_limits_a_session_of_its_own_and_a_bare_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/secret")
    monkeypatch.setenv("PYTHONSECRET", "secret")
    # It may be faster than the limits that are set at once; after two seconds of CPU it gives up.
    script = f"""ulimit -t 2
while [ "$(ulimit -v)" = unlimited ]; do :; done
tr '\\0' '\\n' < /proc/$$/environ > {tmp_path}/environment
{{ ulimit -v; ulimit -c; ulimit -n; cut -d' ' -f6 /proc/$$/stat; echo $$; }} > {tmp_path}/limits
"""
    judged(tmp_path, script)
    memory, core, files, session, pid = (tmp_path / "limits").read_text().split()
    assert int(memory) * 1024 <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert (core, session) == ("0", pid)
    assert int(files) <= 1024
    names = {line.partition("=")[0] for line in (tmp_path / "environment").read_text().splitlines()}
    assert names - OF_THE_SHELL - {MARK} <= ALLOWED


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exec cat /dev/zero", "killed, its output was too large"),
        ("echo 'memory allocation of 7 bytes failed' >&2; kill -ABRT $$", "it wanted more than"),
        ("echo no such dump >&2; exit 3", "exit code 3: no such dump"),
        ("echo '{}'", "could not be asked"),
    ],
)
def test_one_that_goes_wrong_costs_the_index_and_says_why(tmp_path: Path, script: str, said: str) -> None:
    assert said in judged(tmp_path, script)


def test_what_it_has_started_ends_with_it(tmp_path: Path) -> None:
    judged(tmp_path, f"sh -c 'exec sleep 3600' {tmp_path} > {os.devnull} 2>&1 &\nexit 3")
    eventually(lambda: not processes_of(tmp_path))


def test_the_command_that_builds_indexes_gives_it_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PASSWORD", "secret")
    path = walker(tmp_path, f"tr '\\0' '\\n' < /proc/$$/environ > {tmp_path}/environment; echo another 1.0")
    rule = "--processor.raw_to_processed_transform.BreakpadStackwalkerRule2015"
    main(["symbols", "index", f"{rule}.command_pathname={path}"], environ={})
    capsys.readouterr()
    names = {line.partition("=")[0] for line in (tmp_path / "environment").read_text().splitlines()}
    assert names - OF_THE_SHELL <= ALLOWED, json.dumps(sorted(names))
