"""The tables of reference data, wherever they are kept: their columns, and the data that they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from socorro_processor.reference.data import ReferenceData

TABLES: Mapping[str, Mapping[str, type]] = {
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

KEYS: Mapping[str, tuple[str, ...]] = {
    "product_productid_map": ("productid",),
    "windows_versions": ("major", "minor"),
    "product_versions": ("product", "release_version", "build_type", "build_id"),
}
"""The key of each table: columns whose values no two rows share."""

Row = Mapping[str, Any]

Tables = Mapping[str, Iterable[Row]]


def reference_data(tables: Tables) -> ReferenceData:
    """Return the data in the rows of all TABLES."""
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
