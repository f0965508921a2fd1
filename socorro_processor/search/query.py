"""The criteria of a search for crashes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


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
