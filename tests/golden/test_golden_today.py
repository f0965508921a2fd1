"""Every golden case of today is exact."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.golden.cases import read_cases
from tests.golden.today import FILES, TODAY, Today
from tests.shared import shared

CASES = [case for file in FILES for case in read_cases(file)] if TODAY.is_dir() else []


def test_the_cases_of_today_are_here():
    shared("golden")
    assert {case["kind"] for case in CASES} == {"frame", "signature", "rule"}


@pytest.fixture(scope="module")
def today() -> Iterator[Today]:
    today = Today()
    yield today
    today.close()


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_crash_of_today_has_the_result_that_its_case_expects(case, today):
    assert today.differences(case) == []
