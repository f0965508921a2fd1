"""The tables of which reference data are made, wherever they are kept: their columns, and what they stand for."""

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
"""Each table's columns."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "product_productid_map": ("productid",),
    "windows_versions": ("major", "minor"),
    "product_versions": ("product", "release_version", "build_type", "build_id"),
}
"""What no two rows of a table have in common."""

Row = Mapping[str, Any]

Tables = Mapping[str, Iterable[Row]]


def reference_data(tables: Tables) -> ReferenceData:
    """The data that are in the rows of all TABLES."""
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
