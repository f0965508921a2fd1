"""Explain a signature: the part that each frame has in it, and the entry of a list that gives it that part.

It uses the same choices as the signature (``choose_frames``), so the two cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from socorro_processor.signature.c_signature import HANG_PREFIXES, Choice, CSignatureTool, Part, choose_frames
from socorro_processor.signature.siglists import Entry, SigLists

_LINE_NUMBER = re.compile(r":(?:[0-9]+|None)$")


@dataclass(frozen=True)
class Explanation:
    """The signature of a stack, and the reasons for it."""

    signature: str
    frames: tuple[Choice, ...]
    walked: tuple[str, ...]
    """The text of the stackwalker for each frame; the name of the frame is its normal form."""
    entries: tuple[tuple[Entry, ...], ...]
    """The entries that each frame matches, the first of each list."""
    begins: str
    ends: str
    notes: tuple[str, ...]


def explain(
    tool: CSignatureTool,
    walked: Sequence[str],
    names: Sequence[str],
    lists: SigLists,
    hang_type: int,
    crashing_thread: int | None,
) -> Explanation:
    """Explain the signature that ``CSignatureTool.generate`` makes of these frames (``as_walked``) and ``names``."""
    signature, notes = tool.generate(names, lists, hang_type, crashing_thread)
    choices = choose_frames(names, lists)
    return Explanation(
        signature=signature,
        frames=tuple(choices),
        walked=tuple(walked[: len(choices)]),
        entries=tuple(tuple(_entries(choice.name, lists)) for choice in choices),
        begins=_begins(choices, lists, hang_type),
        ends=_ends(choices, tool.config.maximum_frames_to_consider),
        notes=tuple(notes),
    )


def describe_entry(entry: Entry) -> str:
    """Return the file, line and text of an entry, for people."""
    return f"{Path(entry.file).name}, line {entry.line}: {entry.text}"


def _entries(name: str, lists: SigLists) -> Iterator[Entry]:
    yield from (entry for entry in lists.sentinels if entry.text == name)
    trimmed_by = lists.trim_dll.entry_for(name)
    found = (
        lists.irrelevant.entry_for(name),
        trimmed_by,
        lists.prefix.entry_for(name.split("@", 1)[0] if trimmed_by else name),
        # The line number was added because of this list.
        lists.line_numbers.entry_for(_LINE_NUMBER.sub("", name)) if _LINE_NUMBER.search(name) else None,
    )
    yield from (entry for entry in found if entry is not None)


def _begins(choices: Sequence[Choice], lists: SigLists, hang_type: int) -> str:
    start = next((position for position, choice in enumerate(choices) if choice.part is not Part.ABOVE), 0)
    if not choices:
        where = "there are no frames"
    elif choices[start].name in lists.sentinel_frames:
        where = f"with frame {start}, a sentinel"
    else:
        where = "at the top: no frame is a sentinel"
    prefix = HANG_PREFIXES.get(hang_type)
    return f"{where}; in front, {prefix}, because hang_type is {hang_type}" if prefix else where


def _ends(choices: Sequence[Choice], maximum: int) -> str:
    end = next((position for position, choice in enumerate(choices) if choice.part is Part.END), None)
    if end is not None:
        return f"with frame {end}, the first that is not a prefix"
    if not any(choice.taken for choice in choices):
        return "no frame says anything"
    if len(choices) >= maximum:
        return f"with the last of the {maximum} frames that are considered: all that count are prefixes"
    return "with the last frame: all that count are prefixes"
