"""Old crashes are removed, and some conditions keep a job from removing anything."""

import argparse
from datetime import timedelta
from types import SimpleNamespace

import pytest

from socorro_processor.jobs import retention
from socorro_processor.jobs.options import parse_retention
from socorro_processor.jobs.retention import ClockNotTrusted, NotRemoved, Retention
from tests.job_run import noon

NOW = noon(2016, 11, 23)
TODAY = NOW.date()


def work(*arguments: str, now=NOW):
    parser = argparse.ArgumentParser()
    retention.add_arguments(parser, "weeks", 4)
    return SimpleNamespace(arguments=parser.parse_args(arguments), today=now.date(), now=lambda: now)


def expired(days: int, ages, *arguments: str, now=NOW, clock=None):
    found = [(TODAY - timedelta(days=age), f"-{age}") for age in ages]
    return Retention("weeks", days, "cron.x.retention_days").expired(work(*arguments, now=now), found, clock)


def test_items_older_than_the_retention_are_removed_oldest_first():
    assert expired(30, [0, 29, 30, 31, 45]) == ["-45", "-31"]


def test_without_a_retention_nothing_is_removed():
    assert expired(0, [0, 5000]) == []


def test_without_items_nothing_is_removed():
    assert expired(30, []) == []


def test_more_than_the_maximum_is_refused_as_a_whole_and_the_message_says_how_to_exceed_it():
    with pytest.raises(NotRemoved, match=r"5 weeks \(2016-10-19 to 2016-10-23\).*--maximum=5$"):
        expired(30, [0, *range(31, 36)])
    assert len(expired(30, [0, *range(31, 36)], "--maximum=5")) == 5


@pytest.mark.parametrize("hours", [-25, 25, 24 * 365])
def test_a_clock_that_differs_from_the_servers_removes_nothing(hours):
    clock = NOW + timedelta(hours=hours)
    with pytest.raises(ClockNotTrusted, match=r"this host's clock says 2016-11-23 12:00.*--trust-clock"):
        expired(30, [0, 31], clock=clock)
    assert expired(30, [0, 31], "--trust-clock", clock=clock) == ["-31"]


def test_a_server_some_hours_apart_is_believed():
    assert expired(30, [0, 31], clock=NOW + timedelta(hours=23)) == ["-31"]


def test_a_clock_by_which_everything_is_old_removes_nothing():
    ahead = NOW + timedelta(days=60)
    with pytest.raises(ClockNotTrusted, match="the newest of the weeks ends on 2016-11-23"):
        expired(30, [0, 7], now=ahead)
    assert expired(30, [0, 7], "--trust-clock", now=ahead) == ["-7", "-0"]


@pytest.mark.parametrize("text", ["-1", "1", "6", "x", "1.5", ""])
def test_a_retention_that_may_be_a_slip_is_refused(text):
    with pytest.raises(ValueError, match="number"):
        parse_retention(text)


def test_a_retention_is_off_or_at_least_a_week():
    assert [parse_retention(text) for text in ("0", "7", "400")] == [0, 7, 400]


def test_items_dated_in_the_future_stay():
    assert expired(30, [-5, -400]) == []
