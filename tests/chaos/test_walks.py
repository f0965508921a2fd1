"""A stack that differs from what its symbols say is noticed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.walks import CleanWalks
from tests.shared import SAMPLES, stackwalker

LIGHTBOX = "lightbox/561F144541602F969DC91FFDB6C2F1E30/lightbox.sym"

Walk = Callable[..., dict[str, Any]]


@pytest.fixture
def walks(tmp_path: Path) -> CleanWalks:
    return CleanWalks(stackwalker(), tmp_path / "served")


@pytest.fixture
def processed(walks: CleanWalks, tmp_path: Path) -> Walk:
    def processed(*files: str) -> dict[str, Any]:
        """Return a crash that was walked with these symbol files."""
        for file in files:
            copy = tmp_path / "some" / file
            copy.parent.mkdir(parents=True)
            shutil.copyfile(SAMPLES / "symbols" / file, copy)
        return {"json_dump": walks.walk("segfault", tmp_path / "some")}

    return processed


def test_a_crash_is_compared_with_a_walk_with_the_symbols_that_it_had(walks, processed):
    none, some = processed(), processed(LIGHTBOX)
    everything = {"json_dump": walks.walk("segfault", walks.served)}

    assert [walks.symbols_of("segfault", each) for each in (none, some, everything)] == ["none", "some", "all"]
    assert [walks.difference("segfault", each) for each in (none, some, everything)] == ["", "", ""]


def test_a_wrong_function_name_is_reported(walks, processed):
    crash = json.loads(json.dumps(processed(LIGHTBOX)).replace("lightbox::main", "another::main"))

    assert "another::main" in walks.difference("segfault", crash)


def test_names_that_a_rule_wrote_into_inlined_functions_are_no_difference(walks):
    crash = {"json_dump": walks.walk("segfault", walks.served)}
    frames = [frame for thread in crash["json_dump"]["threads"] for frame in thread["frames"]]
    inlined = [function for frame in frames for function in frame["inlines"] or ()]
    for function in inlined:
        function["normalized"] = "another"

    assert inlined
    assert walks.difference("segfault", crash) == ""
    inlined[0]["function"] = "another"
    assert walks.difference("segfault", crash)


def test_a_missing_frame_is_reported(walks, processed):
    crash = processed(LIGHTBOX)
    del crash["json_dump"]["threads"][-1]["frames"][-1]

    assert walks.difference("segfault", crash)


def test_a_crash_that_claims_symbols_which_do_not_exist_is_reported(walks, processed):
    crash = processed()
    (libc,) = (module for module in crash["json_dump"]["modules"] if module["filename"] == "libc.so.6")
    libc["loaded_symbols"] = True

    assert "symbols that there are not: ['libc.so.6" in walks.difference("segfault", crash)


def test_a_crash_without_a_walk_has_nothing_to_compare(walks):
    assert walks.symbols_of("segfault", {"json_dump": {}}) == walks.difference("segfault", {}) == ""
