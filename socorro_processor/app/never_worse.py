"""Decide whether a result is worse than the earlier one, which it would replace.

A crash may be processed again after its dump has expired, or after its symbols were evicted: the new result then tells
less than the old one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.redactor import is_walk

_READ_FROM_A_DUMP = ("threads", "crashing_thread", "modules", "system_info", "crash_info")
_LONGEST_DUMP_NAME = 60


def worse_because(processed_crash: Mapping[str, Any], earlier: Mapping[str, Any], dumps: Collection[str]) -> str:
    """Return why ``processed_crash`` is worse than the ``earlier`` one, in words; empty if it is not.

    ``dumps`` has the names of the dumps that it was made from. The earlier result may come from anywhere and contain
    anything.
    """
    walks = dict(_walks(processed_crash))
    for name, walk in _walks(earlier):
        if _has_content(walk) and (because := _walk_is_worse(walks.get(name, {}), walk, name in dumps)):
            return f"{because}{_of_dump(name)}"
    return ""


def _walks(processed_crash: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name of each dump and the stackwalker's output for it, the main dump first."""
    yield MAIN_DUMP, _mapping(processed_crash.get("json_dump"))
    for name, value in processed_crash.items():
        if is_walk(value) and name != MAIN_DUMP:
            yield name, _mapping(value["json_dump"])


def _walk_is_worse(walk: Mapping[str, Any], earlier: Mapping[str, Any], has_dump: bool) -> str:
    if not has_dump:
        return "there is no dump any more, and the earlier result has what was read from it"
    if _has_stack(earlier) and not _has_stack(walk):
        return "the stack could not be walked, and the earlier result has one"
    now, before = _modules_with_symbols(walk), _modules_with_symbols(earlier)
    if now < before:
        return f"modules with symbols: {now}, in the earlier result: {before}"
    return ""


def _has_content(walk: Mapping[str, Any]) -> bool:
    return any(walk.get(part) for part in _READ_FROM_A_DUMP)


def _has_stack(walk: Mapping[str, Any]) -> bool:
    return bool(walk.get("threads") or walk.get("crashing_thread"))


def _modules_with_symbols(walk: Mapping[str, Any]) -> int:
    modules = walk.get("modules")
    if not isinstance(modules, list):
        return 0
    return sum(isinstance(module, Mapping) and module.get("loaded_symbols") is True for module in modules)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _of_dump(name: str) -> str:
    return "" if name == MAIN_DUMP else f" (dump {name[:_LONGEST_DUMP_NAME]!r})"
