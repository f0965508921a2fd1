"""The rows of ``reports`` for crashes of ``ProcessorAlgorithm2026``, by the table of fields.

A field that has a column of 2016, perhaps under its name of 2016, is there. The other fields that can be searched, also
an operator's own, are in one JSONB column with an index. As in the columns, protected fields are among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socorro_processor.crashstorage.postgresql.columns import PLUGIN, REPORT
from socorro_processor.fields import FieldTable, is_of_type, searched_fields

COLUMN = "fields"
"""The JSONB column."""

_KEYS = ("uuid", "crash_id")
"""The fields that are the key of the row."""


class ReportFields:
    """Tells the columns of a crash from its other fields. Threads may share it; it never changes."""

    def __init__(self, table: FieldTable) -> None:
        self._renamed = {
            field.name: field.name_of_2016
            for field in table.fields
            if field.name_of_2016 in REPORT or field.name_of_2016 in PLUGIN
        }
        self._types = {
            field.name: field.type
            for field in searched_fields(table)
            if field.name not in _KEYS and field.name not in REPORT and field.name_of_2016 not in REPORT
        }

    def as_of_2016(self, processed_crash: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of a processed crash whose fields also have the names of their columns."""
        old_names = {old: processed_crash[name] for name, old in self._renamed.items() if name in processed_crash}
        return {**processed_crash, **old_names}

    def others(self, processed_crash: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the fields without a column, and the names of those that are left out: they have another type."""
        present = {name: processed_crash[name] for name in self._types if processed_crash.get(name) is not None}
        misfits = [name for name, value in present.items() if not is_of_type(value, self._types[name])]
        return {name: value for name, value in present.items() if name not in misfits}, misfits
