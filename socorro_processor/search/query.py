"""The criteria of a search for crashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from socorro_processor.fields.searchable import DATE, SearchableField
from socorro_processor.search.filters import Filter, Operator


@dataclass(frozen=True)
class CrashQuery:
    """The values that crashes must have; None means any."""

    signature: str | None = None
    """The whole signature, exactly."""
    product: str | None = None
    version: str | None = None
    """The version of the product."""
    processor_version: str | None = None
    since: date | None = None
    """The first day (UTC) of ``date_processed``."""
    until: date | None = None
    """The last day (UTC)."""
    fields: tuple[tuple[str, str], ...] = ()
    """Names of fields of the table, each with its value as text. What is inside an object has a dotted name."""


def filters_of(query: CrashQuery, fields: Mapping[str, SearchableField]) -> tuple[Filter, ...]:
    """Return the filters of an index that say the same; what is searched by its words must contain the value."""
    conditions: list[tuple[str, Operator, str | None]] = [
        ("signature", "is", query.signature),
        ("product", "is", query.product),
        ("version", "is", query.version),
        ("processor_version", "is", query.processor_version),
        (DATE, "at least", query.since.isoformat() if query.since else None),
        (DATE, "at most", query.until.isoformat() if query.until else None),
        *((name, _operator(fields.get(name)), value) for name, value in query.fields),
    ]
    return tuple(Filter(name, operator, (value,)) for name, operator, value in conditions if value is not None)


def _operator(field: SearchableField | None) -> Operator:
    return "contains" if field is not None and field.kind == "text" and field.field.search == "text" else "is"
