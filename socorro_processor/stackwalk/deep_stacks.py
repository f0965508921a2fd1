"""Deep stacks, cut in the middle: endless recursion gives frames by the hundred thousand, all alike.

{"frames": [... 250 frames, {"truncated": {"msg": "9,500 frames truncated"}}, ... 250 frames], "truncated": True}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST = 500
"""Frames; of more the first and the last half stay."""

_HALF = LONGEST // 2
_MARK = "truncated"


def cut_deep_stacks(json_dump: object) -> None:
    """Cut the stacks in a stackwalker's JSON: in ``threads`` and in ``crashing_thread``. One that is cut stays so."""
    if not isinstance(json_dump, dict):
        return
    threads = json_dump.get("threads")
    for thread in [*(threads if isinstance(threads, list) else ()), json_dump.get("crashing_thread")]:
        frames = thread.get("frames") if isinstance(thread, dict) else None
        if not isinstance(frames, list) or len(frames) <= LONGEST + is_cut(thread):
            continue
        mark = {_MARK: {"msg": f"{len(frames) - LONGEST:,} frames truncated"}}
        thread["frames"] = [*frames[:_HALF], mark, *frames[-_HALF:]]
        thread[_MARK] = True


def is_cut_mark(frame: object) -> bool:
    """Return True for what stands in a list of frames in place of those that were cut."""
    return isinstance(frame, Mapping) and frame.keys() == {_MARK}


def is_cut(thread: Mapping[str, Any]) -> bool:
    return thread.get(_MARK) is True
