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
    return frames_of(thread_of(crash, index))


def thread_of(crash: Crash, index: int | None) -> dict[str, Any]:
    """Return the object of a thread in ``threads``; empty if it is not there."""
    threads = _object(crash.processed.get("json_dump")).get("threads")
    if index is None or not isinstance(threads, list) or index >= len(threads):
        return {}
    return _object(threads[index])


def modules(crash: Crash) -> list[dict[str, Any]]:
    """Return the modules that were loaded: the program and its libraries."""
    return objects_in(_listed_modules(crash))


def has_modules(crash: Crash) -> bool:
    """Return True if the stackwalker listed the modules, even if the list is empty."""
    return _listed_modules(crash) is not None


def _listed_modules(crash: Crash) -> list[Any] | None:
    listed = _object(crash.processed.get("json_dump")).get("modules")
    return listed if isinstance(listed, list) else None


def objects_in(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list; none if ``value`` is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def frames_of(thread: Any) -> list[dict[str, Any]]:
    """Return the frames of a thread, from the top; if the crash was processed before, the middle may be cut out."""
    return [frame for frame in objects_in(_object(thread).get("frames")) if not is_cut_mark(frame)]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
