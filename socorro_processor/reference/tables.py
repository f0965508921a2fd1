"""The tables of reference data, wherever they are kept: their columns, and what rules look up in the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from socorro_processor.errors import ConfigurationError

TABLE_COLUMNS: Mapping[str, Mapping[str, type]] = {
    "product_productid_map": {"product_name": str, "productid": str, "rewrite": bool},
    "windows_versions": {"name": str, "major": int, "minor": int},
    "product_versions": {
        "product": str,
        "release_version": str,
        "build_type": str,
        "build_id": int,
        "version_string": str,
    },
}
"""The columns of each table."""

PRIMARY_KEYS: Mapping[str, tuple[str, ...]] = {
    "product_productid_map": ("productid",),
    "windows_versions": ("major", "minor"),
    "product_versions": ("product", "release_version", "build_type", "build_id"),
}
"""The key of each table: columns whose values no two rows share."""

_MISTAKES_SHOWN = 20

Row = Mapping[str, Any]

Tables = Mapping[str, Iterable[Row]]


@dataclass(frozen=True)
class ReferenceData:
    """A snapshot of all reference data. It never changes, so threads share it."""

    rewritten_products: Mapping[str, str]
    """The product name for crashes of a product id, whatever name they came with."""
    release_builds: Mapping[tuple[str, str, str, int], str]
    """The released version, by product, version, channel in lower case, and build id."""
    windows_versions: Mapping[tuple[int, int], str]
    """The name under which Windows is sold, by major and minor version."""


def refuse_mistakes(name: str, mistakes: Sequence[str]) -> None:
    """Raise ConfigurationError with the first mistakes in the tables called ``name``, if there are any."""
    shown = list(mistakes[:_MISTAKES_SHOWN])
    if hidden := len(mistakes) - len(shown):
        shown.append(f"and {hidden} more {'mistake' if hidden == 1 else 'mistakes'}")
    if shown:
        raise ConfigurationError("\n".join(f"{name}: {mistake}" for mistake in shown))


def to_reference_data(tables: Tables) -> ReferenceData:
    """Return the reference data in the rows of all tables."""
    return ReferenceData(
        rewritten_products={
            row["productid"]: row["product_name"] for row in tables["product_productid_map"] if row["rewrite"]
        },
        release_builds={
            (row["product"], row["release_version"], row["build_type"].lower(), row["build_id"]): row["version_string"]
            for row in tables["product_versions"]
        },
        windows_versions={(row["major"], row["minor"]): row["name"] for row in tables["windows_versions"]},
    )
