"""What the rules know of products, releases and versions of Windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ReferenceData:
    """All of it, as it was when it was read. Shared by threads; never changes."""

    rewritten_products: Mapping[str, str]
    """Product ids, to the name that crashes with them are to have, whatever name they came with."""
    release_builds: Mapping[tuple[str, str, str, int], str]
    """Product, version, channel in lower case and build id, to the version that was released as it."""
    windows_versions: Mapping[tuple[int, int], str]
    """Major and minor version, to the name under which Windows is sold."""
