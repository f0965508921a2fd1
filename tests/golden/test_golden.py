"""Every golden case is exact."""

from __future__ import annotations

import pytest

from tests.golden.cases import GOLDEN, Data, Golden, cases_file, differences, read_cases
from tests.shared import shared

CASES = read_cases(cases_file()) if GOLDEN.is_dir() else []


def test_the_golden_cases_are_here():
    shared("golden")


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden(Data.beside(cases_file()))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_a_case_has_the_result_that_it_expects(case, golden):
    assert differences(case["expect"], golden.run(case)) == []
