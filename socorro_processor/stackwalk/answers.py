"""Answer the questions for symbols that stackwalkers ask while they walk, in one thread for all walks.

    answers = SymbolAnswers(supplier)
    with answers.session() as session:
        run([.., "--ask", str(session.descriptor), ..], limits, questions=session)
    session.supplied

A hostile dump may have taken over its stackwalker: one that sends nonsense, or does not read, only loses its own
answers.
"""

from __future__ import annotations

import errno
import logging
import os
import selectors
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
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
"""Questions in a walk, at most; our stackwalker never asks more."""

_REMOVED = "removed from the symbol cache before it was opened"
_OUT_OF_RESOURCES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))
_PAUSE_AFTER_A_FAULT = 1.0
"""Seconds."""
_CLOSING_TIMEOUT = 2.0
"""Seconds for the thread to end."""


class SymbolAnswers:
    """Answers the questions of all walks in one thread, which the first session starts.

    May be used by several threads at once.
    """

    def __init__(self, supplier: SymbolSupplier, index_path: str = "") -> None:
        """``index_path`` is where indexes of symbol files are; if empty, beside each directory of symbol files."""
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
        """The questions that wait for a file on its way, by its path; empty if all have ended or given up."""
        self._arrived: deque[tuple[str, str]] = deque()
        self._buffer = bytearray(LONGEST_QUESTION)

    def session(self, patience: float | None = None) -> Session:
        """Return the questions of one walk, as a context manager.

        It waits ``patience`` seconds in all for answers, by default the supplier's timeout.
        Raises ProcessingEnvironmentError if the machine has run out of descriptors, memory or threads.
        """
        try:
            session = Session(self._supplier.timeout if patience is None else patience, self._end)
            try:
                self._add(session)
            except BaseException:
                session.close()
                raise
        except (OSError, RuntimeError) as error:
            raise ProcessingEnvironmentError(f"cannot answer the questions of a stackwalker: {error}") from error
        return session

    def close(self) -> None:
        """End the thread. Stackwalkers that have asked, or will, see that no more answers come."""
        with self._lock:
            self._closed = True
            for session in tuple(self._sessions):
                self._drop(session, ENDED)
            thread = self._thread
            if thread is not None and thread.is_alive():
                self._wake_up()
        if thread is not None:
            thread.join(_CLOSING_TIMEOUT)

    def _add(self, session: Session) -> None:
        with self._lock:
            if self._closed:
                self._drop(session, ENDED)
                return
            if self._thread is None:
                self._start_thread()
            self._selector.register(session.connection, selectors.EVENT_READ, session)
            self._sessions.add(session)

    def _start_thread(self) -> None:
        with ExitStack() as opened:
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            opened.callback(os.close, self._wake)
            self._selector.register(self._wake, selectors.EVENT_READ)
            thread = threading.Thread(target=self._run, name="symbol-answers", daemon=True)
            thread.start()
            opened.pop_all()
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
                    self._handle_events(events)
                    pause = self._answer_late_questions()
            except Exception as error:  # the thread must live on for later walks
                logger.error("a stackwalker's question for symbols may get no answer: %s", stack_of(error))
                pause = _PAUSE_AFTER_A_FAULT
        with self._lock:
            self._selector.close()
            os.close(self._wake)

    def _handle_events(self, events: Sequence[tuple[selectors.SelectorKey, int]]) -> None:
        for key, mask in events:
            if key.data is None:
                os.eventfd_read(self._wake)
            else:
                with self._dropped_at_fault(key.data):
                    self._serve(key.data, mask)
        while self._arrived:
            path, result = self._arrived.popleft()
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
            self._drop(session, "cannot answer the stackwalker's questions")

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
                    self._accept(session, question)

    def _accept(self, session: Session, question: Question) -> None:
        if question.number in session.numbers:
            raise BadQuestion("two questions have the same number")
        if len(session.numbers) >= MAXIMUM_QUESTIONS:
            raise BadQuestion(f"more than {MAXIMUM_QUESTIONS} questions")
        session.numbers.add(question.number)
        try:
            wanted = SymbolFileID.of(question.debug_file, question.debug_id)
        except ValueError:  # a trick, or a name that no file can have
            wanted = None
        if wanted is None or not can_have_symbols(wanted.debug_file, wanted.debug_id):
            self._queue_answer(session, Ready(question.number, Answer.NONE, None))
            return
        asked = Asked(session, question.number, wanted)
        if session.is_full(wanted, self._supplier.maximum_files):
            self._decide(asked, f"the walk asked for more files than the limit of {self._supplier.maximum_files}")
        else:
            self._request(asked)

    def _request(self, asked: Asked) -> None:
        path = asked.wanted.path
        asked.session.open(asked)
        if path not in self._awaited:
            result = self._supplier.ask(asked.wanted, partial(self._on_arrival, path))
            if result is not None:
                self._decide(asked, result)
                return
            self._awaited[path] = set()
        self._awaited[path].add(asked)

    def _on_arrival(self, path: str, result: str) -> None:
        """Note that a requested file has come, or will not. Any thread may call it."""
        with self._lock:
            if not self._closed:
                self._arrived.append((path, result))
                self._wake_up()

    def _answer_late_questions(self) -> float | None:
        """Answer the questions that have waited long enough.

        Return the seconds until the next one has; None if none waits.
        """
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
            self._queue_answer(asked.session, Ready(asked.number, Answer.FILE, asked))
        else:
            self._queue_answer(asked.session, Ready(asked.number, Answer.LATER if is_late else Answer.NONE, None))

    def _queue_answer(self, session: Session, ready: Ready) -> None:
        """Queue an answer until there is room for it: a stackwalker that does not read gets no answers."""
        session.ready.append(ready)
        self._selector.modify(session.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, session)

    def _send(self, session: Session) -> None:
        number, answer, asked = session.ready.popleft()
        descriptors: list[int] = []
        if asked is not None:
            try:
                descriptors = self._directories.open(asked.wanted.path)
            except OSError as error:
                self._could_not_open(asked, error)
                return
        try:
            send(session.connection, number, answer, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _could_not_open(self, asked: Asked, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self._decide(asked, f"cannot be opened: {error.strerror}", is_late=error.errno in _OUT_OF_RESOURCES)
        elif asked.is_asked_again:
            self._decide(asked, _REMOVED)
        else:
            asked.is_asked_again = True
            self._request(asked)

    def _forget(self, asked: Asked) -> None:
        if waiting := self._awaited.get(asked.wanted.path):
            waiting.discard(asked)

    def _drop(self, session: Session, reason: str) -> None:
        """Stop answering a session; its stackwalker sees that. A second call does nothing."""
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
