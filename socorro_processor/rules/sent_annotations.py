"""Read annotations of a crash as they count for the rules of 2026, and make all of them so.

An annotation that is null was not sent. A text loses NUL characters, and white space at its end; if nothing is left, it
counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from socorro_processor.fields.field import FieldType
from socorro_processor.fields.values import NotOfType, cleaned, converted
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import section

_CLIENT_ID = "guid"
_LISTS = "list_annotations"
"""The names under which Crashpad itself sends the client id and the lists of modules beside a dump."""


_OF_COLLECTOR = frozenset(("uuid", "submitted_timestamp", "metadata"))
"""Annotations that the collector writes; those in a dump, which comes from a stranger, are ignored."""


class CleanAnnotationsRule(Rule):
    """Drop annotations that are null, and NUL characters and white space at the end of texts. Changes the raw crash."""

    def action(self, crash: Crash) -> bool:
        for name, value in list(crash.raw.items()):
            if value is None:
                del crash.raw[name]
            elif isinstance(value, str) and (value[-1:].isspace() or "\0" in value):
                crash.raw[name] = cleaned(value)
        return True


class CrashpadAnnotationsRule(Rule):
    """Add the annotations that Crashpad wrote into the dump alone, under the names under which its handler sends them.

    Reads ``json_dump.socorro_stackwalk.crashpad``; changes the raw crash, but nothing that is in it.
    """

    def predicate(self, crash: Crash) -> bool:
        return isinstance(section(crash, "socorro_stackwalk").get("crashpad"), dict)

    def action(self, crash: Crash) -> bool:
        crashpad = section(crash, "socorro_stackwalk")["crashpad"]
        annotations = crashpad.get("annotations")
        in_dump = {
            **(annotations if isinstance(annotations, dict) else {}),
            _CLIENT_ID: crashpad.get("client_id"),
            _LISTS: "\n".join(_lines_of_modules(crashpad.get("modules"))),
        }
        for name, value in in_dump.items():
            if name in _OF_COLLECTOR:
                continue
            if isinstance(value, str) and (value := cleaned(value)) and sent(crash, name) is None:
                crash.raw[name] = value
        return True


def sent(crash: Crash, name: str) -> Any:
    """Return the value of an annotation; None if it is absent or empty."""
    value = crash.raw.get(name)
    return (cleaned(value) or None) if isinstance(value, str) else value


def first_sent(crash: Crash, names: Iterable[str], field_type: FieldType = "string") -> Any:
    """Return the first of these annotations, as this type; None if there is none. Values of another type are noted."""
    for name in names:
        if (value := sent(crash, name)) is None:
            continue
        try:
            read = converted(value, field_type)
        except NotOfType as error:
            note_once(crash, f"{name} is left out: {error}")
            continue
        if field_type == "string" and not isinstance(value, str):
            note_once(crash, f"{name} is not a string, but {type(value).__name__}: it is read as its text")
        return read
    return None


def note_once(crash: Crash, text: str) -> None:
    """Add a note that several rules may have."""
    if text not in crash.notes:
        crash.note(text)


def _lines_of_modules(modules: object) -> Iterator[str]:
    for module in modules if isinstance(modules, list) else ():
        lines = module.get(_LISTS) if isinstance(module, dict) else None
        yield from (line for line in (lines if isinstance(lines, list) else ()) if isinstance(line, str))
