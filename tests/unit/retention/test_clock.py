"""A wrong clock removes nothing because of its age."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from socorro_processor.retention.bounds import Bounds
from tests.retention_site import RetentionSite

BOUNDS = Bounds(days=90)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RetentionSite]:
    with RetentionSite(tmp_path) as site:
        yield site


def keep_after(site: RetentionSite, **time: float) -> float | None:
    """Let a round run after some time; return for how long its clock is doubted, in hours."""
    site.now += timedelta(**time)
    until = site.keep(BOUNDS, is_trusted=False).doubted_until
    return None if until is None else round((until - site.now.timestamp()) / 3600, 1)


def test_at_the_first_look_at_a_store_old_crashes_stay_for_a_day(site):
    old = site.crash(100)
    assert keep_after(site) == 24
    assert keep_after(site, hours=23) == 1
    assert site.kept() == {old}
    assert keep_after(site, hours=2) is None
    assert site.kept() == set()


def test_after_a_jump_of_the_clock_old_crashes_stay_for_a_day(site):
    site.keep(BOUNDS, is_trusted=True)
    crash = site.crash(10)
    assert keep_after(site, days=365) == 24
    assert site.kept() == {crash}


def test_a_clock_that_is_set_right_again_is_believed_and_nothing_has_gone(site):
    site.keep(BOUNDS, is_trusted=True)
    old, young = site.crash(89.99), site.crash(10)
    keep_after(site, days=365)
    assert site.kept() == {old, young}
    assert keep_after(site, days=-364) is None
    assert site.kept() == {young}


def test_a_short_absence_is_no_reason_for_doubt(site):
    site.keep(BOUNDS, is_trusted=True)
    site.crash(80)
    assert keep_after(site, days=13) is None
    assert site.kept() == set()


def test_nobody_is_told_of_a_doubt_that_keeps_nothing(site):
    site.crash(10)
    assert keep_after(site) is None


def test_the_size_holds_whatever_the_clock_says(site):
    crashes = [site.crash(age) for age in (3, 2, 1)]
    done = site.keep(Bounds(days=90, size=site.size_of(crashes[0])), is_trusted=False)
    assert site.kept() == {crashes[-1]}
    assert done.doubted_until is None
