"""Read parts of ``json_dump``, the stackwalker's JSON of the main dump.

Two different stackwalkers write it, and a rule may run although neither did. A part that is missing, null or of
another type is read as empty.
"""

from __future__ import annotations

from typing import Any

from socorro_processor.pipeline.rule import Crash
from socorro_processor.stackwalk.deep_stacks import is_cut_mark


def section(crash: Crash, name: str) -> dict[str, Any]:
    """Return the object ``json_dump.<name>``."""
    return _object(_object(crash.processed.get("json_dump")).get(name))


def crashing_thread(crash: Crash) -> int | None:
    """Return the index in ``threads`` of the thread that crashed; None if it is not known."""
    index = section(crash, "crash_info").get("crashing_thread")
    if index is None:
        index = section(crash, "crashing_thread").get("threads_index")
    # True is an int too, and a negative index would read a thread from the end.
    return index if type(index) is int and index >= 0 else None


def thread_frames(crash: Crash, index: int) -> list[dict[str, Any]]:
    """Return the frames of a thread, from the top."""
    threads = _object(crash.processed.get("json_dump")).get("threads")
    if not isinstance(threads, list) or index >= len(threads):
        return []
    return frames_of(threads[index])


def modules(crash: Crash) -> list[dict[str, Any]]:
    """Return the modules that were loaded: the program and its libraries."""
    return [module for module in _listed_modules(crash) or [] if isinstance(module, dict)]


def has_modules(crash: Crash) -> bool:
    """Return True if the stackwalker listed the modules, even if the list is empty."""
    return _listed_modules(crash) is not None


def _listed_modules(crash: Crash) -> list[Any] | None:
    found = _object(crash.processed.get("json_dump")).get("modules")
    return found if isinstance(found, list) else None


def frames_of(thread: Any) -> list[dict[str, Any]]:
    """Return the frames of a thread, from the top; if the crash was processed before, the middle may be cut out."""
    frames = _object(thread).get("frames")
    frames = frames if isinstance(frames, list) else []
    return [frame for frame in frames if isinstance(frame, dict) and not is_cut_mark(frame)]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
