"""The sentences of a report, which are the same on a terminal, on a page, and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from socorro_processor.layout import counted
from socorro_processor.report.crash_report import CrashReport, ReportedDump
from socorro_processor.report.walked_dump import GUESSED, Module, Thread, WalkedDump
from socorro_processor.untrusted import joined

NAMED_MODULES = 5
_CORRUPT_FILE = "there is a symbol file, but it is corrupt: the stackwalker rejects it"


def name_of_thread(thread: Thread, *, crashed: bool = False) -> str:
    return joined(", ", joined(" ", "Crashing thread" if crashed else "Thread", thread.number), thread.name)


def count_of_frames(thread: Thread) -> str:
    count = counted(thread.count, "frame") if thread.count else "no frames"
    return f"{count} of {thread.total or 'more'}: the stack is truncated" if thread.is_truncated else count


def guesses(thread: Thread) -> str:
    """Return which frames are doubtful; empty if none is."""
    if not thread.guessed:
        return ""
    return f"{GUESSED}: doubtful, guessed by scanning the stack ({thread.guessed} of {thread.count} frames)"


def places(thread: Thread) -> str:
    """Return how to read frames without a function; empty if there are none."""
    number = sum(frame.is_place for frame in thread.frames)
    if not number:
        return ""
    return f"module@0x...: a place in a module, where no symbols name a function ({number} of {thread.count} frames)"


def no_stack(dump: ReportedDump) -> str:
    return f"No stack: {dump.problem or 'there was no minidump, or it was not walked'}."


def no_crashing_thread(dump: WalkedDump, hint: str = "") -> str:
    """Return that no thread is known to have crashed; ``hint`` says how to see the threads, if there are any."""
    threads = counted(dump.thread_count, "thread") if dump.thread_count else "no threads"
    return f"No crashing thread: the stackwalker named none, in a dump of {threads}{hint if dump.thread_count else ''}."


def to_look_at_the_dump(report: CrashReport) -> str:
    return f"To look at the dump itself: socorro fetch {report.crash_id or 'CRASH_ID'} DIRECTORY"


def modules_without_symbols(dump: WalkedDump) -> tuple[str, list[str]]:
    """Return how many modules of the crashing stack lack symbols, and their names; both empty if none does."""
    lacking, all_modules = dump.modules_without_symbols()
    if not lacking:
        return "", []
    names = list(map(_lacking, lacking[:NAMED_MODULES]))
    if len(lacking) > NAMED_MODULES:
        names.append(f"and {len(lacking) - NAMED_MODULES} more")
    return f"No symbols for {len(lacking)} of {all_modules} modules of this stack:", names


def modules_in_short(dump: WalkedDump) -> str:
    """Return the number of modules, and for how many the stackwalker found symbols or looked for them in vain."""
    counts = dump.symbol_counts()
    problems = [f"{counts[word]} {word}" for word in ("missing", "corrupt") if counts[word]]
    symbols = ", ".join([f"{counts['yes']} of {len(dump.modules) - counts['no']} asked for", *problems])
    return f"{len(dump.modules)} modules, symbols: {symbols}"


def other_fields(report: CrashReport) -> Iterator[str]:
    """Yield the fields that an operator's own rules wrote."""
    others, left_out = report.other_fields()
    yield from (f"{name}: {value}" for name, value in others)
    if left_out:
        yield f"... {left_out} more fields, which --json has ..."


def _lacking(module: Module) -> str:
    """Return the module in the layout of a symbol store."""
    file = module.debug_file or module.name
    place = f"{file}/{module.debug_id}" if module.debug_id.strip("0") else f"{file} (without a debug id)"
    return f"{place}: {_CORRUPT_FILE}" if module.symbols == "corrupt" else place
