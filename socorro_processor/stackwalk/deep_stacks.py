"""Cut deep stacks in the middle: endless recursion gives hundreds of thousands of frames, all alike.

{"frames": [... 250 frames, {"truncated": {"msg": "9,500 frames truncated"}}, ... 250 frames], "truncated": True}
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST = 500
"""Frames. Of a deeper stack the first and the last ``LONGEST / 2`` stay."""

_HALF = LONGEST // 2
_MARK = "truncated"

_LARGEST_FRAME = 1 << 16
"""Bytes. The cutter gives up at a larger frame, because it holds back half of ``LONGEST`` frames."""
_OPENING = re.compile(rb'"frames"\s{0,8}:\s{0,8}\[')
_LONGEST_OPENING = len(b'"frames":[') + 16
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_DEPTH = 4
"""Levels of brackets within a frame. Today's frames have two, for inlined calls."""


def cut_deep_stacks(json_dump: object) -> None:
    """Cut the stacks in a stackwalker's JSON: in ``threads`` and in ``crashing_thread``. Idempotent."""
    if not isinstance(json_dump, dict):
        return
    threads = json_dump.get("threads")
    for thread in [*(threads if isinstance(threads, list) else ()), json_dump.get("crashing_thread")]:
        frames = thread.get("frames") if isinstance(thread, dict) else None
        if not isinstance(frames, list) or len(frames) <= LONGEST + is_cut(thread):
            continue
        mark = {_MARK: {"msg": _cut_message(len(frames))}}
        thread["frames"] = [*frames[:_HALF], mark, *frames[-_HALF:]]
        thread[_MARK] = True


def is_cut_mark(frame: object) -> bool:
    """Return True for the entry that stands for frames that were cut."""
    return isinstance(frame, Mapping) and frame.keys() == {_MARK}


def is_cut(thread: Mapping[str, Any]) -> bool:
    return thread.get(_MARK) is True


def _cut_message(count: int) -> str:
    return f"{count - LONGEST:,} frames truncated"


def _bracketed(depth: int) -> bytes:
    """Return the pattern of an object or array that nests others ``depth`` levels deep."""
    nested = b"|" + _bracketed(depth - 1) if depth else b""
    return rb"[{\[](?:[^\"{}\[\]]++|" + _STRING + nested + rb")*+[}\]]"


_FIRST_FRAME = re.compile(rb"\s*+" + _bracketed(_DEPTH), re.DOTALL)
_NEXT_FRAME = re.compile(rb"\s*+,\s*+" + _bracketed(_DEPTH), re.DOTALL)
_CLOSING = re.compile(rb"\s*+\]")


class DeepStackCutter:
    """Cuts the stacks in a stackwalker's JSON as it is printed; ``cut_deep_stacks`` needs all of it in memory.

        cutter = DeepStackCutter()
        kept = b"".join([*map(cutter.feed, pieces), cutter.end()])

    What is not JSON comes out unchanged.
    """

    def __init__(self) -> None:
        self._pending = b""
        self._inside = False
        """True if the pending bytes belong to a stack."""
        self._gave_up = False
        self._count = 0
        self._last: deque[bytes] = deque(maxlen=_HALF)

    def feed(self, data: bytes) -> bytes:
        """Return what stays of the next piece and of the bytes held back before."""
        return b"".join(self._cut(self._pending + data))

    def end(self) -> bytes:
        """Return the bytes still held back, at the end of the output."""
        held = [*self._end_of_stack(), self._pending] if self._inside else [self._pending]
        self._pending, self._inside = b"", False
        return b"".join(held)

    def _cut(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while not self._gave_up:
            if not self._inside:
                opening = _OPENING.search(data, at)
                if opening is None:
                    break
                yield data[at : opening.end()]
                at, self._inside, self._count = opening.end(), True, 0
            elif (
                frame := (_NEXT_FRAME if self._count else _FIRST_FRAME).match(data, at)
            ) and frame.end() - at <= _LARGEST_FRAME:
                at = frame.end()
                self._count += 1
                if self._count <= _HALF:
                    yield frame[0]
                else:
                    self._last.append(frame[0])
            elif closing := _CLOSING.match(data, at):
                yield from self._end_of_stack()
                yield closing[0]
                if self._count > LONGEST:
                    yield b',"%b":true' % _MARK.encode()
                at, self._inside = closing.end(), False
            elif len(data) - at > _LARGEST_FRAME:
                yield from self._end_of_stack()
                self._gave_up, self._inside = True, False
            else:
                self._pending = data[at:]
                return
        held = 0 if self._gave_up else min(len(data) - at, _LONGEST_OPENING)
        yield data[at : len(data) - held]
        self._pending = data[len(data) - held :]

    def _end_of_stack(self) -> Iterator[bytes]:
        if self._count > LONGEST:
            yield b',{"%b":{"msg":"%b"}}' % (_MARK.encode(), _cut_message(self._count).encode())
        yield from self._last
        self._last.clear()
