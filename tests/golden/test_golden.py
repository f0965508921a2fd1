"""Every golden case of the rules that there are, and of the normal form of frames."""

from __future__ import annotations

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.rule import Rule
from socorro_processor.rules.crash_info import CrashingThreadRule
from socorro_processor.rules.dates_and_times import DatesAndTimesRule
from socorro_processor.rules.general import CPUInfoRule, IdentifierRule, OSInfoRule
from socorro_processor.rules.mozilla import EnvironmentRule, ProductRule, TopMostFilesRule, UserDataRule
from socorro_processor.rules.signature import SignatureGenerationRule, SignatureRunWatchDog, SigTrunc
from socorro_processor.rules.signature_rewriting import (
    AbortSignature,
    OOMSignature,
    SignatureIPCChannelError,
    StackwalkerErrorSignatureRule,
)
from socorro_processor.signature.frames import normalize
from socorro_processor.signature.siglists import SigLists
from tests.golden.cases import GOLDEN, cases_file, compared, of_kind, read_cases, run_rule
from tests.shared import shared

RULES: dict[str, type[Rule]] = {
    rule.__name__: rule
    for rule in (
        AbortSignature,
        CPUInfoRule,
        CrashingThreadRule,
        DatesAndTimesRule,
        EnvironmentRule,
        IdentifierRule,
        OOMSignature,
        OSInfoRule,
        ProductRule,
        SigTrunc,
        SignatureGenerationRule,
        SignatureIPCChannelError,
        SignatureRunWatchDog,
        StackwalkerErrorSignatureRule,
        TopMostFilesRule,
        UserDataRule,
    )
}
CASES = read_cases(cases_file()) if GOLDEN.is_dir() else []


def test_the_golden_cases_are_here():
    shared("golden")


def rule_cases() -> list[object]:
    return [pytest.param(case, id=case["id"]) for case in of_kind(CASES, "rule") if case["rule"] in RULES]


@pytest.fixture(scope="module")
def rules() -> dict[str, Rule]:
    """Every rule as configured by default, but for the signature lists: golden has its own."""
    lists = {"c_signature.siglists_directory": str(GOLDEN / "siglists")}
    return {
        name: rule(defaults(rule, **lists) if "c_signature" in rule.required_config else None)
        for name, rule in RULES.items()
    }


@pytest.mark.parametrize("case", rule_cases())
def test_a_rule_does_what_the_golden_case_says(case, rules):
    assert compared(run_rule(case, rules[case["rule"]])) == compared(case["expect"])


@pytest.fixture(scope="module")
def golden_lists() -> SigLists:
    return SigLists.load(GOLDEN / "siglists")


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in of_kind(CASES, "normalize")])
def test_a_frame_has_the_normal_form_that_the_golden_case_says(case, golden_lists):
    assert normalize(case["frame"], golden_lists.line_numbers) == case["expect"]["normalized"]
