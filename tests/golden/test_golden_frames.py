"""Every golden case of the normal form of today is exact."""

from __future__ import annotations

import json

import pytest

from socorro_processor.signature.normal_form import explain_frame, normalize_frame
from tests.golden.cases import GOLDEN
from tests.shared import shared

FILE = GOLDEN / "today" / "frames.json"
CASES = json.loads(FILE.read_text()) if FILE.is_file() else []


def test_the_cases_of_frames_are_here():
    shared("golden/today")
    assert CASES


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_the_normal_form_of_a_frame_is_what_its_case_expects(case):
    assert normalize_frame(case["input"]) == case["expected"]["normalized"]
    steps = explain_frame(case["input"])
    assert (steps[-1].text if steps else "") == case["expected"]["normalized"]
