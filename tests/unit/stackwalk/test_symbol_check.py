"""The stackwalker that judges a symbol file is run as carefully as one that walks a dump."""

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
    """Why it said nothing of a symbol file."""
    with pytest.raises(NoVerdict) as refused:
        is_corrupt(FILE, stackwalker)
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
    has_limits_a_session_and_no_secrets(tmp_path, monkeypatch, judged)


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
    assert said in judged(program(tmp_path, script))


def test_what_it_has_started_ends_with_it(tmp_path: Path) -> None:
    judged(program(tmp_path, f"sh -c 'exec sleep 3600' {tmp_path} > {os.devnull} 2>&1 &\nexit 3"))
    eventually(lambda: not processes_of(tmp_path))
