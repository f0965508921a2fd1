"""Explain a signature: the part that each frame has in it, and the entry of a list that gives it that part.

It uses the same choices as the signature (``CSignatureTool.choose_frames``), so the two cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from socorro_processor.signature.c_signature import Choice, CSignatureTool, Part
from socorro_processor.signature.java_stack import JavaException
from socorro_processor.signature.normal_form import Step
from socorro_processor.signature.siglists import (
    IRRELEVANT,
    LINE_NUMBERS,
    PREFIX,
    SENTINELS,
    TRIM_DLL,
    Entry,
    SigLists,
)

BEGINS = "begins here"

_LINE_NUMBER = re.compile(r":(?:[0-9]+|None)$")
_EFFECTS = {
    IRRELEVANT: (frozenset((Part.IRRELEVANT,)), "left out"),
    TRIM_DLL: (frozenset((Part.REPEATED, Part.PREFIX, Part.END)), "offset cut"),
    PREFIX: (frozenset((Part.PREFIX,)), "next one too"),
    LINE_NUMBERS: (frozenset(Part), "line added"),
}
"""By the list, the parts of frames for which its entries have an effect, and that effect."""


@dataclass(frozen=True)
class WalkedFrame:
    """A frame as the stackwalker wrote it."""

    text: str
    steps: tuple[Step, ...] = ()
    """The steps to its normal form, which is the text of the last; none if the normal form has no steps."""
    inlined_into: int | None = None
    """The position of the frame that holds it; None if it is no inlined function, or that frame is not considered."""


@dataclass(frozen=True)
class Explanation:
    """The signature of a stack, and the reasons for it."""

    signature: str
    frames: tuple[Choice, ...]
    walked: tuple[WalkedFrame, ...]
    """Each frame as the stackwalker wrote it. The ``name`` of a choice is the normal form."""
    entries: tuple[tuple[Entry, ...], ...]
    """The entries that each frame matches, the first of each list."""
    begins: str
    ends: str
    notes: tuple[str, ...]

    def effect(self, position: int, entry: Entry) -> str:
        """Return what an entry did to the frame at this position; empty if it had no effect."""
        choice = self.frames[position]
        name = Path(entry.file).name
        if name == SENTINELS:
            is_start = position == 0 or self.frames[position - 1].part is Part.ABOVE
            return BEGINS if choice.part is not Part.ABOVE and is_start else ""
        parts, effect = _EFFECTS[name]
        return effect if choice.part in parts else ""


@dataclass(frozen=True)
class JavaExplanation:
    """The exceptions of a Java stack, and the one that makes the signature."""

    annotation: str
    exceptions: tuple[JavaException, ...]
    """The exception that was thrown, and its causes."""
    signed: JavaException | None
    """None if no annotation could be read."""


def explain(
    tool: CSignatureTool,
    walked: Sequence[WalkedFrame],
    names: Sequence[str],
    lists: SigLists,
    hang_type: int,
    crashing_thread: int | None,
) -> Explanation:
    """Explain the signature that ``CSignatureTool.generate`` makes from these frames, which have these ``names``."""
    signature, notes = tool.generate(names, lists, hang_type, crashing_thread)
    choices = tool.choose_frames(names, lists)
    return Explanation(
        signature=signature,
        frames=tuple(choices),
        walked=tuple(walked[: len(choices)]),
        entries=tuple(tuple(_entries(choice.name, tool, lists)) for choice in choices),
        begins=_begins(choices, lists, tool.hang_prefixes.get(hang_type), hang_type),
        ends=_ends(choices, tool.config.maximum_frames_to_consider),
        notes=tuple(notes),
    )


def describe_entry(entry: Entry) -> str:
    """Return the file, line and text of an entry, for people."""
    return f"{Path(entry.file).name}, line {entry.line}: {entry.text}"


def _entries(name: str, tool: CSignatureTool, lists: SigLists) -> Iterator[Entry]:
    yield from (entry for entry in lists.sentinels if entry.text == name)
    trimmed_by = lists.trim_dll.entry_for(name)
    entries = (
        lists.irrelevant.entry_for(name),
        trimmed_by,
        lists.prefix.entry_for(tool.without_offset(name) if trimmed_by else name),
        # The line number was added because of this list.
        lists.line_numbers.entry_for(_LINE_NUMBER.sub("", name)) if _LINE_NUMBER.search(name) else None,
    )
    yield from (entry for entry in entries if entry is not None)


def _begins(choices: Sequence[Choice], lists: SigLists, hang_prefix: str | None, hang_type: int) -> str:
    start = next((position for position, choice in enumerate(choices) if choice.part is not Part.ABOVE), 0)
    if not choices:
        where = "there are no frames"
    elif choices[start].name in lists.sentinel_frames:
        where = f"with frame {start}, a sentinel"
    else:
        where = "at the top: no frame is a sentinel"
    return f"{where}; in front, {hang_prefix}, because hang_type is {hang_type}" if hang_prefix else where


def _ends(choices: Sequence[Choice], maximum: int) -> str:
    end = next((position for position, choice in enumerate(choices) if choice.part is Part.END), None)
    if end is not None:
        return f"with frame {end}, the first that is not a prefix"
    if not any(choice.text for choice in choices):
        return "no frame says anything"
    if len(choices) >= maximum:
        return f"with the last of the {maximum} frames that are considered: all that count are prefixes"
    return "with the last frame: all that count are prefixes"
