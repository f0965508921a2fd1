"""The badges of a signature: who gets one, who does not, and the numbers that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.unit.web.signature_crashes import TODAY, Crashes, badges, crashes_in

MIXED = "Different faults may be together here"


@pytest.fixture
def crashes(tmp_path: Path) -> Iterator[Crashes]:
    with crashes_in(tmp_path / "search") as crashes:
        # Old enough that nothing is new, and the index goes back far enough to tell what came back.
        crashes.save(TODAY - timedelta(days=90), signature="another")
        yield crashes


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@pytest.mark.parametrize(
    ("first", "days", "is_new"),
    [(0, 7, True), (6, 7, True), (7, 7, False), (7, 28, False), (6, 28, True), (1, 1, False)],
)
def test_new_is_what_was_first_seen_in_the_shown_days_and_the_last_seven_of_them(crashes, first, days, is_new):
    crashes.save(days_ago(first))
    crashes.save()

    found = badges(crashes.page(f"signature=render&days={days}"))

    assert found.get("new") == (f"first seen on {days_ago(first)}" if is_new else None)


def test_new_in_a_product_is_what_that_product_had_not(crashes):
    crashes.save(days_ago(30), product="Darkroom")
    crashes.save(product="Lightbox")

    assert "new" not in badges(crashes.page())
    assert "new" in badges(crashes.page("signature=render&product=Lightbox"))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([20, 3], "since 2026-11-27, after 16 days without a crash"),
        ([18, 3], "since 2026-11-27, after 14 days without a crash"),
        ([17, 3], None),
        ([60, 6, 1], "since 2026-11-24, after 53 days without a crash"),
        ([60, 50], None),
        ([6, 1], None),
        ([60, 8, 1], None),
    ],
)
def test_back_again_is_what_crashes_after_two_weeks_without(crashes, seen, words):
    for days in seen:
        crashes.save(days_ago(days))

    assert badges(crashes.page()).get("back again") == words


@pytest.mark.parametrize("version", [None, "unknown", ""])
def test_a_crash_of_an_unknown_version_does_not_make_a_signature_come_back(crashes, version):
    crashes.save(days_ago(60))
    crashes.save(version=version)

    assert "back again" not in badges(crashes.page())


def test_a_crash_of_an_unknown_version_is_a_crash_in_the_quiet_days(crashes):
    crashes.save(days_ago(60))
    crashes.save(days_ago(10), version=None)
    crashes.save()

    assert "back again" not in badges(crashes.page())


def test_a_signature_whose_old_crashes_were_removed_is_back_again_after_at_least_two_weeks(crashes):
    crashes.store.remove(crashes.save(days_ago(60)))
    crashes.save()

    assert badges(crashes.page())["back again"] == "since 2026-11-30, after at least 14 days without a crash"


def test_an_index_that_does_not_go_back_far_enough_tells_of_no_return(tmp_path):
    with crashes_in(tmp_path / "search") as crashes:
        crashes.store.remove(crashes.save(days_ago(60)))
        crashes.save()

        assert "back again" not in badges(crashes.page())


@pytest.mark.parametrize(
    ("uptimes", "words"),
    [
        ([1, 59, 60], "2 of 3 crashes within 60 seconds of the start"),
        ([1, 60], None),
        ([0, 0, 0], None),
        ([None, None, 5], None),
    ],
)
def test_at_start_is_what_crashes_mostly_within_a_minute(crashes, uptimes, words):
    for uptime in uptimes:
        crashes.save(uptime=uptime)

    assert badges(crashes.page()).get("at start") == words


def test_at_start_is_also_what_the_application_calls_so(crashes):
    crashes.save(startup_crash=True)
    crashes.save(startup_crash=True, uptime=9)
    crashes.save(startup_crash=False)

    words = badges(crashes.page())["at start"]

    assert words == "1 of 3 crashes within 60 seconds of the start; 2 of 3 marked as startup crash"


@pytest.mark.parametrize(
    ("installations", "words"),
    [
        ([1, 1, 2], "2 of 3 crashes; 1 other known installation"),
        ([1, 1, 1, None], "3 of 4 crashes; 0 other known installations"),
        ([1, 1, None, None], None),
        ([1, 1, 2, 3], None),
        ([1, 1], None),
        ([None, None, None], None),
    ],
)
def test_repeated_is_what_one_installation_has_most_crashes_of(crashes, installations, words):
    for number in installations:
        crashes.save(install_time=number)

    assert badges(crashes.page()).get("repeated by one installation") == words


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("render | libphoto.so@0x1a2b", "1 of 2 functions have no name, because symbols are missing: libphoto.so"),
        ("a.so@0x1 | b.so@0x2 | a.so@0x3", "3 of 3 functions have no name, because symbols are missing: a.so, b.so"),
        ("@0x0", "1 of 1 functions have no name, because symbols are missing: an unknown module"),
        ("operator@0xy", None),
        ("mail@0x1.example", None),
    ],
)
def test_mixed_is_what_has_functions_without_a_name(crashes, signature, words):
    crashes.save(signature=signature, proto_signature="a | b")

    page = crashes.page(f"signature={signature.replace(' ', '+')}")

    assert badges(page).get("mixed stacks") == (words and f"{words} (missing symbols)")
    assert bool([each for each in page.all("a") if each.attributes["href"] == "/symbols"]) == bool(words)


@pytest.mark.parametrize(("with_stack", "is_mixed"), [(0, True), (3, True), (4, False)])
def test_mixed_is_also_what_has_many_crashes_without_a_stack(crashes, with_stack, is_mixed):
    crashes.save(proto_signature=None)
    for _ in range(with_stack):
        crashes.save(proto_signature="a | b")

    page = crashes.page()

    assert ("mixed stacks" in badges(page)) == is_mixed
    assert bool([each for each in page.all("li") if each.attributes.get("title", "").startswith(MIXED)]) == is_mixed


def test_badges_follow_the_filters(crashes):
    crashes.save(uptime=1, version="2.4")
    crashes.save(uptime=5000, version="2.3")

    assert "at start" not in badges(crashes.page())
    assert badges(crashes.page("signature=render&version=2.4"))["at start"].startswith("1 of 1 crash within")
