"""The questions for symbols of one walk: which are open, how the others ended, how long they have waited."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

from socorro_processor.stackwalk.question import Answer
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.supplier import count_supplied
from socorro_processor.symbols.supply_result import SupplyResult

WALK_ENDED = "not done when the walk ended"


@dataclass(eq=False)
class Asked:
    """A question for a file that may exist."""

    session: Session
    number: int
    wanted: SymbolFileID
    is_asked_again: bool = False
    """True if the file had come, and was gone before it was opened."""


class Ready(NamedTuple):
    """An answer that waits for room in the socket."""

    number: int
    answer: Answer
    asked: Asked | None
    """Not None if the answer is a file, which is opened when it is sent."""


class Session:
    """The questions of one walk, as ``run`` takes them, within a ``with``.

    Only ``SymbolAnswers`` changes it, under its lock.
    """

    def __init__(self, patience: float, end: Callable[[Session], object]) -> None:
        """``end`` is called at the end. Raises OSError."""
        self.patience = patience
        """Seconds to wait for answers, in all."""
        self.connection, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # The smallest buffer, so that few descriptors are on their way to a stackwalker that does not read.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        self._end = end
        self.is_dropped = False
        self.numbers: set[int] = set()
        self.unanswered: dict[int, Asked] = {}
        self.ready: deque[Ready] = deque()
        self._results: dict[SymbolFileID, str] = {}
        self._late: set[SymbolFileID] = set()
        # One value, because it is read without the lock.
        self._wait: tuple[float, float | None] = (0.0, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        count_supplied(self.supplied)

    def close(self) -> None:
        """End the session. A second call does nothing."""
        self._theirs.close()
        self._end(self)

    @property
    def descriptor(self) -> int:
        """The stackwalker's end of the socket."""
        return self._theirs.fileno()

    def handed_over(self) -> None:
        """Close our copy of ``descriptor``, now that the stackwalker has its own."""
        self._theirs.close()

    def waited(self) -> float:
        """Return the seconds in which any question had no answer so far, up to ``patience``."""
        seconds, since = self._wait
        if since is not None:
            seconds += time.monotonic() - since
        return min(seconds, self.patience)

    @property
    def supplied(self) -> SupplyResult:
        """Return what became of each symbol file that was asked for. Call it after the end of the session."""
        return SupplyResult(dict(self._results), frozenset(self._late))

    def is_full(self, wanted: SymbolFileID, number_of_files: int) -> bool:
        """Return True if ``wanted`` would be one file too many."""
        return wanted not in self._results and len(self._results) >= number_of_files

    def open(self, asked: Asked) -> None:
        """Begin to wait for a file."""
        if not self.unanswered:
            self._wait = (self.waited(), time.monotonic())
        self.unanswered[asked.number] = asked
        # It counts from now on, and keeps its place in the order of the questions.
        self._results.setdefault(asked.wanted, WALK_ENDED)

    def settle(self, asked: Asked, result: str, is_late: bool) -> None:
        """Stop waiting for a file."""
        self._results[asked.wanted] = result
        if is_late:
            self._late.add(asked.wanted)
        else:
            self._late.discard(asked.wanted)
        if self.unanswered.pop(asked.number, None) is not None and not self.unanswered:
            self._wait = (self.waited(), None)
