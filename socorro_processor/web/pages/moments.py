"""Times as pages show them, in UTC and to the second: ``2026-12-02 23:54:42``. The words around them say UTC once."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FORM = "%Y-%m-%d %H:%M:%S"
_ISO = re.compile(
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?(?![\d:])",
    re.ASCII,
)


def moment_text(moment: datetime) -> str:
    """Return a time for a page; one without a time zone is taken for UTC."""
    return (moment.astimezone(UTC) if moment.tzinfo else moment).strftime(_FORM)


def with_moments(text: str) -> str:
    """Return a text for a page, whose times of ISO 8601 are as pages show them."""
    return _ISO.sub(lambda found: _in_utc(found[0]), text)


def _in_utc(iso: str) -> str:
    try:
        return moment_text(datetime.fromisoformat(iso))
    except (ValueError, OverflowError):  # there is no such time
        return iso
