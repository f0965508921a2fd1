import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.former_version import FormerVersion, HistoryMissing
from tests.chaos.run import former_version

PROGRAM = "from socorro_processor.crashqueue.base import Delivery; print('history' in Delivery.__dataclass_fields__)"


def printed(environment: dict[str, str], directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=directory,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_the_former_version_runs_in_its_environment_and_this_one_in_any_other(tmp_path: Path):
    former = former_version(tmp_path / "former")

    assert printed(former.environment(os.environ), tmp_path) == "False"
    assert printed(dict(os.environ), tmp_path) == "True"


def test_a_copy_without_history_has_no_former_version(tmp_path: Path):
    with pytest.raises(HistoryMissing, match="no commit 0fea346db170"):
        FormerVersion(tmp_path / "former", repository=tmp_path)


def test_a_history_without_the_commit_has_no_former_version(tmp_path: Path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "shallow")], check=True)

    with pytest.raises(HistoryMissing, match="no commit 0fea346db170"):
        FormerVersion(tmp_path / "former", repository=tmp_path / "shallow")


def test_without_the_history_a_test_is_skipped_in_ci_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.skip.Exception, match="a shallow one"):
        former_version(tmp_path / "former", repository=tmp_path)
