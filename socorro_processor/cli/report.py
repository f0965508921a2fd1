"""Print the report of a processed crash on a terminal or in a pipe, for an engineer to read at a glance.

On a terminal, stacks are cut to its width and prose is wrapped. In a pipe only the middle of a very long stack is left
out, so that the same crash always gives the same text.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from socorro_processor.cli.layout import LONGEST_LINE, Row, counted, excerpt, field, section, table, titles
from socorro_processor.report.crash_report import CrashReport, ReportedDump
from socorro_processor.report.walked_dump import GUESSED, INLINED, Fold, Frame, Thread, WalkedDump, folded
from socorro_processor.untrusted import joined

# The part of a terminal's width that a column takes at most; 0 for the column that takes the rest.
_SOURCE_SHARE = 0.25
_FRAME_SHARES = (0.1, 0.1, 0, _SOURCE_SHARE, 0.2)
_MODULE_SHARES = (0, 0.2, 0.45, 0.1)
_MINIMUM_WIDTH_FOR_MODULES = 100  # cells; a narrower terminal shows a frame's source, or else its module
_NAMED_MODULES = 5

_FACT_STYLES = {"": "", "title": "bold", "reason": "red", "remark": "yellow", "failure": "bold red"}
_UNWRAPPED = ("crash", "minidump", "signature", "made from")
"""The facts that stay on one line, to be copied."""
_FRAME_STYLES = {GUESSED: "yellow", INLINED: "cyan"}
_CORRUPT_FILE = "there is a symbol file, but it is corrupt: the stackwalker rejects it"


def add_report_arguments(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--all-threads", action="store_true", help="show every thread, not only the one that crashed")
    parser.add_argument("--modules", action="store_true", help="show the modules: version, debug id, symbols")


def print_report(
    report: CrashReport, console: Console, *, all_threads: bool = False, with_modules: bool = False
) -> None:
    """Print the report, optionally with all threads and with the modules."""
    width = max(console.width, 40) if console.is_terminal else None
    for line in _lines(report, width, all_threads, with_modules):
        if width is not None:
            line.truncate(LONGEST_LINE, overflow="ellipsis")
        console.print(line, soft_wrap=True)


def _lines(report: CrashReport, width: int | None, all_threads: bool, with_modules: bool) -> Iterator[Text]:
    for label, value, kind in report.facts():
        yield from field(label, value, _FACT_STYLES[kind], None if label in _UNWRAPPED else width)
    yield from section("Java stack", report.java_stack(), None)
    for dump in report.dumps():
        yield Text(f"\nDump {dump.name}", "bold") if dump.name is not None else Text()
        if dump.walked is None:
            yield from _no_stack(report, dump)
            continue
        yield from _crashing_thread(dump.walked, report.advice, width)
        for thread in dump.walked.other_threads() if all_threads or dump.is_hang else ():
            if all_threads or thread.number == "0":
                yield Text()
                yield from _thread(f"Thread {thread.number}", thread, width)
        yield from _modules(dump.walked, width) if with_modules else _modules_in_short(dump.walked)
    others, left_out = report.other_fields()
    more = [f"... {left_out} more fields, which --json has ..."] if left_out else []
    yield from section("Other", [*(f"{name}: {value}" for name, value in others), *more], width)
    yield from section("Notes", report.notes(), width)


def _no_stack(report: CrashReport, dump: ReportedDump) -> Iterator[Text]:
    status = dump.status or "no status: there was no dump, or it was not walked"
    yield Text(f"No stack: there is no output of the stackwalker ({status}).", "yellow")
    if not report.file:
        yield Text(f"To look at the dump itself: socorro fetch {report.crash_id or 'CRASH_ID'} DIRECTORY")


def _crashing_thread(dump: WalkedDump, advice: list[str], width: int | None) -> Iterator[Text]:
    """Yield the stack of the crashing thread and the symbols that it lacks, or that no thread was named."""
    thread = dump.crashing_thread
    if thread is None:
        threads = counted(dump.thread_count, "thread") if dump.thread_count else "no threads"
        hint = "; --all-threads shows them" if dump.thread_count else ""
        yield Text(f"No crashing thread: the stackwalker named none, in a dump of {threads}{hint}.", "yellow")
        return
    yield from _thread(joined(" ", "Crashing thread", thread.number), thread, width)
    lacking, all_modules = dump.modules_without_symbols()
    if not lacking:
        return
    yield Text(f"No symbols for {len(lacking)} of {all_modules} modules of this stack:", "yellow")
    for module in lacking[:_NAMED_MODULES]:
        # In the layout of a symbol store.
        file = module.debug_file or module.name
        line = f"  {file}/{module.debug_id}" if module.debug_id.strip("0") else f"  {file} (without a debug id)"
        yield Text(f"{line}: {_CORRUPT_FILE}" if module.symbols == "corrupt" else line)
    if len(lacking) > _NAMED_MODULES:
        yield Text(f"  and {len(lacking) - _NAMED_MODULES} more")
    yield from map(Text, advice)


def _thread(title: str, thread: Thread, width: int | None) -> Iterator[Text]:
    count = counted(thread.count, "frame") if thread.count else "no frames"
    if thread.is_truncated:
        count += f" of {thread.total or 'more'}: the stack is truncated"
    yield Text.assemble((joined(", ", title, thread.name), "bold"), f": {count}")
    rows = [_frame_row(each, width) for each in folded(thread.frames)]
    yield from excerpt(list(table(rows, _FRAME_SHARES, width)))
    if thread.guessed:
        guess = f"{GUESSED}: doubtful, guessed by scanning the stack ({thread.guessed} of {thread.count} frames)"
        yield Text(guess, "yellow")


def _frame_row(frame: Frame | Fold, width: int | None) -> Row:
    has_module = width is None or width >= _MINIMUM_WIDTH_FOR_MODULES
    if isinstance(frame, Fold):
        what = "this line" if frame.frames == 1 else f"these {frame.frames} lines"
        row = [("", ""), ("", ""), (f"... {what} {frame.times} times more ...", "dim"), ("", "")]
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


def _modules_in_short(dump: WalkedDump) -> Iterator[Text]:
    """Yield the number of modules, and for how many the stackwalker found symbols or looked for them in vain."""
    if dump.modules:
        counts = dump.symbol_counts()
        problems = [f"{counts[word]} {word}" for word in ("missing", "corrupt") if counts[word]]
        symbols = ", ".join([f"{counts['yes']} of {len(dump.modules) - counts['no']} asked for", *problems])
        yield Text(f"\n{len(dump.modules)} modules, symbols: {symbols} (--modules shows them)", "dim")


def _modules(dump: WalkedDump, width: int | None) -> Iterator[Text]:
    yield Text("\nModules (symbols: no if no frame asked for them)", "bold")
    rows = [titles(("module", "version", "debug id", "symbols"))]
    for each in dump.modules:
        symbols = (each.symbols, "" if each.symbols in ("yes", "no") else "yellow")
        rows.append([*((cell or "-", "") for cell in (each.name, each.version, each.debug_id)), symbols])
    yield from table(rows, _MODULE_SHARES, width)
