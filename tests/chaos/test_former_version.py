import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.former_version import FormerVersion, HistoryMissing
from tests.chaos.run import former_version
from tests.shared import REPOSITORY
from tests.system.daemon import SOCORRO

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


@pytest.mark.parametrize("name", ["processor.ini", "processor-production.ini"])
def test_the_former_version_has_its_own_of_each_configuration(tmp_path: Path, name: str):
    former = former_version(tmp_path / "former")
    environment = former.environment({**os.environ, "SOCORRO__ADMIN__CONF": str(REPOSITORY / "config" / name)})
    command = [*SOCORRO, "processor", "--admin.print_conf=ini"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "\n    processor_class = socorro_processor.pipeline.mozilla_2015." in done.stdout


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
