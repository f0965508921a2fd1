"""The reasons for a signature in words: what happened to each frame, where the signature begins and ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from socorro_processor.signature.c_signature import Part
from socorro_processor.signature.explain import Explanation, JavaExplanation, describe_entry
from socorro_processor.signature.siglists import IRRELEVANT, PREFIX, SENTINELS, TRIM_DLL, Entry

_LISTS = ((SENTINELS, "sentinel"), (IRRELEVANT, "irrelevant"), (PREFIX, "prefix"), (TRIM_DLL, "offset cut"))
"""The part of a frame if the signature did not end above it, by the lists that it is on; the first counts."""


def end_of(stack: Explanation) -> int:
    """Return the position behind the last frame that had a say in the signature."""
    below = (position for position, frame in enumerate(stack.frames) if frame.part is Part.BELOW)
    return next(below, len(stack.frames))


def reasons_for_frame(stack: Explanation, position: int) -> Iterator[tuple[str, str]]:
    """Yield what happened to a frame, each with its name."""
    choice, walked = stack.frames[position], stack.walked[position]
    if walked.steps and walked.text != (choice.text or choice.name):
        yield "original", walked.text
    if walked.inlined_into is not None:
        yield "inlined into", f"frame {walked.inlined_into}"
    for step in walked.steps:
        if step.text != walked.text:
            yield step.name, step.text
    effects = [(stack.effect(position, entry), describe_entry(entry)) for entry in stack.entries[position]]
    yield from ((effect, entry) for effect, entry in effects if effect)
    if choice.part is Part.ABOVE:
        yield "left out", "above the sentinel: it only handled the crash"
    elif choice.part is Part.REPEATED:
        yield "left out", "the same as the frame that was taken before"
    elif choice.part is Part.IRRELEVANT and not choice.name:
        yield "left out", "nothing names it"
    elif choice.part is Part.END:
        yield "ends here", f"no entry of {PREFIX}"


def deciding_list(entries: Sequence[Entry]) -> str:
    """Return the part that a frame below the end would have by these entries; empty if they leave it open."""
    names = {Path(entry.file).name for entry in entries}
    return next((text for name, text in _LISTS if name in names), "")


def why(stack: Explanation) -> list[str]:
    """Return where the signature begins and ends."""
    if not stack.frames:
        return ["there are no frames; behind a semicolon is the status of the stackwalker"]
    if any(frame.text for frame in stack.frames):
        return [f"begins {stack.begins}", f"ends {stack.ends}"]
    return [f"{stack.ends}: the first name stands for all"]


def signed_exception(java: JavaExplanation) -> int:
    """Return the position of the exception that makes the signature; there must be one."""
    return max(number for number, exception in enumerate(java.exceptions) if exception == java.signed)


def why_java(java: JavaExplanation) -> str:
    """Return which exception counts, and what is left out of it; there must be one."""
    counts = "the last cause counts" if len(java.exceptions) > 1 else "the exception counts"
    frame = "with its topmost frame" if java.signed and java.signed.frame else "which has no frame"
    return f"{counts}, {frame}; messages, line numbers and what differs from build to build are left out"
