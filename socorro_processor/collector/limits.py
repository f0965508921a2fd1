"""The most that an upload may be. Everything that is held in memory is bounded by these."""

from __future__ import annotations

from dataclasses import dataclass

_MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Each limit is an option of the collector under the same name; sizes are in bytes."""

    maximum_body: int = 256 * _MB
    """Bytes that are sent."""
    maximum_decoded: int = 1024 * _MB
    """Bytes of the body, and of all files, when they are decompressed."""
    maximum_fields: int = 4000
    """Fields of a form, without files."""
    maximum_field: int = 2 * _MB
    """Bytes of one field, and of ``extra``."""
    maximum_field_total: int = 4 * _MB
    """Bytes of all fields, with their names."""
    maximum_files: int = 32
    maximum_name: int = 256
    """Bytes of a field's name."""
    maximum_headers: int = 16 * 1024
    """Bytes of the headers of one part."""
