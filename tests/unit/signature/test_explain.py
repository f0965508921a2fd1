"""Why a signature is what it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socorro_processor.configuration import defaults
from socorro_processor.signature.c_signature import DELIMITER, CSignatureTool, Part
from socorro_processor.signature.explain import BEGINS, Explanation, WalkedFrame, describe_entry, explain
from socorro_processor.signature.siglists import FILES, IRRELEVANT, LINE_NUMBERS, PREFIX, SENTINELS, TRIM_DLL

LISTS = {
    IRRELEVANT: "# skipped\nraise\n",
    PREFIX: "abort\nnvidia\n",
    SENTINELS: "handler\n",
    LINE_NUMBERS: "interpret\n",
    TRIM_DLL: "nvidia.*\n",
}
NAMES = ["raise", "abort", "handler", "nvidia.dll@0x1", "nvidia.dll@0x2", "interpret:12", "load", "don't"]


@pytest.fixture(scope="module")
def tool(tmp_path_factory) -> CSignatureTool:
    directory = tmp_path_factory.mktemp("siglists")
    for name in FILES:
        (directory / name).write_text(LISTS[name])
    return CSignatureTool(defaults(CSignatureTool, siglists_directory=str(directory)))


def explained(tool: CSignatureTool, names: list[str], hang_type: int = 0) -> Explanation:
    return explain(tool, [WalkedFrame(name) for name in names], names, tool.lists.current, hang_type, 0)


def test_each_frame_has_its_part_and_the_entry_that_gave_it(tool):
    explanation = explained(tool, ["abort", "handler", "load"])
    assert [choice.part for choice in explanation.frames] == [Part.ABOVE, Part.END, Part.BELOW]

    explanation = explained(tool, ["raise", "nvidia.dll@0x1", "nvidia.dll@0x2", "abort", "interpret:12", "load"])
    assert explanation.signature == "nvidia.dll | abort | interpret:12"
    assert [(choice.part, choice.text) for choice in explanation.frames] == [
        (Part.IRRELEVANT, ""),
        (Part.PREFIX, "nvidia.dll"),
        (Part.REPEATED, ""),
        (Part.PREFIX, "abort"),
        (Part.END, "interpret:12"),
        (Part.BELOW, ""),
    ]
    assert [[describe_entry(entry) for entry in entries] for entries in explanation.entries] == [
        [f"{IRRELEVANT}, line 2: raise"],
        [f"{TRIM_DLL}, line 1: nvidia.*", f"{PREFIX}, line 2: nvidia"],
        [f"{TRIM_DLL}, line 1: nvidia.*", f"{PREFIX}, line 2: nvidia"],
        [f"{PREFIX}, line 1: abort"],
        [f"{LINE_NUMBERS}, line 1: interpret"],
        [],
    ]


@pytest.mark.parametrize(
    ("names", "hang_type", "begins", "ends"),
    [
        (["load"], 0, "at the top", "with frame 0, the first"),
        (["load", "handler"], 0, "with frame 1, a sentinel", "with frame 1, the first"),
        (["abort"], -1, "in front, hang", "with the last frame"),
        (["abort"] * 40, 1, "in front, chromehang", "last of the 40 frames"),
        (["raise"], 0, "at the top", "no frame says anything"),
        ([], 0, "no frames", "no frame says anything"),
    ],
)
def test_the_explanation_says_where_a_signature_begins_and_ends(names, hang_type, begins, ends, tool):
    explanation = explained(tool, names, hang_type)

    assert begins in explanation.begins
    assert ends in explanation.ends


@given(st.lists(st.sampled_from(NAMES), max_size=12))
def test_the_explained_parts_make_the_signature(tool, names):
    explanation = explained(tool, names)
    taken = DELIMITER.join(choice.text for choice in explanation.frames if choice.text)

    assert explanation.signature == tool.generate(names, tool.lists.current, 0, 0)[0]
    assert not taken or explanation.signature == taken.replace("'", "''")
    assert [choice.name for choice in explanation.frames] == names


@given(st.lists(st.sampled_from(NAMES), max_size=12))
def test_a_part_has_an_entry_of_the_list_that_gives_it(tool, names):
    explanation = explained(tool, names)
    needed = {Part.IRRELEVANT: IRRELEVANT, Part.REPEATED: TRIM_DLL, Part.PREFIX: PREFIX}

    for choice, entries in zip(explanation.frames, explanation.entries, strict=True):
        if choice.part in needed:
            assert any(entry.file.endswith(needed[choice.part]) for entry in entries)
        if choice.part is Part.END:
            assert not any(entry.file.endswith((PREFIX, IRRELEVANT)) for entry in entries)


def effects(explanation: Explanation) -> list[list[str]]:
    return [
        [explanation.effect(position, entry) for entry in entries]
        for position, entries in enumerate(explanation.entries)
    ]


def test_an_entry_has_its_effect_only_where_its_frame_is_looked_at(tool):
    assert effects(explained(tool, ["raise", "abort", "handler", "abort", "handler"])) == [
        [""],
        [""],
        [BEGINS],
        [""],
        [""],
    ]
    assert effects(explained(tool, ["raise", "nvidia.dll@0x1", "nvidia.dll@0x2", "abort", "interpret:12"])) == [
        ["left out"],
        ["offset cut", "next one too"],
        ["offset cut", ""],
        ["next one too"],
        ["line added"],
    ]


def test_a_second_sentinel_begins_nothing(tool):
    assert effects(explained(tool, ["handler", "handler"])) == [[BEGINS], [""]]
