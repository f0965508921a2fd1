"""Stacks as a page shows them: rows, runs of system frames that are folded away, and bounds on all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from socorro_processor.layout import counted
from socorro_processor.report import sentences
from socorro_processor.report.system_frames import is_of_system
from socorro_processor.report.walked_dump import GUESSED, INLINED, Fold, Frame, Thread, WalkedDump, folded

MAXIMUM_ROWS = 1500
"""Rows of the stack that crashed; a walk keeps 500 frames, and functions inlined into them."""
MAXIMUM_ROWS_OF_OTHERS = 2500
"""Rows of all other threads together."""
MAXIMUM_THREADS = 300
"""Other threads."""
_FEWEST_ROWS = 8
"""Rows of another thread, however many threads there are."""
_SHORTEST_RUN = 4
"""System frames that are worth folding away."""
_SHOWN_AT_FIRST = 100
"""Rows of a stack that stand before the fold of a deep one."""
_SHORTEST_REST = 20
"""Rows that are worth that fold."""
_LONGEST_NAME = 400
"""Characters of a function on the stack that crashed."""
_LONGEST_NAME_OF_OTHERS = 240
_LONGEST_IN_SHORT = 70
_FRAMES_OF_TOP = 15
"""Frames in which the first function of the program is looked for."""
_LONGEST_SOURCE = 200
_LONGEST_MODULE = 100
_LONGEST_PATH = 500
_NAMED_MODULES = 3

FrameName = tuple[str, int, int | None]
"""The number of a thread, the position of a frame in it, and that of a function inlined there; None: the frame."""

_HOW = {
    "context": "from the registers",
    "cfi": "found with unwind information",
    "fp": "found by the frame pointer",
    GUESSED: "doubtful: guessed by scanning the stack",
    INLINED: "inlined into the frame below it",
    "?": "it is not known how it was found",
}


class Row(NamedTuple):
    """A frame, or the rounds of a recursion that are left out."""

    number: str
    how: str
    how_long: str
    """The meaning of ``how``."""
    function: str
    why: str
    """The place on the page that says what the frame has to do with the signature; empty if it has nothing."""
    is_signed: bool
    """True if the signature has the frame."""
    source: str
    path: str
    """The whole path behind ``source``."""
    link: str
    """The address of the source; empty if it is not known."""
    module: str
    problem: str
    is_pale: bool
    is_inlined: bool


class Run(NamedTuple):
    """Rows that belong together."""

    rows: list[Row]
    summary: str
    """For rows that are folded away, the line that stands for them; else empty."""


class ThreadView(NamedTuple):
    anchor: str
    title: str
    frames: str
    """How many frames it has."""
    top: str
    """Its topmost function, and the first one of the program, by which to tell it from others."""
    runs: list[Run]
    left_out: str
    doubtful: str
    places: str
    crashed: bool


class OtherThreads(NamedTuple):
    threads: list[ThreadView]
    left_out: str


class StackViewer:
    """Makes views of the stacks of one dump."""

    def __init__(
        self,
        link: Callable[[Frame], str],
        anchors: Mapping[FrameName, str],
        signed: frozenset[FrameName],
        prefix: str = "",
    ) -> None:
        """Take the places on the page that explain frames (``anchors``), and the frames in the signature.

        ``prefix`` distinguishes the anchors of this dump from those of another one.
        """
        self._link = link
        self._anchors = anchors
        self._signed = signed
        self._prefix = prefix

    def crashing(self, thread: Thread) -> ThreadView:
        return self._thread(thread, MAXIMUM_ROWS, _LONGEST_NAME, crashed=True, folds=True)

    def hung(self, thread: Thread) -> ThreadView:
        return self._thread(thread, MAXIMUM_ROWS, _LONGEST_NAME, crashed=False, folds=True)

    def others(self, dump: WalkedDump, leave_out: Sequence[str] = ()) -> OtherThreads:
        """Return the other threads; ``leave_out`` are the numbers of those that are shown elsewhere."""
        count = dump.thread_count - len(leave_out) - (dump.crashing_thread is not None)
        rows = max(_FEWEST_ROWS, MAXIMUM_ROWS_OF_OTHERS // max(1, min(count, MAXIMUM_THREADS)))
        threads: list[ThreadView] = []
        more = 0
        for thread in dump.other_threads(MAXIMUM_THREADS + len(leave_out)):
            if thread.number not in leave_out:
                threads.append(self._thread(thread, rows, _LONGEST_NAME_OF_OTHERS, crashed=False, folds=False))
        more = count - len(threads)
        return OtherThreads(threads, f"{counted(more, 'more thread')}" if more > 0 else "")

    def _thread(self, thread: Thread, maximum: int, longest: int, *, crashed: bool, folds: bool) -> ThreadView:
        names = _names(thread)
        items = list(islice(folded(thread.frames), maximum))
        rows = [(self._row(item, names, longest), folds and self._is_dull(item, names)) for item in items]
        left_out = len(thread.frames) - sum(map(_frames_of, items))
        return ThreadView(
            f"{self._prefix}thread-{thread.number[:20]}",
            sentences.name_of_thread(thread, crashed=crashed),
            sentences.count_of_frames(thread),
            "" if crashed else _top(thread),
            list(_bounded_runs(rows)),
            counted(left_out, "more line") if left_out else "",
            sentences.guesses(thread),
            sentences.places(thread),
            crashed,
        )

    def _row(self, item: Frame | Fold, names: Mapping[int, FrameName], longest: int) -> Row:
        if isinstance(item, Fold):
            return Row("", "", "", str(item), "", False, "", "", "", "", "", True, False)
        name = names[id(item)]
        return Row(
            str(item.number),
            item.trust,
            _HOW.get(item.trust, ""),
            _cut(item.function, longest),
            self._anchors.get(name, ""),
            name in self._signed,
            _cut(item.source, _LONGEST_SOURCE),
            _cut(item.path, _LONGEST_PATH) if item.path != item.source else "",
            self._link(item) if item.source else "",
            _cut(item.module, _LONGEST_MODULE),
            "" if item.source else item.symbol_problem,
            item.trust == GUESSED,
            item.trust == INLINED,
        )

    def _is_dull(self, item: Frame | Fold, names: Mapping[int, FrameName]) -> bool:
        """Return True for a frame that may be folded away: of the system, not at the top, not in the signature."""
        if isinstance(item, Fold):
            return False
        name = names[id(item)]
        return name[1] > 0 and name not in self._signed and is_of_system(item)


def _top(thread: Thread) -> str:
    """Return the topmost function of a thread and, below the system's, the first one of the program."""
    frames = thread.frames[:_FRAMES_OF_TOP]
    own = next((frame for frame in frames if not is_of_system(frame)), None)
    names = dict.fromkeys(_in_short(frame.function) for frame in (*frames[:1], *([own] if own else [])))
    return " … ".join(names)


