"""Probes: who asks which, and what 503 means there."""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette

from socorro_processor.monitoring.health import Health
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.web.pages.viewer import ALL
from socorro_processor.web.probes import Probes
from tests.asgi import ask
from tests.viewers import SeenBy


@pytest.fixture
def health():
    health = Health()
    health.resolve("start")
    return health


def statuses(health: Health) -> tuple[int, int]:
    app = SeenBy(Starlette(routes=Probes(health, lambda: {"crashes": 3}).routes()), ALL)
    return ask(app, "/readyz").status, ask(app, "/__heartbeat__").status


def test_a_server_without_problems_is_ready_and_works(health):
    assert statuses(health) == (200, 200)


@pytest.mark.parametrize("part", ["handover", "processor"])
def test_a_part_that_uploads_do_not_need_is_a_problem_for_monitors_and_none_for_balancers(health, part):
    health.add_problem(part, "is away")

    assert statuses(health) == (200, 503)


def test_a_spool_that_takes_nothing_is_a_problem_for_both(health):
    health.add_problem("spool", "the disk is full")

    assert statuses(health) == (503, 503)


def test_a_server_that_starts_or_stops_is_not_ready(health):
    assert statuses(Health()) == (503, 503)
    health.note_stop()
    assert statuses(health) == (503, 503)


def test_readyz_tells_all_problems_and_the_spool(health):
    health.add_problem("processor", "has ended")
    app = SeenBy(Starlette(routes=Probes(health, lambda: {"crashes": 3}).routes()), ALL)

    assert json.loads(ask(app, "/readyz").body) == {
        "ready": True,
        "problems": {"processor": "has ended"},
        "warnings": {},
        "spool": {"crashes": 3},
    }


def test_the_text_of_the_metrics_is_made_at_most_once_a_second(health):
    now = 100.0
    app = SeenBy(Starlette(routes=Probes(health, dict, clock=lambda: now).routes()), ALL)
    before = ask(app, "/metrics").body
    METRICS.increment("web.cut", reason="gap_time")
    now += 0.9
    assert ask(app, "/metrics").body == before
    now += 0.2
    assert ask(app, "/metrics").body != before
