"""Answers the questions for symbols that stackwalkers ask while they walk: one thread for all walks of a process.

    answers = SymbolAnswers(supplier)
    with answers.session() as session:
        run([.., "--ask", str(session.descriptor), ..], limits, questions=session)
    session.supplied

A stackwalker may have been turned against us by its dump: whatever it sends, or does not read, costs it its answers.
"""

from __future__ import annotations

import errno
import logging
import os
import selectors
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.monitoring.log import stack_of
from socorro_processor.stackwalk.opened import SymbolDirectories
from socorro_processor.stackwalk.question import LONGEST_QUESTION, Answer, BadQuestion, Question, receive, send
from socorro_processor.stackwalk.session import WALK_ENDED, Asked, Ready, Session
from socorro_processor.symbols.layout import SymbolFileID, can_have_symbols
from socorro_processor.symbols.supplier import ENDED, SymbolSupplier, not_done_after
from socorro_processor.symbols.supply_result import CACHED, FETCHED

logger = logging.getLogger(__name__)

MAXIMUM_QUESTIONS = 500
"""A walk's limit: the stackwalker asks no more."""

_REMOVED = "removed from the symbol cache before it was opened"
_LACKING = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))
_PAUSE_AFTER_A_FAULT = 1.0
_CLOSING_TIME = 2.0
"""Seconds for the thread to end."""


