"""`make check-pythons`, with stand-ins for the Pythons."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.shared import REPOSITORY

PYTHON = """#!/bin/sh
case "$*" in
    *"-m pip"*) ;;
    *"-m venv"*) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
    *"-m pytest"*) echo "$0 $*" >> {told}; exit {code} ;;
    *) exit {runs} ;;
esac
"""


@pytest.fixture
def check(tmp_path):
    """Run it with Pythons of these versions on the PATH, each of which ends its tests with this exit code."""
    (tmp_path / "bin").mkdir()
    shutil.copy(REPOSITORY / "bin" / "check-pythons", tmp_path / "bin")
    for name in ("requirements-dev.txt", "setup.py"):
        (tmp_path / name).touch()
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "sh", "cp", "dirname", "mkdir", "touch"):
        (programs / name).symlink_to(shutil.which(name))
    told = tmp_path / "told"
    told.touch()

    def run(
        codes: dict[str, int], *arguments: str, ci: str = "", shims: Sequence[str] = ()
    ) -> tuple[int, str, list[str]]:
        for version, code in codes.items():
            python = programs / f"python{version}"
            python.write_text(PYTHON.format(told=told, code=code, runs=int(version in shims)))
            python.chmod(0o755)
        done = subprocess.run(
            [tmp_path / "bin" / "check-pythons", *arguments],
            env={"PATH": str(programs), "CI": ci},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, told.read_text().splitlines()

    return run


def environment(version: str) -> str:
    return str(Path(".local/pythons", version, "bin/python"))


def test_each_installed_python_runs_the_unit_tests(check):
    code, out, told = check({"3.11": 0, "3.12": 0, "3.13": 0})
    assert code == 0, out
    assert told == [f"{environment(version)} -m pytest tests/unit" for version in ("3.11", "3.12", "3.13")]
    assert out.splitlines()[-1] == "passed with Python: 3.11 3.12 3.13"


def test_a_missing_python_is_named(check):
    code, out, told = check({"3.11": 0}, "tests/unit/crashqueue")
    assert (code, told) == (0, [f"{environment('3.11')} -m pytest tests/unit/crashqueue"])
    assert out.splitlines()[-2:] == ["passed with Python: 3.11", "not on the PATH: python3.12 python3.13"]


def test_a_shim_without_its_python_does_not_count(check):
    code, out, told = check({"3.11": 0, "3.12": 0}, shims=["3.12"])
    assert (code, len(told)) == (0, 1)
    assert out.splitlines()[-1] == "not on the PATH: python3.12 python3.13"


@pytest.mark.parametrize(("codes", "ci"), [({"3.11": 0, "3.13": 1}, ""), ({"3.11": 0, "3.12": 0}, "true"), ({}, "")])
def test_a_failure_is_reported_by_the_exit_code(check, codes, ci):
    code, out, _ = check(codes, ci=ci)
    assert code == 1, out


def test_the_versions_are_those_that_the_package_supports(check):
    """The first is the oldest supported one."""
    least = (REPOSITORY / "setup.py").read_text().partition('python_requires=">=')[2].partition('"')[0]
    _, out, _ = check({})
    assert f"not on the PATH: python{least} " in out
    assert os.access(REPOSITORY / "bin" / "check-pythons", os.X_OK)
