"""The stackwalker that checks a symbol file runs under the same limits as one that walks a dump."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socorro_processor.stackwalk.symbol_check import NoVerdict, is_corrupt
from tests.chaos.leftovers import processes_of
from tests.shared import SAMPLES, own_stackwalker, stock_stackwalker
from tests.system.daemon import eventually
from tests.unit.limited_program import has_limits_a_session_and_no_secrets, program

FILE = next((SAMPLES / "symbols").rglob("lightbox.sym"))


def judged(stackwalker: str) -> str:
    """Return why nothing is known about a symbol file."""
    with pytest.raises(NoVerdict) as refused:
        is_corrupt(FILE, stackwalker)
    return str(refused.value)


@pytest.mark.parametrize("walker", [stock_stackwalker, own_stackwalker])
def test_one_bad_line_makes_a_file_corrupt_for_both(tmp_path, walker):
    assert not is_corrupt(FILE, str(walker()))
    bad = tmp_path / "bad.sym"
    bad.write_bytes(FILE.read_bytes() + b"INLINE_ORIGIN 5\n")
    assert is_corrupt(bad, str(walker()))


def test_a_check_has_limits_a_session_of_its_own_and_a_bare_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_limits_a_session_and_no_secrets(tmp_path, monkeypatch, judged)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exec cat /dev/zero", "killed: its output was too large"),
        ("echo 'memory allocation of 7 bytes failed' >&2; kill -ABRT $$", "wanted more than"),
        ("echo no such dump >&2; exit 3", "exit code 3: no such dump"),
        ("echo '{}'", "cannot check"),
    ],
)
def test_a_failed_check_says_nothing_about_the_file(tmp_path: Path, script: str, said: str) -> None:
    assert said in judged(program(tmp_path, script))


def test_processes_that_a_check_started_end_with_it(tmp_path: Path) -> None:
    judged(program(tmp_path, f"sh -c 'exec sleep 3600' {tmp_path} > {os.devnull} 2>&1 &\nexit 3"))
    eventually(lambda: not processes_of(tmp_path))