def _in_short(function: str) -> str:
    """Return the name of a function without its arguments."""
    name = (function.partition("(")[0].strip() or function)[: _LONGEST_IN_SHORT + 1]
    return name if len(name) <= _LONGEST_IN_SHORT else f"{name[:_LONGEST_IN_SHORT]}…"


def _frames_of(item: Frame | Fold) -> int:
    """Return the number of frames that an item stands for."""
    return item.frames * item.times if isinstance(item, Fold) else 1


def _names(thread: Thread) -> dict[int, FrameName]:
    """Return by the identity of each frame of a thread the name under which an explanation knows it."""
    names: dict[int, FrameName] = {}
    position = inlined = 0
    for frame in thread.frames:
        if frame.trust == INLINED:
            names[id(frame)] = (thread.number, position, inlined)
            inlined += 1
        else:
            names[id(frame)] = (thread.number, position, None)
            position, inlined = position + 1, 0
    return names


def _bounded_runs(rows: Sequence[tuple[Row, bool]]) -> Iterator[Run]:
    """Yield the rows in runs; what is far down in a deep stack, below the signature, is folded away as a whole."""
    signed = max((number for number, (row, _) in enumerate(rows, 1) if row.is_signed), default=0)
    end = max(_SHOWN_AT_FIRST, signed)
    if len(rows) - end < _SHORTEST_REST:
        end = len(rows)
    yield from _runs(rows[:end])
    if rest := [row for row, _ in rows[end:]]:
        yield Run(rest, f"{counted(len(rest), 'more line')}, down to {_in_short(rest[-1].function)}")


def _runs(rows: Iterable[tuple[Row, bool]]) -> Iterator[Run]:
    """Yield the rows in runs; short runs of dull rows are no runs of their own."""
    shown: list[Row] = []
    for is_dull, group in groupby(rows, key=lambda pair: pair[1]):
        run = [row for row, _ in group]
        if not is_dull or len(run) < _SHORTEST_RUN:
            shown += run
            continue
        if shown:
            yield Run(shown, "")
            shown = []
        yield Run(run, f"{counted(len(run), 'system frame')}: {_modules(run)}")
    if shown:
        yield Run(shown, "")


def _modules(rows: Iterable[Row]) -> str:
    modules = list(dict.fromkeys(row.module for row in rows if row.module))
    more = f" and {len(modules) - _NAMED_MODULES} more" if len(modules) > _NAMED_MODULES else ""
    return ", ".join(modules[:_NAMED_MODULES]) + more


def _cut(text: str, longest: int) -> str:
    """Return a text of at most about ``longest`` characters, with the number of those left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest:,} more characters)"
