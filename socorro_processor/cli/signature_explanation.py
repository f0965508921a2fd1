"""Print why a crash has its signature: frame by frame, the steps to each name, and the rules that go on with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from socorro_processor.layout import Row, excerpt, table, width_of, wrapped
from socorro_processor.report.signature_reasons import (
    deciding_list,
    end_of,
    reasons_for_frame,
    signed_exception,
    why,
    why_java,
)
from socorro_processor.signature.explain import Explanation, JavaExplanation
from socorro_processor.signing.signer import Rewriting, SignedCrash
from socorro_processor.untrusted import plain

_INDENT = 5
_LONGEST_LABEL = 28  # cells; a longer label shifts its text
_LONGEST_TEXT = 500  # characters of a name or a message; --json has the whole
_BELOW_SHARES = (0.1, 0.0, 0.3)


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
    end = end_of(stack)
    part_width = max((len(frame.part.value) for frame in stack.frames[:end]), default=0)
    reasons = [list(reasons_for_frame(stack, position)) for position in range(end)]
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
    yield from _sentences([signature, *why(stack)], width)


def _below(stack: Explanation, end: int) -> list[Row]:
    """Return the frames below the end, each with the list that would decide about it."""
    return [
        [
            (f"{position:>2}", "dim"),
            (_bounded(stack.frames[position].name) or "(no name)", "dim"),
            (deciding_list(stack.entries[position]), "dim"),
        ]
        for position in range(end, len(stack.frames))
    ]


def _java(java: JavaExplanation, width: int | None) -> Iterator[Text]:
    if java.signed is None:
        yield Text("\nNo Java exception could be read, and there is no minidump", "bold")
        return
    yield Text(f"\nExceptions of {java.annotation}", "bold")
    lines: list[Text] = []
    signed = signed_exception(java)
    for number, exception in enumerate(java.exceptions):
        label = "caused by" if number else "thrown"
        lines += _hanging(f"  {label:<9}  ", _bounded(str(exception)), width, "bold" if number == signed else "")
    yield from excerpt(lines)
    yield Text("\nThe signature of the stack", "bold")
    yield from _sentences([str(java.signed), why_java(java)], width)


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
