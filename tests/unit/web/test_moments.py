"""Times as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from socorro_processor.web.pages.moments import moment_text, with_moments
from tests.unit.cli.reports import processed
from tests.unit.web.crash_pages import page_of


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 12, 2, 23, 54, 42, 999_999, tzinfo=UTC),
        datetime(2026, 12, 2, 23, 54, 42),
        datetime(2026, 12, 3, 1, 54, 42, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_time_is_shown_in_utc_to_the_second(moment: datetime) -> None:
    assert moment_text(moment) == "2026-12-02 23:54:42"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-12-02T23:54:42+00:00, 0:00:05 after its start", "2026-12-02 23:54:42, 0:00:05 after its start"),
        ("2026-12-02T23:54:42.123456Z", "2026-12-02 23:54:42"),
        ("2026-12-03T01:54:42+02:00", "2026-12-02 23:54:42"),
        ("2026-12-02 23:54:42", "2026-12-02 23:54:42"),
        ("2026-12-02", "2026-12-02"),
        ("2026-13-02T23:54:42Z", "2026-13-02T23:54:42Z"),
        ("0001-01-01T00:00:00+23:00", "0001-01-01T00:00:00+23:00"),
        ("12026-12-02T23:54:42Z", "12026-12-02T23:54:42Z"),
        ("2026-12-02T23:54:421", "2026-12-02T23:54:421"),
        ("<b>", "<b>"),
    ],
)
def test_the_times_in_a_text_are_shown_so_and_all_else_stays(text: str, shown: str) -> None:
    assert with_moments(text) == shown


def test_the_page_of_a_crash_says_utc_once_and_has_no_other_form_among_its_facts() -> None:
    facts = page_of(processed(), {}).one("div", class_="facts")
    assert "crashed 2016-11-23 00:00:00, 1:02:05 after its start" in facts.text
    assert "submitted 2016-11-23 00:01:00 processed 2016-11-23 00:02:00, by version" in facts.text
    assert facts.text.count("UTC") == 1
    assert "+00:00" not in facts.text
