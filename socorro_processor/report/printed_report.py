"""Print the report of a processed crash on a terminal, in a pipe or as plain text, to be read at a glance.

On a terminal, stacks are cut to its width and prose is wrapped. In a pipe only the middle of a very long stack is left
out, so that the same crash always gives the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from socorro_processor.layout import LONGEST_LINE, Row, excerpt, field, section, table, titles
from socorro_processor.report import sentences
from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.symbol_places import Advice
from socorro_processor.report.walked_dump import GUESSED, INLINED, Fold, Frame, Thread, WalkedDump, folded

# The part of a terminal's width that a column takes at most; 0 for the column that takes the rest.
_SOURCE_SHARE = 0.25
_FRAME_SHARES = (0.1, 0.1, 0, _SOURCE_SHARE, 0.2)
_MODULE_SHARES = (0, 0.2, 0.45, 0.1)
_MINIMUM_WIDTH_FOR_MODULES = 100  # cells; a narrower terminal shows a frame's source, or else its module
REGISTERS = "Registers of its topmost frame"
_REGISTERS_IN_LINE = 4
_REGISTER_WIDTH = 4  # characters of a name; a longer one shifts its value

_FACT_STYLES = {"": "", "title": "bold", "reason": "red", "remark": "yellow", "failure": "bold red"}
_UNWRAPPED = ("crash", "minidump", "signature", "made from", "changed from")
"""The facts that stay on one line, to be copied."""
_FRAME_STYLES = {GUESSED: "yellow", INLINED: "cyan"}


@dataclass(frozen=True)
class Shown:
    """The parts of a report that are printed on request."""

    all_threads: bool = False
    modules: bool = False
    registers: bool = False
    all_lines: bool = False
    """Print also the middle of very long stacks."""


def print_report(report: CrashReport, console: Console, shown: Shown) -> None:
    width = max(console.width, 40) if console.is_terminal else None
    for line in _lines(report, width, shown):
        if width is not None:
            line.truncate(LONGEST_LINE, overflow="ellipsis")
        console.print(line, soft_wrap=True)


def plain_report(report: CrashReport, shown: Shown) -> Iterator[str]:
    """Yield the lines that ``print_report`` prints in a pipe."""
    for line in _lines(report, None, shown):
        yield line.plain + "\n"


def _lines(report: CrashReport, width: int | None, shown: Shown) -> Iterator[Text]:
    yield from facts(report, width)
    yield from section("Java stack", report.java_stack(), None, all_lines=shown.all_lines)
    for dump in report.dumps():
        yield Text(f"\nDump {dump.name}", "bold") if dump.name is not None else Text()
        if dump.walked is None:
            yield Text(sentences.no_stack(dump), "yellow")
            if not (report.file or report.is_on_server or dump.without_dump):
                yield Text(sentences.to_look_at_the_dump(report))
            continue
        yield from _crashing_thread(dump.walked, report.advice, width, shown)
        for thread in dump.walked.other_threads() if shown.all_threads or dump.is_hang else ():
            if shown.all_threads or thread.number == "0":
                yield Text()
                yield from _thread(sentences.name_of_thread(thread), thread, width, shown)
        yield from _modules(dump.walked, width) if shown.modules else _modules_in_short(dump.walked)
    yield from section("Other", sentences.other_fields(report), width, all_lines=shown.all_lines)
    yield from section("Notes", report.notes(), width, all_lines=shown.all_lines)


def facts(report: CrashReport, width: int | None) -> Iterator[Text]:
    for label, value, kind in report.facts():
        yield from field(label, value, _FACT_STYLES[kind], None if label in _UNWRAPPED else width)


def stack(thread: Thread, width: int | None) -> list[Text]:
    """Return the lines of a stack, without a title."""
    rows = [_frame_row(each, width) for each in folded(thread.frames)]
    return list(table(rows, _FRAME_SHARES, width))


def _crashing_thread(dump: WalkedDump, advice: Advice | None, width: int | None, shown: Shown) -> Iterator[Text]:
    """Yield the stack of the crashing thread and the symbols that it lacks, or that no thread was named."""
    thread = dump.crashing_thread
    if thread is None:
        yield Text(sentences.no_crashing_thread(dump, "; --all-threads shows them"), "yellow")
        return
    yield from _thread(sentences.name_of_thread(thread, crashed=True), thread, width, shown)
    lacking, names = sentences.modules_without_symbols(dump)
    if lacking:
        yield Text(lacking, "yellow")
        yield from (Text(f"  {name}") for name in names)
        yield from map(Text, advice.lines() if advice else ())
    if shown.registers:
        yield from section(REGISTERS, _registers(thread.registers), None)


def _thread(title: str, thread: Thread, width: int | None, shown: Shown) -> Iterator[Text]:
    yield Text.assemble((title, "bold"), f": {sentences.count_of_frames(thread)}")
    lines = stack(thread, width)
    yield from lines if shown.all_lines else excerpt(lines)
    if doubtful := sentences.guesses(thread):
        yield Text(doubtful, "yellow")
    if places := sentences.places(thread):
        yield Text(places, "dim")


def _frame_row(frame: Frame | Fold, width: int | None) -> Row:
    has_module = width is None or width >= _MINIMUM_WIDTH_FOR_MODULES
    if isinstance(frame, Fold):
        row = [("", ""), ("", ""), (str(frame), "dim"), ("", "")]
        return [*row, ("", "")] if has_module else row
    style = _FRAME_STYLES.get(frame.trust, "")
    source = _fitting(frame.source, width) or frame.symbol_problem
    row = [
        (f"{frame.number:>3}", "dim"),
        (frame.trust, style),
        (frame.function, "dim" if style else ""),
        (source, "blue") if source or has_module else (frame.module, "dim"),
    ]
    return [*row, (frame.module, "dim")] if has_module else row


def _fitting(source: str, width: int | None) -> str:
    """Return the end of a source file's path, as much as its column has room for."""
    if width is None:
        return source
    room = int(width * _SOURCE_SHARE)
    while cell_len(source) > room and "/" in source:
        source = source.partition("/")[2]
    return source if cell_len(source) <= room else "…" + source[1 - room :]


def _registers(registers: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield lines of a few registers each."""
    for first in range(0, len(registers), _REGISTERS_IN_LINE):
        row = registers[first : first + _REGISTERS_IN_LINE]
        yield "  ".join(f"{name:<{_REGISTER_WIDTH}} {value}" for name, value in row)


def _modules_in_short(dump: WalkedDump) -> Iterator[Text]:
    if dump.modules:
        yield Text(f"\n{sentences.modules_in_short(dump)} (--modules shows them)", "dim")


def _modules(dump: WalkedDump, width: int | None) -> Iterator[Text]:
    yield Text("\nModules (symbols: no if no frame asked for them, or nobody has them)", "bold")
    rows = [titles(("module", "version", "debug id", "symbols"))]
    for each in dump.modules:
        symbols = (each.symbols, "" if each.symbols in ("yes", "no") else "yellow")
        rows.append([*((cell or "-", "") for cell in (each.name, each.version, each.debug_id)), symbols])
    yield from table(rows, _MODULE_SHARES, width)
