"""Find entries of signature lists that can match no frame, because the normal form takes away what they name.

    Foo<int>::bar       the normal form of Foo<int>::bar is Foo<T>::bar
    \\[vdso\\]@           the normal form of [vdso]@0x1 is vdso@0x1

Texts that an entry matches are tried, each as a function and as a module, with several ends. An entry is named only
if each of them becomes a name that the entry does not match; so one that is unusual may be missed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from socorro_processor.signature.c_signature import CSignatureTool
from socorro_processor.signature.example_texts import example_texts
from socorro_processor.signature.siglists import Entry, PatternList, SigLists

_ENDS = ("", "a", "::a", "<T>", "<T>::a", " as a>::a", " a for a>::a", " for a>::a", "'", "@0x1", "0x1", "1", "@0x1)")
"""Texts that make a whole name of what an entry matches, if they stand behind it."""
_BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}
_PHRASES = (
    "(anonymous namespace)::a",
    "(unloaded a@0x1)",
    "{lambda}::a",
    "{{closure}}",
    "{unnamed type}::a",
    "`scalar deleting destructor'",
    "`vector deleting destructor'",
)
"""Brackets of normal forms: an entry may end in the middle of them."""
_FILES = ("", "a.rs", "a.swift")
"""Files whose language decides how a name is read."""
_UNLOADED = re.compile(r"\(unloaded ([^()@]+)(?:@([^()]*))?\)")
_PLACE = re.compile(r"([^<>(),*&:#@]*)([@#])(.*)", re.DOTALL)
_MODULE = re.compile(r"[^<>(),*&:#@]+")
_BEHIND_CLONE = re.compile(r"\[clone [^\]]*\](?! \[|$)")
_WITH_LINE = re.compile(r"(.*):([0-9]+|None)", re.DOTALL)


@dataclass(frozen=True)
class DeadEntry:
    """An entry that matches no frame."""

    entry: Entry
    text: str
    """A text that it matches."""
    normal_form: str
    """The normal form of that text, which it does not match."""

    def __str__(self) -> str:
        place = f"{self.entry.file}, line {self.entry.line}"
        becomes = f"becomes {self.normal_form}" if self.normal_form else "says nothing"
        return f"{place}: {self.entry.text!r} matches no frame: in the normal form, {self.text} {becomes}"


def dead_entries(tool: CSignatureTool, lists: SigLists) -> Iterator[DeadEntry]:
    """Yield the entries of ``lists`` that match no frame which ``tool`` has named."""
    without_lines = replace(lists, line_numbers=PatternList(()))
    for entry in lists.sentinels:
        yield from _if_dead(entry, [entry.text], entry.text.__eq__, tool, lists)
    for patterns, naming in (
        (lists.irrelevant, lists),
        (lists.prefix, lists),
        (lists.trim_dll, lists),
        (lists.line_numbers, without_lines),
    ):
        for entry in patterns.entries:
            match = re.compile(entry.text).match
            texts = (text + end for text in example_texts(entry.text) for end in _ends(text))
            yield from _if_dead(entry, filter(_is_whole, texts), match, tool, naming)


def _if_dead(
    entry: Entry, texts: Iterable[str], matches: Callable[[str], Any], tool: CSignatureTool, lists: SigLists
) -> Iterator[DeadEntry]:
    dead = None
    for text in filter(matches, texts):
        for frame in _frames(text):
            name = tool.name_frame(frame, lists)
            if matches(name):
                return
            dead = dead or DeadEntry(entry, text, name)
    if dead:
        yield dead


def _ends(text: str) -> Iterator[str]:
    yield from _ENDS
    yield from _ends_of_phrase(text)
    for brackets in ("([{<", "([{"):  # `<` may be an operator
        if closing := _closing(text, brackets):
            yield from (f"{within}{closing}{end}" for within in ("", "a", "T", "...") for end in ("", "::a", ".a"))


def _closing(text: str, brackets: str) -> str:
    """Return the brackets that close those that are open at the end of a text."""
    closing = ""
    for character in text:
        if character in brackets:
            closing = _BRACKETS[character] + closing
        elif closing.startswith(character):
            closing = closing[1:]
    return closing


def _is_whole(text: str) -> bool:
    """Return True if a text may be a whole name: its brackets close, and nothing stands behind ``[clone ...]``."""
    return not _BEHIND_CLONE.search(text) and all(
        text.count(opening) == text.count(closing) for opening, closing in _BRACKETS.items() if opening != "<"
    )


def _ends_of_phrase(text: str) -> Iterator[str]:
    """Yield what is missing of a phrase with whose beginning a text ends."""
    for phrase in _PHRASES:
        for length in range(1, len(phrase)):
            # A bracket alone opens a phrase only where a name begins.
            if text.endswith(phrase[:length]) and (length > 1 or text[:-1].endswith("::") or text == phrase[0]):
                yield phrase[length:]


def _frames(text: str) -> Iterator[dict[str, Any]]:
    """Yield frames that may have this name."""
    place = _PLACE.fullmatch(text)
    if not (place and (place[1].startswith("[") or place[3].startswith("0x"))):
        yield from ({"function": text, "file": file} for file in _FILES)
    if unloaded := _UNLOADED.fullmatch(text):
        yield {"unloaded_modules": [{"module": unloaded[1], "offsets": [unloaded[2]]}]}
    elif place:
        name, sign, number = place.groups()
        if sign == "#":
            yield {"file": name, "line": number}
        else:
            yield {"module": name, "module_offset": number, "offset": number}
    elif _MODULE.fullmatch(text):
        yield {"module": text}
    if with_line := _WITH_LINE.fullmatch(text):
        yield {"function": with_line[1], "line": with_line[2]}
