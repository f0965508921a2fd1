"""A result that is worse than the earlier one does not take its place.

A crash is processed again after its dump has expired, or after its symbols were evicted: what comes of it then is less
than what people have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from socorro_processor.crashstorage.base import MAIN_DUMP


def worse_because(processed_crash: Mapping[str, Any], earlier: Mapping[str, Any] | None, dumps: Collection[str]) -> str:
    """Return why ``processed_crash`` is worse than the ``earlier`` one, in words; empty where it is not.

    ``dumps``: the names of those that it was made of.
    """
    if not earlier or not _threads(earlier):
        return ""
    if MAIN_DUMP not in dumps:
        return "its main dump is gone, and the earlier result has a stack"
    if not _threads(processed_crash):
        return "its stack could not be walked, and the earlier result has one"
    found, found_earlier = _symbols_found(processed_crash), _symbols_found(earlier)
    if found < found_earlier:
        return f"symbols were found for {found} modules, and for {found_earlier} in the earlier result"
    return ""


def _threads(processed_crash: Mapping[str, Any]) -> bool:
    """True where a stackwalker has read the main dump."""
    json_dump = processed_crash.get("json_dump")
    return isinstance(json_dump, Mapping) and bool(json_dump.get("threads") or json_dump.get("crashing_thread"))


def _symbols_found(processed_crash: Mapping[str, Any]) -> int:
    modules = processed_crash["json_dump"].get("modules")
    if not isinstance(modules, list):
        return 0
    return sum(isinstance(module, Mapping) and module.get("loaded_symbols") is True for module in modules)
