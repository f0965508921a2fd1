"""Chromium's DevTools protocol, through a pipe: https://chromedevtools.github.io/devtools-protocol/

Messages are JSON, each ended by a NUL. One thread uses it: events are delivered while an answer is waited for.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable
from typing import Any

DEADLINE = 60.0
"""Seconds for one answer: a browser on a busy machine is slow."""
_READ = 1 << 20
_ENDED = "the browser has ended"

Event = dict[str, Any]


class BrowserError(Exception):
    """The browser refused a command, or does not answer."""


class DevTools:
    """A connection to a browser. Each tab has a session, whose events go to the function that listens to it."""

    def __init__(self, reading: int, writing: int) -> None:
        """The descriptors are the caller's to close."""
        self._reading = reading
        self._writing = writing
        self._begun = b""
        self._last_id = 0
        self._answers: dict[int, Event] = {}
        self._listeners: dict[str, Callable[[str, Event], None]] = {}

    def listen(self, session: str, listener: Callable[[str, Event], None]) -> None:
        """Have ``listener`` called with the name and the parameters of each event of a session."""
        self._listeners[session] = listener

    def call(self, method: str, session: str = "", **parameters: Any) -> Event:
        """Run a command of the browser, or of a session, and return its result. Raises BrowserError."""
        number = self.send(method, session, **parameters)
        self.wait(lambda: number in self._answers, method)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method} failed: {answer['error']}")
        result: Event = answer["result"]
        return result

    def send(self, method: str, session: str = "", **parameters: Any) -> int:
        """Send a command without waiting for its answer; return its number."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        try:
            while data:
                data = data[os.write(self._writing, data) :]
        except BrokenPipeError as error:
            raise BrowserError(_ENDED) from error
        return self._last_id

    def wait(self, condition: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
        """Read messages until ``condition`` holds. Raises BrowserError after ``seconds``."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._reading], [], [], left)[0]:
                raise BrowserError(f"the browser did not answer within {seconds:.0f} s: {what}")
            self._read()

    def _read(self) -> None:
        data = os.read(self._reading, _READ)
        if not data:
            raise BrowserError(_ENDED)
        *messages, self._begun = (self._begun + data).split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            elif listener := self._listeners.get(message.get("sessionId", "")):
                listener(message["method"], message.get("params", {}))
