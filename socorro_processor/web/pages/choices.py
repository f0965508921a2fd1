"""The values that the filters at the head of a page offer: those that the crashes of its days have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from socorro_processor.search.base import CrashIndex
from socorro_processor.search.filters import Filter
from socorro_processor.web.pages.version_order import version_key

MOST_CHOICES = 200
"""Values of a field: the most frequent ones."""


def choices_of(index: CrashIndex, days: tuple[date, date], filters: Sequence[Filter]) -> Mapping[str, tuple[str, ...]]:
    """Return all products; and the versions, channels and systems of those products that the filters name.

    The newest version is the first, and otherwise the most frequent value. Raises QueryError and CrashStorageError.
    """
    products = [each for each in filters if each.field == "product" and each.operator == "is" and not each.negated]
    of_all = index.choices(*days, size=MOST_CHOICES)
    of_products = index.choices(*days, products, size=MOST_CHOICES) if products else of_all
    return {
        **of_products,
        "product": of_all["product"],
        "version": newest_first(of_products["version"]),
    }


def newest_first(versions: Iterable[str]) -> tuple[str, ...]:
    """Return versions in their order, the newest first."""
    return tuple(sorted(versions, key=version_key, reverse=True))
