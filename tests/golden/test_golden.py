"""Every golden case is exact."""

from __future__ import annotations

import pytest

from tests.golden.cases import GOLDEN, Case, Data, Golden, cases_file, differences, read_cases
from tests.shared import shared

CASES = read_cases(cases_file()) if GOLDEN.is_dir() else []


def test_the_golden_cases_are_here():
    shared("golden")


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden(Data.beside(cases_file()))


def _not_yet(case: Case) -> list[pytest.MarkDecorator]:
    no_modules = case["kind"] == "pipeline" and case["expect"]["processed_crash"]["flash_version"] == ""
    return [pytest.mark.xfail(reason="flash_version where the stackwalker lists no modules")] if no_modules else []


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"], marks=_not_yet(case)) for case in CASES])
def test_what_becomes_of_a_case_is_what_it_expects(case, golden):
    assert differences(case["expect"], golden.run(case)) == []
