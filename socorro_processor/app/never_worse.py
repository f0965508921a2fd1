"""A result that is worse than the earlier one does not take its place.

A crash is processed again after its dump has expired, or after its symbols were evicted: what comes of it then is less
than what people have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.crashstorage.redactor import is_walk

_READ_FROM_A_DUMP = ("threads", "crashing_thread", "modules", "system_info", "crash_info")
_LONGEST_NAME = 60


def worse_because(processed_crash: Mapping[str, Any], earlier: Mapping[str, Any], dumps: Collection[str]) -> str:
    """Return why ``processed_crash`` is worse than the ``earlier`` one, in words; empty where it is not.

    ``dumps``: the names of the dumps that it was made of. The earlier one may be anybody's, and hold anything.
    """
    walks = dict(_walks(processed_crash))
    for name, walk in _walks(earlier):
        if _is_read(walk) and (because := _walk_is_worse(walks.get(name, {}), walk, name in dumps)):
            return f"{because}{_of_dump(name)}"
    return ""


def _walks(processed_crash: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name of each dump and what a stackwalker has made of it, the main one first."""
    yield MAIN_DUMP, _mapping(processed_crash.get("json_dump"))
    for name, value in processed_crash.items():
        if is_walk(value) and name != MAIN_DUMP:
            yield name, _mapping(value["json_dump"])


def _walk_is_worse(walk: Mapping[str, Any], earlier: Mapping[str, Any], has_dump: bool) -> str:
    if not has_dump:
        return "there is no dump any more, and the earlier result has what was read from it"
    if _has_stack(earlier) and not _has_stack(walk):
        return "the stack could not be walked, and the earlier result has one"
    found, found_earlier = _modules_with_symbols(walk), _modules_with_symbols(earlier)
    if found < found_earlier:
        return f"modules with symbols: {found}, in the earlier result: {found_earlier}"
    return ""


def _is_read(walk: Mapping[str, Any]) -> bool:
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
    return "" if name == MAIN_DUMP else f" (dump {name[:_LONGEST_NAME]!r})"
