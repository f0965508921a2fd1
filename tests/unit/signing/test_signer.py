"""The explanation of a signature names the places of its frames in the stackwalker's JSON."""

from __future__ import annotations

from typing import Any

import pytest

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, split_command_line
from socorro_processor.signing.signer import FramePlace, Signer
from socorro_processor.signing.stored_crashes import crash_to_sign
from socorro_processor.stackwalk.deep_stacks import cut_deep_stacks

ALGORITHMS = {
    2015: "socorro_processor.pipeline.mozilla_2015.MozillaProcessorAlgorithm2015",
    2026: "socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026",
}


@pytest.fixture(scope="module", params=ALGORITHMS)
def algorithm(request: pytest.FixtureRequest) -> int:
    year: int = request.param
    return year


@pytest.fixture(scope="module")
def signer(algorithm: int) -> Signer:
    source = split_command_line([f"--processor.processor_class={ALGORITHMS[algorithm]}"])[0]
    return Signer(Configuration(ProcessorApp.get_required_config(), [source]).values.processor)


def crash(*threads: list[dict[str, Any]], crashed: int = 1, **more: Any) -> dict[str, Any]:
    json_dump = {"crash_info": {"crashing_thread": crashed}, "threads": [{"frames": frames} for frames in threads]}
    return {"uuid": "5e1f00aa-0d5c-4c0b-9d2e-8f6a20261124", "json_dump": json_dump, **more}


OTHER = [{"function": "poll"}]
INLINES = [{"function": "codec::at"}, {"function": "codec::next"}]


def test_each_frame_has_its_place_and_an_inlined_function_its_own(signer: Signer, algorithm: int) -> None:
    frames = [{"function": "codec::read", "inlines": INLINES}, {"function": "codec::decode", "inlines": None}]
    signed = crash_to_sign("id", {}, crash(OTHER, frames))
    places = signer.explain(signed).places
    inlined = [FramePlace(1, 0, 0), FramePlace(1, 0, 1)] if algorithm == 2026 else []
    assert places == (*inlined, FramePlace(1, 0, None), FramePlace(1, 1, None))


def test_places_count_frames_as_they_are_read_without_what_is_not_one(signer: Signer) -> None:
    frames: list[Any] = [None, {"function": "abort"}, "x", {"function": "codec::decode"}]
    places = signer.explain(crash_to_sign("id", {}, crash(OTHER, frames))).places
    assert places == (FramePlace(1, 0, None), FramePlace(1, 1, None))


def test_a_deep_stack_that_was_cut_has_places_at_its_top(signer: Signer) -> None:
    deep = crash(OTHER, [{"function": f"abort{n}"} for n in range(2000)])
    cut_deep_stacks(deep["json_dump"])
    places = signer.explain(crash_to_sign("id", {}, deep)).places
    assert places == tuple(FramePlace(1, n, None) for n in range(len(places)))
    assert len(places) == 40


def test_a_stack_without_frames_has_no_places(signer: Signer) -> None:
    assert signer.explain(crash_to_sign("id", {}, crash(OTHER, []))).places == ()


def test_a_crash_to_sign_shares_no_frame_with_the_stored_one(signer: Signer) -> None:
    stored = crash(OTHER, [{"function": "F", "module": "A.DLL", "normalized": "old", "inlines": INLINES}])
    stored["json_dump"]["system_info"] = {"os": "Windows NT"}
    before = repr(stored)
    signed = crash_to_sign("id", {}, stored)
    signer.explain(signed)
    assert repr(stored) == before
    assert signed.processed["json_dump"]["threads"][1]["frames"][0]["normalized"] == "F"
