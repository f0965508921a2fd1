"""The facts of a crash, in which a value leads to the other crashes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from socorro_processor.errors import QueryError
from socorro_processor.report.crash_report import Fact
from socorro_processor.search.filters import Filter
from socorro_processor.untrusted import text_of
from socorro_processor.web.pages.address import Address

_SEARCHED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "product": (("product",), ("version", "product"), ("release_channel", "product")),
    "process": (("process_type",),),
    "system": (("os_name",), ("os_version", "os_name")),
    "CPU": (("cpu_arch",),),
    "reason": (("reason",),),
}
"""The fields in the value of a fact, in their order, each with those that a search for it names besides."""
_DAYS = ("90",)
"""A crash may be older than the days that a search shows by itself."""

_LONGEST_MODULE = 200  # characters


class Part(NamedTuple):
    text: str
    link: str = ""
    """The address of the crashes with the same value; empty if there is none."""


class LinkedFact(NamedTuple):
    label: str
    parts: tuple[Part, ...]
    kind: str


def linked_fact(fact: Fact, crash: Mapping[str, Any], *, has_search: bool) -> LinkedFact:
    searched = _SEARCHED.get(fact.label, ()) if has_search else ()
    return LinkedFact(fact.label, tuple(_parts(fact.value, crash, searched)), fact.kind)


def modules_in_stack(crash: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the modules with frames in the stack that crashed."""
    return frozenset(each.partition("/")[0] for each in text_of(crash, "modules_in_stack").split(";"))


def module_search(module: str) -> str:
    """Return the address of the crashes whose stack has this module; empty if its name is too long."""
    # In the field, a debug id stands behind the name.
    return _search(Filter("module", "contains", (f"{module}/",))) if len(module) <= _LONGEST_MODULE else ""


def _parts(value: str, crash: Mapping[str, Any], searched: tuple[tuple[str, ...], ...]) -> Iterator[Part]:
    end = 0
    for fields in searched:
        text, link = text_of(crash, fields[0]), _same(crash, fields)
        begin = value.find(text, end) if text and link else -1
        if begin >= 0:
            yield Part(value[end:begin])
            yield Part(text, link)
            end = begin + len(text)
    yield Part(value[end:])


def _same(crash: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    """Return the address of the crashes that have the same values; empty if no filter can have them."""
    values = [(name, crash.get(name)) for name in fields]
    try:
        conditions = [Filter(name, "is", (value,)) for name, value in values if isinstance(value, str) and value]
    except QueryError:
        # A value is too long.
        return ""
    # A text that is shown in another form than it has, to be safe, would mislead.
    if not conditions or conditions[0].field != fields[0] or text_of(crash, fields[0]) != crash[fields[0]]:
        return ""
    return _search(*reversed(conditions))


def _search(*conditions: Filter) -> str:
    return str(Address("/search", conditions, {"days": _DAYS}))
