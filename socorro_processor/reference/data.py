"""The reference data: products, releases and versions of Windows, as the rules know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ReferenceData:
    """All reference data as they were when they were read. Threads share it; it never changes."""

    rewritten_products: Mapping[str, str]
    """The name that crashes of a product id are to have, whatever name they came with."""
    release_builds: Mapping[tuple[str, str, str, int], str]
    """The version that was released, by product, version, channel in lower case, and build id."""
    windows_versions: Mapping[tuple[int, int], str]
    """The name under which Windows is sold, by major and minor version."""
