"""Messages about symbols between a stackwalker and this process, over a socket that keeps messages apart.

Each message is a JSON object. The stackwalker asks

    {"number": 3, "debug_file": "xul.pdb", "debug_id": "..", "code_file": "xul.dll", "code_id": ".."}

and is answered in any order: ``{"number": 3, "answer": "file"}`` with the descriptor of the symbol file, followed by
that of its index if it has one; ``none`` if there are no such symbols; ``later`` if they did not come in time.
"""

from __future__ import annotations

import json
import socket
from array import array
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, TypeGuard

LONGEST_QUESTION = 80_000
"""Bytes: three names of the longest, with each byte of them written as ``\\u0001``."""

_LONGEST_NAME = 4096
"""Bytes, for the stackwalker too."""
_NUMBER_LIMIT = 1 << 32


class BadQuestion(ValueError):
    """A message that our stackwalker would not send: its dump must have taken it over."""


class Answer(StrEnum):
    FILE = "file"
    NONE = "none"
    LATER = "later"


class Question(NamedTuple):
    number: int
    """The stackwalker's choice, by which it knows the answer."""
    debug_file: str
    debug_id: str


def receive(connection: socket.socket, buffer: bytearray) -> Question | None:
    """Return the next question, or None if no more come. ``buffer`` has room for LONGEST_QUESTION bytes.

    Raises BadQuestion, or OSError: BlockingIOError if there is no question yet.
    """
    # The kernel closes descriptors that come along, because it has no room for them here.
    size, _, flags, _ = connection.recvmsg_into([buffer], 0, socket.MSG_DONTWAIT)
    if flags & socket.MSG_CTRUNC:
        raise BadQuestion("a question carries descriptors")
    if flags & socket.MSG_TRUNC:
        raise BadQuestion("a question is too long")
    return _read(bytes(buffer[:size])) if size else None


def send(connection: socket.socket, number: int, answer: Answer, descriptors: Sequence[int] = ()) -> None:
    """Answer a question; the descriptors stay open here. Raises OSError: BlockingIOError if there is no room."""
    message = json.dumps({"number": number, "answer": answer}).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
    connection.sendmsg([message], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def _read(message: bytes) -> Question:
    try:
        content = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise BadQuestion("a question is not JSON") from error
    if not isinstance(content, dict):
        raise BadQuestion("a question is not a JSON object")
    number, debug_file, debug_id = map(content.get, ("number", "debug_file", "debug_id"))
    if type(number) is not int or not 0 <= number < _NUMBER_LIMIT:
        raise BadQuestion("a question has no valid number")
    if not _is_name(debug_file) or not _is_name(debug_id):
        raise BadQuestion("a question names no module")
    return Question(number, debug_file, debug_id)


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value.encode(errors="surrogatepass")) <= _LONGEST_NAME
