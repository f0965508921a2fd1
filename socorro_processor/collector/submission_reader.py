"""Read an upload while it comes: annotations into memory, files into a sink.

    reader = SubmissionReader(request, sink, Limits())
    for data in body:
        reader.feed(data)
    submission = reader.finish()

The body is a form (``multipart/form-data`` or another kind of multipart) or a minidump alone, each also as gzip. An
annotation is a field of the form, or a value of the JSON object ``extra``. Whatever is not to be trusted has a limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from socorro_processor.collector.clients import client_of
from socorro_processor.collector.compression import GZIP_MAGIC, ZSTD_MAGIC, Decompressor, Gunzip, Uncompressed
from socorro_processor.collector.form import Form
from socorro_processor.collector.header_parameters import read_header
from socorro_processor.collector.limits import Limits
from socorro_processor.collector.refusal import malformed, too_large
from socorro_processor.collector.stored_files import Sink, StoredFiles
from socorro_processor.collector.submission import Submission
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.errors import InvalidCrashID
from socorro_processor.fields import FIELDS_BY_NAME
from socorro_processor.stackwalk.modules import MINIDUMP

_UUID = "uuid"
_REPORT_FILE = re.compile(
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.dmp", re.ASCII | re.IGNORECASE
)
_FROM_ADDRESS: Mapping[str, Sequence[str]] = {
    "product": FIELDS_BY_NAME["product"].annotations,
    "version": FIELDS_BY_NAME["version"].annotations,
    "guid": FIELDS_BY_NAME["client_id"].annotations,
}
"""Parameters of the address that are taken where the form has none of these annotations."""
_DUMP_BEGINNINGS = (MINIDUMP, GZIP_MAGIC, ZSTD_MAGIC)
_LONGEST_BEGINNING = max(map(len, _DUMP_BEGINNINGS))
_MAXIMUM_NOTES = 50


@dataclass(frozen=True)
class SubmissionRequest:
    """The request around a body."""

    content_type: str = ""
    content_encoding: str = ""
    query: Sequence[tuple[str, str]] = ()
    """The parameters of the address, decoded, without keys that let the client in."""
    user_agent: str = ""
    content_length: int | None = None
    """The bytes that the client announces; None if it sends chunks, which have an end of their own."""
    has_sentry_key: bool = False
    """True if the client sent a key as those of Sentry do."""


class SubmissionReader:
    """Reads one upload. After an exception, nothing of it counts."""

    def __init__(self, request: SubmissionRequest, sink: Sink, limits: Limits) -> None:
        """Raises Refused if the headers alone tell that the upload cannot be taken."""
        self._request = request
        self._limits = limits
        self._received = self._decoded = 0
        self._notes: list[str] = []
        self._body: Form | _DumpAlone
        if request.content_length is not None and request.content_length > limits.maximum_body:
            raise too_large("maximum_body", "the bytes of an upload", limits.maximum_body)
        self._decompressor = self._new_decompressor(request.content_encoding)
        files = StoredFiles(sink, limits.maximum_files, self._count_decoded)
        content_type, parameters = read_header(request.content_type)
        if content_type.startswith("multipart/"):
            if not (boundary := parameters.get("boundary", "")):
                raise malformed("no_boundary", f"Content-Type is {content_type}, but names no boundary")
            self._body = Form(boundary, files, limits)
        else:
            self._body = _DumpAlone(content_type, files)

    def feed(self, data: bytes) -> None:
        """Read more of the body, decoded from chunks. Raises Refused, or OSError of the sink."""
        self._received += len(data)
        if self._received > self._limits.maximum_body:
            raise too_large("maximum_body", "the bytes of an upload", self._limits.maximum_body)
        self._decompressor.feed(data)

    def finish(self) -> Submission:
        """Return the upload, now that its body has ended. Raises Refused if it was cut, or is empty."""
        self._check_length()
        self._decompressor.finish()
        self._body.finish()
        body, request = self._body, self._request
        annotations = body.annotations
        if not annotations and not body.stored.files:
            raise malformed("empty", "the upload has neither a minidump nor annotations")
        self._add_from_address(annotations, everything=isinstance(body, _DumpAlone))
        report_id = next((id_ for file in body.stored.files if (id_ := _report_id(file.name, file.sent_as))), "")
        client = client_of(
            annotations.keys(),
            user_agent=request.user_agent,
            report_id=report_id,
            has_extra=body.has_extra,
            has_sentry_key=request.has_sentry_key,
        )
        client_uuid = self._client_uuid(annotations)
        notes = [*body.notes, *body.stored.notes, *self._notes]
        if len(notes) > _MAXIMUM_NOTES:
            notes[_MAXIMUM_NOTES:] = [f"{len(notes) - _MAXIMUM_NOTES} more notes"]
        files = sorted(body.stored.files, key=lambda file: (file.name != MAIN_DUMP, file.kind != "dump"))
        return Submission(annotations, files, client, report_id, client_uuid, notes)

    def _check_length(self) -> None:
        announced = self._request.content_length
        # A minidump alone has no end of its own.
        if announced is not None and announced != self._received:
            raise malformed("cut", f"the body has {self._received:,} bytes, but Content-Length is {announced:,}")

    def _new_decompressor(self, encoding: str) -> Decompressor:
        name = encoding.strip().lower()
        if name in ("", "identity"):
            return Uncompressed(self._feed_body)
        if name in ("gzip", "x-gzip"):
            return Gunzip(self._feed_decoded)
        raise malformed("content_encoding", f"Content-Encoding is {name[:40]!r}; only gzip is understood")

    def _feed_decoded(self, data: bytes) -> None:
        self._count_decoded(len(data))
        self._feed_body(data)

    def _feed_body(self, data: bytes) -> None:
        self._body.feed(data)

    def _count_decoded(self, size: int) -> None:
        self._decoded += size
        if self._decoded > self._limits.maximum_decoded:
            raise too_large("maximum_decoded", "the decompressed bytes of an upload", self._limits.maximum_decoded)

    def _add_from_address(self, annotations: dict[str, Any], *, everything: bool) -> None:
        """Add parameters of the address for which the body has no annotation."""
        total = 0
        for name, value in self._request.query:
            names = _FROM_ADDRESS.get(name, (name,) if everything else None)
            total += len(name) + len(value)
            if names is None or not value or any(annotations.get(each) for each in names):
                continue
            if total > self._limits.maximum_field_total or len(annotations) >= self._limits.maximum_fields:
                self._notes.append(f"the address has more parameters than may be stored: {name[:100]!r} is left out")
                break
            annotations[name] = value

    def _client_uuid(self, annotations: dict[str, Any]) -> str:
        """Take the id that the client wants out of the annotations; one that cannot be a crash id is only noted."""
        sent = annotations.pop(_UUID, None)
        if sent is None or sent == "":
            return ""
        try:
            return check_crash_id(sent.removeprefix("bp-") if isinstance(sent, str) else repr(sent))
        except InvalidCrashID:
            self._notes.append(f"uuid is not a crash id, and is left out: {str(sent)[:100]!r}")
            return ""


class _DumpAlone:
    """A body that is one minidump, as it is or compressed."""

    has_extra = False

    def __init__(self, content_type: str, stored: StoredFiles) -> None:
        self.annotations: dict[str, Any] = {}
        self.notes: list[str] = []
        self.stored = stored
        self._content_type = content_type
        self._beginning: bytes | None = b""

    def feed(self, data: bytes) -> None:
        if self._beginning is not None:
            self._beginning += data
            if len(self._beginning) < _LONGEST_BEGINNING:
                return
            if not self._beginning.startswith(_DUMP_BEGINNINGS):
                raise self._neither()
            data, self._beginning = self._beginning, None
            self.stored.begin(MAIN_DUMP, "")
        self.stored.write(data)

    def finish(self) -> None:
        if self._beginning is not None:
            raise self._neither()
        self.stored.end()

    def _neither(self) -> Exception:
        return malformed(
            "content_type",
            f"the body is not a minidump, and Content-Type is {self._content_type[:100]!r}: post a form as "
            "multipart/form-data (curl -F), or a minidump alone",
        )


def _report_id(name: str, file_name: str) -> str:
    """Return Crashpad's id of the report, which is the name of the main dump's file; empty if it is none."""
    match = _REPORT_FILE.fullmatch(file_name) if name == MAIN_DUMP else None
    return match[1].lower() if match else ""
