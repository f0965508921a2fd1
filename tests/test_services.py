"""What a run starts ends with it, however it ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from tests.system.daemon import eventually

RUN = """
import os, sys
from tests import services

services._COMMAND = sys.argv[1]
with services.services_of_a_run():
    services.service("s3")
    with services.own_servers():
        services.service("rabbitmq")
        {then}
"""
SERVICES = """#!/bin/sh
echo "$@" >> {said}
case $* in *status*) exit {runs} ;; esac
"""


class Services:
    """What stands for ``bin/services``, and remembers what it was told."""

    def __init__(self, directory: Path, runs: bool) -> None:
        self.said = directory / "said"
        self.command = directory / "services"
        self.command.write_text(SERVICES.format(said=self.said, runs=int(not runs)))
        self.command.chmod(0o755)

    def told(self) -> list[str]:
        """By its set, where it has one, which has another name each time."""
        said = [line.split() for line in self.said.read_text().splitlines()]
        return [" ".join("own" if word.startswith("--set=") else word for word in words) for words in said]


def run(services: Services, then: str) -> int:
    return subprocess.run([sys.executable, "-c", RUN.format(then=then), services.command], cwd=REPOSITORY).returncode


@pytest.mark.parametrize(("then", "code"), [("pass", 0), ("sys.exit(3)", 3)])
def test_what_a_run_starts_is_stopped_at_its_end_and_servers_of_its_own_are_removed(tmp_path: Path, then, code):
    services = Services(tmp_path, runs=False)
    assert run(services, then) == code
    told = services.told()
    assert told[:6] == [
        "status s3",
        "start s3",
        "env s3",
        "own status rabbitmq",
        "own start rabbitmq",
        "own env rabbitmq",
    ]
    assert told[6] == "own remove"
    # Once more, by whoever makes sure of it.
    assert sorted(told[7:]) == ["own remove", "stop s3"]


def test_what_ran_before_goes_on(tmp_path: Path):
    services = Services(tmp_path, runs=True)
    run(services, "pass")
    assert not any("stop" in each for each in services.told())


def test_what_a_killed_run_has_started_is_ended_as_well(tmp_path: Path):
    services = Services(tmp_path, runs=False)
    assert run(services, "os.kill(os.getpid(), 9)") == -signal.SIGKILL
    eventually(lambda: {"own remove", "stop s3"} <= set(services.told()))
