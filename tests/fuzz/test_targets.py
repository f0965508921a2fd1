"""What the fuzzer begins with, and what it has found: `make fuzz` goes on from there."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import TARGETS, seeds


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_nothing_that_was_made_for_one_of_them_is_too_much_for_another(target):
    for _, data in seeds():
        target(data)
        target(data[: len(data) // 2])
