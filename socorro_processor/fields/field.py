"""A field of the processed crash: where its value comes from, who may see it, how it is searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FieldType = Literal["string", "integer", "number", "boolean", "date", "array", "object"]
"""``integer``: 64 bits, signed; ``date``: ISO 8601 with a time zone."""
Access = Literal["public", "protected"]
"""``protected``: only for those who may see data of users."""
Search = Literal["keyword", "text", "number", "boolean", "date", "flattened", "no"]
"""``keyword``: as a whole; ``text``: by its words; ``flattened``: an object, each of its leaves as a keyword."""


@dataclass(frozen=True)
class Field:
    """A row of the table of fields. A field has one source or more."""

    name: str
    """A name with dots is that of a part of another field."""
    type: FieldType
    access: Access
    search: Search
    doc: str
    """A phrase that says what the field holds, in reStructuredText, without a full stop."""
    annotations: tuple[str, ...] = ()
    """The annotations from which the value comes: the first that is not empty."""
    json_dump: str = ""
    """The path of the value in ``json_dump``, with dots; it comes before the annotations. ``*`` is any index."""
    computed: str = ""
    """The sources from which a rule computes the value; empty if it is copied as this table says."""
    default: str | int | None = None
    """The value where no source has one; None: the field is then missing."""
    name_of_2016: str = ""
    """The name of the field in processed crashes of 2016, where that was another one."""

    @property
    def is_protected(self) -> bool:
        return self.access == "protected"

    @property
    def is_part(self) -> bool:
        """True for a part of another field, which is never copied."""
        return "." in self.name