class SymbolAnswers:
    """May be used by several threads at once. The first session begins the thread."""

    def __init__(self, supplier: SymbolSupplier, index_path: str = "") -> None:
        """``index_path`` is where indexes of symbol files lie; empty, beside each directory of these."""
        self._supplier = supplier
        self._directories = SymbolDirectories(supplier.directories, index_path)
        # Reentrant, because the supplier may call back at once.
        self._lock = threading.RLock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._selector: selectors.BaseSelector
        self._wake: int
        self._sessions: set[Session] = set()
        self._awaited: dict[str, set[Asked]] = {}
        """Who waits for a file that is being got, by its path; nobody, where all have ended or given up."""
        self._came: deque[tuple[str, str]] = deque()
        self._buffer = bytearray(LONGEST_QUESTION)

    def session(self, patience: float | None = None) -> Session:
        """Return the questions of one walk, as a context manager.

        Answers are waited for ``patience`` seconds in all, or as long as the supplier's timeout.
        Raises ProcessingEnvironmentError where descriptors, memory or threads lack.
        """
        try:
            session = Session(self._supplier.timeout if patience is None else patience, self._end)
            try:
                self._begin(session)
            except BaseException:
                session.close()
                raise
        except (OSError, RuntimeError) as error:
            raise ProcessingEnvironmentError(f"cannot answer the questions of a stackwalker: {error}") from error
        return session

    def close(self) -> None:
        """End the thread. Stackwalkers that have asked, or will, are told that nothing comes any more."""
        with self._lock:
            self._closed = True
            for session in tuple(self._sessions):
                self._drop(session, ENDED)
            thread = self._thread
            if thread is not None and thread.is_alive():
                self._wake_up()
        if thread is not None:
            thread.join(_CLOSING_TIME)

    def _begin(self, session: Session) -> None:
        with self._lock:
            if self._closed:
                self._drop(session, ENDED)
                return
            if self._thread is None:
                self._begin_thread()
            self._selector.register(session.connection, selectors.EVENT_READ, session)
            self._sessions.add(session)

    def _begin_thread(self) -> None:
        selector = selectors.DefaultSelector()
        try:
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            try:
                selector.register(self._wake, selectors.EVENT_READ)
                self._selector = selector
                thread = threading.Thread(target=self._run, name="symbol-answers", daemon=True)
                thread.start()
            except BaseException:
                os.close(self._wake)
                raise
        except BaseException:
            selector.close()
            raise
        self._thread = thread

    def _end(self, session: Session) -> None:
        with self._lock:
            self._drop(session, WALK_ENDED)

    def _wake_up(self) -> None:
        os.eventfd_write(self._wake, 1)

    # In the thread

    def _run(self) -> None:
        pause: float | None = None
        while not self._closed:
            events = self._selector.select(pause)
            try:
                with self._lock:
                    self._turn(events)
                    pause = self._give_up()
            except Exception as error:  # for all walks to come
                logger.error("a question of a stackwalker for symbols may go without an answer: %s", stack_of(error))
                pause = _PAUSE_AFTER_A_FAULT
        with self._lock:
            self._selector.close()
            os.close(self._wake)

    def _turn(self, events: Sequence[tuple[selectors.SelectorKey, int]]) -> None:
        for key, mask in events:
            if key.data is None:
                os.eventfd_read(self._wake)
            else:
                with self._dropped_at_fault(key.data):
                    self._serve(key.data, mask)
        while self._came:
            path, result = self._came.popleft()
            for asked in self._awaited.pop(path, ()):
                self._decide(asked, result)

    @contextmanager
    def _dropped_at_fault(self, session: Session) -> Iterator[None]:
        try:
            yield
        except BadQuestion as error:
            logger.warning("a stackwalker's questions for symbols are no longer answered: %s", error)
            self._drop(session, f"the stackwalker's questions are no longer answered: {error}")
        except ConnectionError:
            self._drop(session, WALK_ENDED)
        except Exception as error:
            logger.error("cannot answer a stackwalker's questions for symbols: %s", stack_of(error))
            self._drop(session, type(error).__name__)

    def _serve(self, session: Session, mask: int) -> None:
        if mask & selectors.EVENT_WRITE and not session.is_dropped:
            if session.ready:
                self._send(session)
            if not session.ready:
                self._selector.modify(session.connection, selectors.EVENT_READ, session)
        if mask & selectors.EVENT_READ and not session.is_dropped:
            with suppress(BlockingIOError):
                question = receive(session.connection, self._buffer)
                if question is None:
                    self._drop(session, WALK_ENDED)
                else:
                    self._take(session, question)

    def _take(self, session: Session, question: Question) -> None:
        if question.number in session.numbers:
            raise BadQuestion("two have the same number")
        if len(session.numbers) >= MAXIMUM_QUESTIONS:
            raise BadQuestion(f"there are more than {MAXIMUM_QUESTIONS}")
        session.numbers.add(question.number)
        try:
            wanted = SymbolFileID.of(question.debug_file, question.debug_id)
        except ValueError:  # a trick, or a name that no file can have
            wanted = None
        if wanted is None or not can_have_symbols(wanted.debug_file, wanted.debug_id):
            self._put(session, Ready(question.number, Answer.NONE, None))
            return
        asked = Asked(session, question.number, wanted)
        if session.is_full(wanted, self._supplier.maximum_files):
            self._decide(asked, f"more than {self._supplier.maximum_files} files")
        else:
            self._look(asked)

    def _look(self, asked: Asked) -> None:
        path = asked.wanted.path
        asked.session.open(asked)
        if path not in self._awaited:
            result = self._supplier.ask(asked.wanted, partial(self._comes, path))
            if result is not None:
                self._decide(asked, result)
                return
            self._awaited[path] = set()
        self._awaited[path].add(asked)

    def _comes(self, path: str, result: str) -> None:
        """Called by any thread: what was being got has come, or will not."""
        with self._lock:
            if not self._closed:
                self._came.append((path, result))
                self._wake_up()

    def _give_up(self) -> float | None:
        """Answer the questions that have waited long enough. Returns the seconds until the next will have."""
        pauses = []
        for session in self._sessions:
            if not session.unanswered:
                continue
            left = session.patience - session.waited()
            if left > 0:
                pauses.append(left)
                continue
            for asked in tuple(session.unanswered.values()):
                self._forget(asked)
                self._decide(asked, not_done_after(session.patience), is_late=True)
        return min(pauses, default=None)

    def _decide(self, asked: Asked, result: str, is_late: bool = False) -> None:
        if asked.session.is_dropped:
            return
        asked.session.settle(asked, result, is_late)
        if result in (CACHED, FETCHED):
            self._put(asked.session, Ready(asked.number, Answer.FILE, asked))
        else:
            self._put(asked.session, Ready(asked.number, Answer.LATER if is_late else Answer.NONE, None))

    def _put(self, session: Session, ready: Ready) -> None:
        """Have an answer sent once there is room for it: to a stackwalker that reads none, none is."""
        session.ready.append(ready)
        self._selector.modify(session.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, session)

    def _send(self, session: Session) -> None:
        number, answer, asked = session.ready.popleft()
        descriptors: list[int] = []
        try:
            if asked is not None:
                descriptors = self._directories.open(asked.wanted.path)
        except OSError as error:
            assert asked is not None
            self._could_not_open(asked, error)
            return
        try:
            send(session.connection, number, answer, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _could_not_open(self, asked: Asked, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self._decide(asked, f"cannot be opened: {error.strerror}", is_late=error.errno in _LACKING)
        elif asked.is_asked_again:
            self._decide(asked, _REMOVED)
        else:
            asked.is_asked_again = True
            self._look(asked)

    def _forget(self, asked: Asked) -> None:
        if waiting := self._awaited.get(asked.wanted.path):
            waiting.discard(asked)

    def _drop(self, session: Session, reason: str) -> None:
        """Answer it no more, which its stackwalker sees. A second time this does nothing."""
        if session.is_dropped:
            return
        for asked in tuple(session.unanswered.values()):
            self._forget(asked)
            session.settle(asked, reason, is_late=True)
        session.is_dropped = True
        session.ready.clear()
        if session in self._sessions:
            self._sessions.remove(session)
            self._selector.unregister(session.connection)
        session.connection.close()
