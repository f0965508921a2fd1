"""Read a form: its fields, its files, and the two in which annotations come packed.

Firefox sends all annotations as one JSON object, ``extra``, with or without a file name. Sentry's native client sends
the names of the program in an attachment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socorro_processor.collector.header_parameters import read_header
from socorro_processor.collector.limits import Limits
from socorro_processor.collector.multipart import MultipartReader
from socorro_processor.collector.refusal import malformed, too_large
from socorro_processor.collector.sentry_event import MAXIMUM_EVENT, SENTRY_EVENT, names_in_event
from socorro_processor.collector.stored_files import StoredFiles, last_part
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.serialization import NotJSON, decode

_EXTRA = "extra"
_HARMLESS_TRANSFER_ENCODINGS = ("", "binary", "8bit", "7bit")
MAXIMUM_VALUES = 100_000
"""Values in ``extra``, nested ones too: an empty array is two bytes there, but 64 in memory."""
_SEPARATORS = (b",", b"[", b"{")
"""At most one value of a JSON text has none of these before it."""


class Form:
    """A multipart body: fields become annotations, files are stored."""

    def __init__(self, boundary: str, stored: StoredFiles, limits: Limits) -> None:
        self.annotations: dict[str, Any] = {}
        self.notes: list[str] = []
        self.stored = stored
        self.has_extra = False
        self._limits = limits
        self._reader = MultipartReader(
            boundary.encode("utf-8", "replace"), self, maximum_headers=limits.maximum_headers
        )
        self._fields = self._field_total = self._parts = 0
        self._name = ""
        self._is_file = False
        self._field = bytearray()
        self._event: bytearray | None = None
        """A copy of Sentry's event; None while another part is read, or if it is too large."""

    def feed(self, data: bytes) -> None:
        self._reader.feed(data)

    def finish(self) -> None:
        if not self._reader.is_complete:
            raise malformed("cut", "the body ends before its closing boundary")

    def begin_part(self, headers: Mapping[str, str]) -> None:
        disposition, parameters = read_header(headers.get("content-disposition", ""))
        encoding = headers.get("content-transfer-encoding", "").strip().lower()
        if encoding not in _HARMLESS_TRANSFER_ENCODINGS:
            raise malformed("transfer_encoding", f"a part has Content-Transfer-Encoding {encoding[:40]!r}: send bytes")
        self._parts += 1
        file_name = last_part(parameters.get("filename", ""))
        self._name = parameters.get("name", "") or file_name
        if not self._name:
            raise malformed(
                "no_name", f"part {self._parts} of the form ({disposition[:40] or 'no disposition'}) has no name"
            )
        self._check_name(self._name)
        self._is_file = self._name != _EXTRA and ("filename" in parameters or self._name.startswith(MAIN_DUMP))
        self._event = None
        if self._is_file:
            self.stored.begin(self._name, file_name)
            self._event = bytearray() if self._name == SENTRY_EVENT else None
            return
        self._fields += 1
        if self._fields > self._limits.maximum_fields:
            raise too_large("maximum_fields", "the fields of an upload", self._limits.maximum_fields)
        self._field = bytearray()
        self._field_total += len(self._name)

    def part_data(self, data: bytes) -> None:
        if self._is_file:
            self.stored.write(data)
            if self._event is not None:
                self._event += data
                if len(self._event) > MAXIMUM_EVENT:
                    self._event = None
            return
        self._field_total += len(data)
        if len(self._field) + len(data) > self._limits.maximum_field:
            raise too_large("maximum_field", f"the bytes of the field {self._name[:100]!r}", self._limits.maximum_field)
        if self._field_total > self._limits.maximum_field_total:
            raise too_large("maximum_field_total", "the bytes of all fields", self._limits.maximum_field_total)
        self._field += data

    def end_part(self) -> None:
        if self._is_file:
            self.stored.end()
            if self._event is not None:
                self._take_event(bytes(self._event))
            return
        data, self._field = bytes(self._field), bytearray()
        if self._name == _EXTRA and self._take_extra(data):
            return
        text = data.decode("utf-8", "replace")
        if "\ufffd" in text and text.encode() != data:
            self.notes.append(f"the field {self._name[:100]!r} is not UTF-8: other bytes became U+FFFD")
        self._set(self._name, text)

    def _take_extra(self, data: bytes) -> bool:
        """Take the annotations out of a JSON object; return False if it is none.

        A program that crashes may have written half of it. Then the text is kept, because the dump is worth having.
        """
        if sum(map(data.count, _SEPARATORS)) > MAXIMUM_VALUES:
            self.notes.append(f"extra has more than {MAXIMUM_VALUES:,} values: it is kept as a text")
            return False
        mended: list[str] = []
        try:
            values = decode(data, mended.append)
        except NotJSON:
            values = None
        if not isinstance(values, dict):
            self.notes.append("extra is not a JSON object: it is kept as a text")
            return False
        self.notes.extend(f"extra: {note}" for note in mended)
        self.has_extra = True
        self._fields += len(values)
        if self._fields > self._limits.maximum_fields:
            raise too_large("maximum_fields", "the fields of an upload", self._limits.maximum_fields)
        for name, value in values.items():
            self._check_name(name)
            self._set(name, value)
        return True

    def _take_event(self, event: bytes) -> None:
        for name, value in names_in_event(event).items():
            if not self.annotations.get(name):
                self._set(name, value)

    def _check_name(self, name: str) -> None:
        if len(name.encode("utf-8", "replace")) > self._limits.maximum_name:
            raise too_large("maximum_name", "the bytes of a field's name", self._limits.maximum_name)

    def _set(self, name: str, value: Any) -> None:
        if name in self.annotations and self.annotations[name] != value:
            self.notes.append(f"{name[:100]!r} came more than once: the last one counts")
        self.annotations[name] = value
