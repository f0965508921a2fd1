"""A report in Markdown, to be pasted into a bug: facts, the stack that crashed, missing symbols, notes.

All that comes from the crash is in fenced blocks or code spans, where markup and mentions have no effect. It is short
enough for GitHub, which refuses more than 65,536 characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from socorro_processor.layout import excerpt
from socorro_processor.report import sentences
from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.printed_report import facts, stack
from socorro_processor.report.walked_dump import Thread, WalkedDump

LONGEST = 60_000
"""Characters."""
_LONGEST_LINE = 400  # characters
_MAXIMUM_LINES = 30  # of anything but a stack
_MAXIMUM_DUMPS = 5
_BACKTICKS = re.compile("`+")


def markdown_report(report: CrashReport, address: str = "") -> str:
    """Return the report; ``address`` is that of its page, for a link."""
    head, *rest = _parts(report)
    text = f"{head}\n"
    end = f"\nThe whole report: <{address}>\n" if address else ""
    left_out = "\nThe rest is left out, because a bug tracker would refuse it.\n"
    for part in rest:
        if len(text) + len(part) + len(left_out) + len(end) > LONGEST:
            text += left_out
            break
        text += f"\n{part}\n"
    return text + end


def _parts(report: CrashReport) -> Iterator[str]:
    """Yield the paragraphs, the title first."""
    yield f"### {_code(report.signature)}" if report.signature else "### Crash without a signature"
    yield _fenced(line.plain for line in facts(report, None))
    if java := report.java_stack():
        yield "**Java stack**"
        yield _fenced(_bounded(java))
    for number, dump in enumerate(report.dumps()):
        if number == _MAXIMUM_DUMPS:
            yield "Further dumps are left out."
            return
        if dump.name is not None:
            yield f"**Dump** {_code(dump.name)}"
        if dump.walked is None:
            yield _code(sentences.no_stack(dump))
            continue
        yield from _dump(dump.walked)
        if dump.is_hang:
            hung = (thread for thread in dump.walked.other_threads() if thread.number == "0")
            yield from (part for thread in hung for part in _thread(sentences.name_of_thread(thread), thread))
    for title, lines in (("Other", sentences.other_fields(report)), ("Notes", report.notes())):
        if bounded := _bounded(lines):
            yield f"**{title}**"
            yield _fenced(bounded)


def _dump(dump: WalkedDump) -> Iterator[str]:
    thread = dump.crashing_thread
    if thread is None:
        yield sentences.no_crashing_thread(dump)
        return
    yield from _thread(sentences.name_of_thread(thread, crashed=True), thread)
    title, names = sentences.modules_without_symbols(dump)
    if names:
        yield title
        yield _fenced(names)
    if dump.modules:
        yield sentences.modules_in_short(dump)


def _thread(title: str, thread: Thread) -> Iterator[str]:
    yield f"**{_code(f'{title}: {sentences.count_of_frames(thread)}')}**"
    if thread.frames:
        yield _fenced(line.plain for line in excerpt(stack(thread, None)))
    yield from filter(None, (sentences.guesses(thread), sentences.places(thread)))


def _bounded(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    left_out = len(every) - _MAXIMUM_LINES
    return every if left_out <= 0 else [*every[:_MAXIMUM_LINES], f"... {left_out} more lines ..."]


def _fenced(lines: Iterable[str]) -> str:
    """Return lines in a block that none of them can end."""
    text = "\n".join(map(_cut, lines))
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _code(text: str) -> str:
    """Return a text as a code span, which nothing in it can end."""
    fence = "`" * (_longest_run(text := _cut(text)) + 1)
    # A space at each end belongs to the fence; it keeps a backtick there from becoming a part of it.
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"
