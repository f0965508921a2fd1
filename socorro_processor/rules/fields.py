"""The rule that copies annotations and parts of the stackwalker's JSON into fields, as the table of fields says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.fields import Field, FieldTable, field_options
from socorro_processor.fields.forms import FORMS
from socorro_processor.fields.values import NotOfType, converted, is_empty
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.client_names import ClientNamesRule
from socorro_processor.rules.crash_facts import CrashedThreadRule
from socorro_processor.rules.json_dump import crashing_thread, thread_of
from socorro_processor.rules.sent_annotations import note_once, sent
from socorro_processor.rules.system import SystemRule

_THREAD = "crashing_thread"
"""The beginning of paths into the thread that crashed."""
_OF_OTHER_RULES = ClientNamesRule.fields | CrashedThreadRule.fields | SystemRule.fields
"""Fields with sources in the table, between which a rule of their own chooses."""


class FieldsRule(Rule):
    """Copy each field that is not computed.

    The value in ``json_dump`` comes before the annotations, and of these the first that is not empty counts. A value of
    another type than the field's is noted, and the next one is taken. Writes nothing for a field without a value and
    without a default.
    """

    required_config = Namespace()
    required_config.update(field_options())

    def __init__(self, config: DotDict | None = None) -> None:
        super().__init__(config)
        fields = FieldTable.of(self.config).fields
        self._copies = [_Copy(field) for field in fields if is_copied(field)]
        self._defaults = {copy.name: copy.field.default for copy in self._copies if copy.field.default is not None}
        self._in_dump = frozenset(position for position, copy in enumerate(self._copies) if copy.path)
        self._by_annotation: dict[str, set[int]] = {}
        for position, copy in enumerate(self._copies):
            for name in copy.field.annotations:
                self._by_annotation.setdefault(name, set()).add(position)

    def action(self, crash: Crash) -> bool:
        crash.processed.update(self._defaults)
        for copy in self._copies_to_try(crash):
            value = copy.value(crash)
            if value is not None:
                crash.processed[copy.name] = value
        return True

    def _copies_to_try(self, crash: Crash) -> list[_Copy]:
        """Return those that may find a value, in the order of the table: of all annotations, a crash has few."""
        positions = set(self._in_dump)
        for name in crash.raw:
            positions.update(self._by_annotation.get(name, ()))
        return [self._copies[position] for position in sorted(positions)]


def is_copied(field: Field) -> bool:
    """Return True if FieldsRule writes this field."""
    return not field.computed and not field.is_part and field.name not in _OF_OTHER_RULES


class _Copy:
    """Finds the value of one field."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.name = field.name
        self.path = field.json_dump.split(".") if field.json_dump else []
        self._form = FORMS.get(field.name)

    def value(self, crash: Crash) -> Any:
        """Return the first value that is not empty and has the type of the field; None if there is none."""
        if self.path:
            value = _at(crash, self.path)
            if (
                value is not None
                and (read := self._read(crash, f"json_dump.{self.field.json_dump}", value)) is not None
            ):
                return read
        for name in self.field.annotations:
            value = sent(crash, name)
            if value is not None and (read := self._read(crash, name, value)) is not None:
                return read
        return None

    def _read(self, crash: Crash, source: str, value: Any) -> Any:
        """Return a value as the field has it; None, with a note, if it has another type, and if it says nothing."""
        try:
            read = self._form(value) if self._form else converted(value, self.field.type)
        except NotOfType as error:
            note_once(crash, f"{source} is left out: {error}")
            return None
        if self.field.type == "string" and not isinstance(value, str) and self._form is None:
            note_once(crash, f"{source} is not a string, but {type(value).__name__}: it is read as its text")
        return None if read == "" else read


def _at(crash: Crash, path: Sequence[str]) -> Any:
    """Return the value at a path in ``json_dump``; None if there is none, or it is empty.

    The list of threads stands for the copy of the thread that crashed where that lacks a value.
    """
    value = _below(crash.processed.get("json_dump"), path)
    if not is_empty(value):
        return value
    if path[0] != _THREAD:
        return None
    value = _below(thread_of(crash, crashing_thread(crash)), path[1:])
    return None if is_empty(value) else value


def _below(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and len(name) < 10 and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
