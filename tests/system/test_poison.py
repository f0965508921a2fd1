"""A crash that kills or hangs every processor is parked in the end, without any other crash."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from socorro_processor.app.watchdog import EXIT_CODE
from socorro_processor.crashqueue.base import Depths, SetAsideCrash
from tests.system.daemon import Daemon
from tests.system.embedded import EmbeddedInstallation, embedded_installation, supervise

RULE = """
import os
import signal
import time

from socorro_processor.pipeline.rule import Rule


class Poison(Rule):
    def action(self, crash):
        if crash.raw.get("Poison") == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        if crash.raw.get("Poison") == "hangs":
            time.sleep(3600)
        # Long enough to be in work when another one kills the processor.
        time.sleep(0.02)
        return True
"""

DEATHS_UNTIL_SUSPECT = {"sqlite": 0, "rabbitmq": 2}
"""Deaths that are not an attempt of the crash: the queue does not know which of several crashes was to blame."""


@pytest.fixture(params=["sqlite", "rabbitmq"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedInstallation]:
    with embedded_installation(request.param, tmp_path, retry_delays="0.2") as installation:
        installation.plug_in("poison_rule", RULE)
        installation.use_rule("poison_rule.Poison")
        yield installation


def in_order(depths: Depths) -> bool:
    """Return True if nothing is left to do."""
    return depths.suspect == 0 and all(
        depth.waiting == depth.delayed == depth.in_flight == 0 for depth in depths.queues.values()
    )


def run_until_parked(
    installation: EmbeddedInstallation, healthy: list[str], *arguments: str
) -> tuple[list[SetAsideCrash], list[int], str]:
    """Return the crashes that end up parked, the exit codes of earlier daemons, and their logs."""
    daemons: list[Daemon] = []

    def start() -> Daemon:
        daemons.append(installation.start(*arguments))
        return daemons[-1]

    queue = installation.queue_of_its_own
    daemon, ended = supervise(
        start, lambda: bool(queue.depths().parked) and all(map(installation.is_processed, healthy))
    )
    assert daemon.stop() == 0
    assert in_order(queue.depths())
    return list(queue.set_aside("parked")), ended, "".join(daemon.log for daemon in daemons)


def test_a_crash_that_kills_the_processor_is_parked_and_200_healthy_ones_are_saved(request, installation):
    healthy = [installation.submit_crash() for _ in range(30)]
    poison = installation.submit_crash(Poison="kills")
    healthy += [installation.submit_crash() for _ in range(170)]
    parked, ended, _ = run_until_parked(installation, healthy)
    assert [(crash.crash_id, crash.reason, crash.queue) for crash in parked] == [
        (poison, "the processor died in each of 5 attempts", "normal")
    ]
    assert parked[0].attempts == 5
    assert ended == [-signal.SIGKILL] * (5 + DEATHS_UNTIL_SUSPECT[queue_of(request)])
    assert not installation.is_processed(poison)


def test_a_crash_that_hangs_ends_the_processor_with_all_stacks_in_its_log_and_is_parked(request, installation):
    healthy = [installation.submit_crash() for _ in range(5)]
    poison = installation.submit_crash(Poison="hangs")
    healthy += [installation.submit_crash() for _ in range(5)]
    parked, ended, log = run_until_parked(
        installation, healthy, "--app.maximum_crash_time=3", "--app.maximum_attempts=2"
    )
    assert [(crash.crash_id, crash.reason) for crash in parked] == [
        (poison, "the processor died in each of 2 attempts")
    ]
    assert ended == [EXIT_CODE] * (2 + DEATHS_UNTIL_SUSPECT[queue_of(request)])
    assert f"{poison} has been in work for" in log
    assert 'poison_rule.py", line' in log


def queue_of(request: pytest.FixtureRequest) -> str:
    name: str = request.node.callspec.params["installation"]
    return name
