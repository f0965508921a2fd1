"""An upload that was read to its end: annotations, and the files that were written while it came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class StoredFile:
    """A dump or an attachment, as a span of what was written to the sink."""

    name: str
    """The name in the crash store, unique in its crash and safe as a dump name. That of each minidump to walk begins
    with ``upload_file_minidump``, that of an attachment never."""
    kind: Literal["dump", "attachment"]
    sent_as: str
    """The file name that the client gave, without its directories; empty if it gave none."""
    start: int
    size: int
    sha256: str
    """The checksum of the bytes as they were stored, in hexadecimal."""


@dataclass
class Submission:
    annotations: dict[str, Any]
    """Texts, and other values where the client sent JSON."""
    files: list[StoredFile]
    """The main minidump first, attachments last: stores fetch dumps in this order, up to their limits."""
    client: str = ""
    """A short name of the program that seems to have sent it; empty if nothing tells."""
    report_id: str = ""
    """The client's own id of the report, which is the same each time that it is sent: the name of the main dump's file,
    of Crashpad and most others."""
    client_uuid: str = ""
    """The crash id that the client wants; empty if it asked for none."""
    notes: list[str] = field(default_factory=list)
    """Changes to what was sent, and what was left out, for ``collector_notes``."""
