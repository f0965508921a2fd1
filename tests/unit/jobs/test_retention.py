"""What goes for its age, and what keeps a job from removing anything."""

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


def test_what_is_older_than_the_retention_goes_the_oldest_first():
    assert expired(30, [0, 29, 30, 31, 45]) == ["-45", "-31"]


def test_without_a_retention_nothing_goes():
    assert expired(0, [0, 5000]) == []


def test_where_there_is_nothing_nothing_goes():
    assert expired(30, []) == []


def test_more_than_the_maximum_is_refused_as_a_whole_and_the_message_says_how_to_go_over_it():
    with pytest.raises(NotRemoved, match=r"5 weeks \(2016-10-19 to 2016-10-23\).*--maximum=5$"):
        expired(30, [0, *range(31, 36)])
    assert len(expired(30, [0, *range(31, 36)], "--maximum=5")) == 5


@pytest.mark.parametrize("hours", [-25, 25, 24 * 365])
def test_a_clock_that_is_not_of_the_servers_opinion_removes_nothing(hours):
    clock = NOW + timedelta(hours=hours)
    with pytest.raises(ClockNotTrusted, match=r"this host's clock says 2016-11-23 12:00.*--trust-clock"):
        expired(30, [0, 31], clock=clock)
    assert expired(30, [0, 31], "--trust-clock", clock=clock) == ["-31"]


def test_a_server_some_hours_apart_is_believed():
    assert expired(30, [0, 31], clock=NOW + timedelta(hours=23)) == ["-31"]


def test_a_clock_to_which_all_is_old_removes_nothing():
    ahead = NOW + timedelta(days=60)
    with pytest.raises(ClockNotTrusted, match="the newest of the weeks is of 2016-11-23"):
        expired(30, [0, 7], now=ahead)
    assert expired(30, [0, 7], "--trust-clock", now=ahead) == ["-7", "-0"]


@pytest.mark.parametrize("text", ["-1", "1", "6", "x", "1.5", ""])
def test_a_retention_that_may_be_a_slip_is_refused(text):
    with pytest.raises(ValueError, match="number"):
        parse_retention(text)


def test_a_retention_is_off_or_a_week_and_more():
    assert [parse_retention(text) for text in ("0", "7", "400")] == [0, 7, 400]


def test_what_is_dated_in_the_future_stays():
    assert expired(30, [-5, -400]) == []
