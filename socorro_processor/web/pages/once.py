"""Do what a form asks for once, however often it is sent, and keep what is to be said of it.

A form has a key of its own, made when its page is made. The answer to it leads to a page that shows the words:

    outcome = once.do(key, lambda: "3 crashes were put back")
    once.outcome(outcome).words
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from socorro_processor.errors import SocorroError

_MOST = 200
"""Outcomes that are kept."""


class Outcome(NamedTuple):
    words: str
    """Lines, cut to what a page shows."""
    is_bad: bool = False
    """True if something could not be done."""


class Once:
    """The actions of one kind of page; only one is in work at a time. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._salt = secrets.token_bytes(16)

    @staticmethod
    def new_key() -> str:
        """Return a key for the forms of a page."""
        return secrets.token_urlsafe(12)

    def do(self, key: str, action: Callable[[], str]) -> str:
        """Do the action unless it was done with this key; return the name of its outcome.

        ``action`` returns what is to be said. An error of it is said, too; then the same key may try again.
        """
        name = self._name(key)
        with self._lock:
            done = self._outcomes.get(name)
            if done is None or done.is_bad:
                try:
                    outcome = Outcome(action())
                except SocorroError as error:
                    outcome = Outcome(str(error), is_bad=True)
                self._add(name, outcome)
        return name

    def keep(self, words: str, *, is_bad: bool = False) -> str:
        """Keep what is to be said of something that was done; return the name of the outcome."""
        name = self._name(self.new_key())
        with self._lock:
            self._add(name, Outcome(words, is_bad))
        return name

    def outcome(self, name: str) -> Outcome | None:
        """Return the outcome with this name; None if there is none, or not any more."""
        with self._lock:
            return self._outcomes.get(name)

    def _name(self, key: str) -> str:
        return hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=12, key=self._salt).hexdigest()

    def _add(self, name: str, outcome: Outcome) -> None:
        self._outcomes[name] = outcome
        while len(self._outcomes) > _MOST:
            self._outcomes.popitem(last=False)
