"""Run every target on its seeds and on earlier findings; `make fuzz` goes on from there."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import TARGETS, seeds


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_input_made_for_one_target_is_not_too_much_for_another(target):
    for _, data in seeds():
        target(data)
        target(data[: len(data) // 2])
