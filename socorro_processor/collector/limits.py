"""The most that an upload may be. Everything that is held in memory is bounded by these."""

from __future__ import annotations

from dataclasses import dataclass, fields

from socorro_processor.configuration import DotDict, Namespace, WholeNumber, size

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

    @classmethod
    def of(cls, config: DotDict) -> Limits:
        """Return the limits of a configuration."""
        return cls(**{field.name: config[field.name] for field in fields(cls)})


_SIZES = {
    "maximum_body": ("256M", "bytes of an upload, as they are sent"),
    "maximum_decoded": ("1G", "bytes of an upload and of its files once they are decompressed"),
    "maximum_field": ("2M", "bytes of one annotation of an upload, and of all in the JSON object extra"),
    "maximum_field_total": ("4M", "bytes of all annotations of an upload, with their names"),
    "maximum_name": ("256", "bytes of the name of an annotation or a file"),
    "maximum_headers": ("16k", "bytes of the headers of one part of a form"),
}
"""The options of the limits that are sizes: default and doc."""
_NUMBERS = {
    "maximum_fields": (4000, "annotations of an upload"),
    "maximum_files": (32, "dumps and attachments of an upload"),
}

required_config = Namespace()
for _name, (_size, _doc) in _SIZES.items():
    required_config.add_option(_name, default=_size, doc=_doc, from_string_converter=size)
for _name, (_number, _doc) in _NUMBERS.items():
    required_config.add_option(_name, default=_number, doc=_doc, from_string_converter=WholeNumber(1))
