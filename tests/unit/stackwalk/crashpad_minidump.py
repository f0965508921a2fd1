"""Minidumps with the annotations that a Crashpad client adds."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

STRING = 1
_AMD64, _LINUX = 9, 0x8201
_HEADER, _DIRECTORY_ENTRY = 32, 12
_SYSTEM_INFO, _THREADS, _MODULES, CRASHPAD = 7, 3, 4, 0x43500001

Text = str | bytes


@dataclass
class Annotated:
    """The annotations of a module, by its index in the list of modules."""

    index: int
    listed: Sequence[Text] = ()
    simple: Sequence[tuple[Text, Text]] = ()
    objects: Sequence[tuple[Text, int, bytes]] = ()


@dataclass
class CrashpadMinidump:
    """A process without threads."""

    modules: Sequence[str] = ()
    simple: Sequence[tuple[Text, Text]] = ()
    annotated: Sequence[Annotated] = ()
    report_id: bytes = bytes(16)
    client_id: bytes = bytes(16)
    version: int = 1
    module_size: int = 0x1000
    byte_order: str = "<"
    streams: dict[int, bytes] = field(default_factory=dict)
    """Further streams, by their types."""

    def __post_init__(self) -> None:
        self._data = bytearray(_HEADER + _DIRECTORY_ENTRY * (4 + len(self.streams)))

    def written(self) -> bytes:
        """Return the minidump."""
        streams = {
            _SYSTEM_INFO: self._pack("HHHBB5IHH24x", _AMD64, 0, 0, 1, 0, 0, 0, 0, _LINUX, 0, 0, 0),
            _THREADS: self._pack("I", 0),
            _MODULES: self._counted([self._module(number, name) for number, name in enumerate(self.modules)]),
            CRASHPAD: self._crashpad(),
            **self.streams,
        }
        directory = b"".join(self._pack("3I", kind, len(blob), self._put(blob)) for kind, blob in streams.items())
        self._data[:_HEADER] = self._pack("4I", 0x504D444D, 0xA793, len(streams), _HEADER) + bytes(16)
        self._data[_HEADER : _HEADER + len(directory)] = directory
        return bytes(self._data)

    def _module(self, number: int, name: str) -> bytes:
        text = name.encode("utf-16-le" if self.byte_order == "<" else "utf-16-be")
        at = self._put(self._pack("I", len(text)) + text)
        return self._pack("QI8xI52x16x16x", 0x400000 + 0x10000 * number, self.module_size, at)

    def _crashpad(self) -> bytes:
        links = []
        for module in self.annotated:
            info = self._pack("I", 1) + self.put_strings(module.listed) + self._pairs(module.simple)
            info += self._objects(module.objects)
            links.append(self._pack("III", module.index, len(info), self._put(info)))
        modules = self._placed(self._counted(links))
        ids = self.report_id + self.client_id
        return self._pack("I", self.version) + ids + self._pairs(self.simple) + modules

    def put_strings(self, strings: Sequence[Text]) -> bytes:
        return self._placed(self._counted([self._pack("I", self.put_text(text)) for text in strings]))

    def _pairs(self, pairs: Sequence[tuple[Text, Text]]) -> bytes:
        records = [self._pack("II", self.put_text(name), self.put_text(value)) for name, value in pairs]
        return self._placed(self._counted(records))

    def _objects(self, objects: Sequence[tuple[Text, int, bytes]]) -> bytes:
        records = []
        for name, kind, value in objects:
            value_at = self._put(self._pack("I", len(value)) + value)
            records.append(self._pack("IHHI", self.put_text(name), kind, 0, value_at))
        return self._placed(self._counted(records))

    def put_text(self, text: Text) -> int:
        blob = text.encode() if isinstance(text, str) else text
        return self._put(self._pack("I", len(blob)) + blob + b"\0")

    def _counted(self, records: Sequence[bytes]) -> bytes:
        return self._pack("I", len(records)) + b"".join(records)

    def _placed(self, blob: bytes) -> bytes:
        return self._pack("II", len(blob), self._put(blob))

    def _put(self, blob: bytes) -> int:
        self._data += bytes(-len(self._data) % 4) + blob
        return len(self._data) - len(blob)

    def _pack(self, layout: str, *values: object) -> bytes:
        return struct.pack(self.byte_order + layout, *values)
