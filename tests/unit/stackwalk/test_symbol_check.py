"""The stackwalker that judges a symbol file is run as carefully as one that walks a dump."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socorro_processor.stackwalk.symbol_check import NoVerdict, is_corrupt
from tests.chaos.leftovers import processes_of
from tests.shared import SAMPLES, own_stackwalker, stock_stackwalker
from tests.system.daemon import eventually

FILE = next((SAMPLES / "symbols").rglob("lightbox.sym"))


def program(directory: Path, script: str) -> str:
    path = directory / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def judged(directory: Path, script: str) -> str:
    """Why it said nothing of a symbol file."""
    with pytest.raises(NoVerdict) as refused:
        is_corrupt(FILE, program(directory, script))
    return str(refused.value)


@pytest.mark.parametrize("walker", [stock_stackwalker, own_stackwalker])
def test_one_bad_line_and_a_file_is_corrupt_for_either(tmp_path, walker):
    assert not is_corrupt(FILE, str(walker()))
    bad = tmp_path / "bad.sym"
    bad.write_bytes(FILE.read_bytes() + b"INLINE_ORIGIN 5\n")
    assert is_corrupt(bad, str(walker()))


def test_it_has_limits_a_session_of_its_own_and_a_bare_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "secret")
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
    assert "PASSWORD" not in (tmp_path / "environment").read_text()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exec cat /dev/zero", "killed, its output was too large"),
        ("echo 'memory allocation of 7 bytes failed' >&2; kill -ABRT $$", "it wanted more than"),
        ("echo no such dump >&2; exit 3", "exit code 3: no such dump"),
        ("echo '{}'", "could not be asked"),
    ],
)
def test_one_that_goes_wrong_says_nothing_of_the_file(tmp_path: Path, script: str, said: str) -> None:
    assert said in judged(tmp_path, script)


def test_what_it_has_started_ends_with_it(tmp_path: Path) -> None:
    judged(tmp_path, f"sh -c 'exec sleep 3600' {tmp_path} > {os.devnull} 2>&1 &\nexit 3")
    eventually(lambda: not processes_of(tmp_path))
