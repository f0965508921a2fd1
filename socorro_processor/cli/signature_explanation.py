"""Print why a crash has its signature: frame by frame, the steps to each name, and the rules that go on with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from socorro_processor.cli.layout import Row, excerpt, table, width_of, wrapped
from socorro_processor.signature.c_signature import Part
from socorro_processor.signature.explain import Explanation, JavaExplanation, describe_entry
from socorro_processor.signature.siglists import IRRELEVANT, PREFIX, SENTINELS, TRIM_DLL, Entry
from socorro_processor.signing.signer import Rewriting, SignedCrash
from socorro_processor.untrusted import plain

_INDENT = 5
_LONGEST_LABEL = 28  # cells; a longer label shifts its text
_LONGEST_TEXT = 500  # characters of a name or a message; --json has the whole
_BELOW_SHARES = (0.1, 0.0, 0.3)
_LISTS = ((SENTINELS, "sentinel"), (IRRELEVANT, "irrelevant"), (PREFIX, "prefix"), (TRIM_DLL, "offset cut"))
"""The part of a frame if the signature did not end above it, by the lists that it is on; the first counts."""


def print_explanation(explained: SignedCrash) -> None:
    """Print the reasons for the signature of a crash, whose names have steps to their normal forms."""
    console = Console(highlight=False, soft_wrap=True)
    width = width_of(console)
    for line in _lines(explained, width):
        console.print(line)


def _lines(explained: SignedCrash, width: int | None) -> Iterator[Text]:
    rewritings, made_by = explained.rewritings, explained.made_by
    signature = rewritings[made_by].signature if made_by < len(rewritings) else ""
    if made_by:
        yield from _rewritings("At first", rewritings[: made_by + 1], width)
    if explained.java is not None:
        yield from _java(explained.java, width)
    elif explained.stack is not None:
        yield from _stack(explained.stack, explained.thread, signature, width)
    yield from _rewritings("Then", rewritings[made_by + 1 :], width)


def _stack(stack: Explanation, thread: str, signature: str, width: int | None) -> Iterator[Text]:
    if stack.frames:
        yield Text(f"\nFrames of {thread}", "bold")
    end = next((number for number, frame in enumerate(stack.frames) if frame.part is Part.BELOW), len(stack.frames))
    part_width = max((len(frame.part.value) for frame in stack.frames[:end]), default=0)
    reasons = [list(_reasons(stack, position)) for position in range(end)]
    column = _column(chain.from_iterable(reasons))
    for position in range(end):
        frame = stack.frames[position]
        title = f"{position:>2}  {frame.part.value:<{part_width}}  "
        yield from _hanging(title, _bounded(frame.text or frame.name), width, "bold" if frame.text else "")
        yield from _labelled(reasons[position], column, width)
    if below := _below(stack, end):
        yield Text("\nBelow the end, not in the signature", "bold")
        yield from table(below, _BELOW_SHARES, width)
    yield Text("\nThe signature of the stack", "bold")
    yield from _sentences([signature, *_why(stack)], width)


def _reasons(stack: Explanation, position: int) -> Iterator[tuple[str, str]]:
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


def _below(stack: Explanation, end: int) -> list[Row]:
    """Return the frames below the end, each with the list that would decide about it."""
    return [
        [
            (f"{position:>2}", "dim"),
            (_bounded(stack.frames[position].name) or "(no name)", "dim"),
            (_deciding_list(stack.entries[position]), "dim"),
        ]
        for position in range(end, len(stack.frames))
    ]


def _deciding_list(entries: Sequence[Entry]) -> str:
    names = {Path(entry.file).name for entry in entries}
    return next((text for name, text in _LISTS if name in names), "")


def _why(stack: Explanation) -> list[str]:
    """Return where the signature begins and ends."""
    if not stack.frames:
        return ["there are no frames; behind a semicolon is the status of the stackwalker"]
    if any(frame.text for frame in stack.frames):
        return [f"begins {stack.begins}", f"ends {stack.ends}"]
    return [f"{stack.ends}: the first name stands for all"]


def _java(java: JavaExplanation, width: int | None) -> Iterator[Text]:
    if java.signed is None:
        yield Text("\nNo Java exception could be read, and there is no minidump", "bold")
        return
    yield Text(f"\nExceptions of {java.annotation}", "bold")
    lines: list[Text] = []
    signed = max(number for number, exception in enumerate(java.exceptions) if exception == java.signed)
    for number, exception in enumerate(java.exceptions):
        label = "caused by" if number else "thrown"
        lines += _hanging(f"  {label:<9}  ", _bounded(str(exception)), width, "bold" if number == signed else "")
    yield from excerpt(lines)
    yield Text("\nThe signature of the stack", "bold")
    counts = "the last cause counts" if len(java.exceptions) > 1 else "the exception counts"
    frame = "with its topmost frame" if java.signed.frame else "which has no frame"
    left_out = "messages, line numbers and what differs from build to build are left out"
    yield from _sentences([str(java.signed), f"{counts}, {frame}; {left_out}"], width)


def _rewritings(title: str, rewritings: Sequence[Rewriting], width: int | None) -> Iterator[Text]:
    """Yield the rules that made or changed the signature."""
    if rewritings:
        yield Text(f"\n{title}", "bold")
    for rewriting in rewritings:
        yield from _hanging("  ", plain(rewriting.rule), width, "")
        pairs = [("because", rewriting.reason), ("signature", rewriting.signature)]
        yield from _labelled([pair for pair in pairs if pair[1]], _column(pairs), width)


def _column(pairs: Iterable[tuple[str, str]]) -> int:
    """Return the width of the labels, in cells."""
    return min(_LONGEST_LABEL, max((cell_len(label) for label, _ in pairs), default=0))


def _labelled(pairs: Sequence[tuple[str, str]], column: int, width: int | None) -> Iterator[Text]:
    """Yield texts, each behind its label."""
    for label, text in pairs:
        yield from _hanging(f"{'':{_INDENT}}{label:<{column}}  ", _bounded(text), width, "", "dim")


def _sentences(texts: Sequence[str], width: int | None) -> Iterator[Text]:
    """Yield a signature, and sentences about it."""
    for number, text in enumerate(texts):
        yield from _hanging("  ", _bounded(text), width, "" if number else "bold")


def _hanging(title: str, text: str, width: int | None, style: str, title_style: str = "") -> Iterator[Text]:
    """Yield a title and a text behind it, whose further lines are as far to the right."""
    for line in wrapped(text, width, cell_len(title)):
        yield Text.assemble((title, title_style), (line, style))
        title = " " * cell_len(title)


def _bounded(text: str) -> str:
    shown = plain(text[: _LONGEST_TEXT + 1])
    return shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + "…"
