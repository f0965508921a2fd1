"""The names of the program in the event that Sentry's native client attaches: MessagePack, an object.

Of the event only ``release`` and ``environment`` are read; the attachment is stored as it came.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgpack

SENTRY_EVENT = "__sentry-event"
"""The name of the attachment."""
MAXIMUM_EVENT = 1 << 20
"""Bytes. A larger event is not read."""
_NAMES = ("release", "environment")


def names_in_event(event: bytes) -> Mapping[str, str]:
    """Return ``sentry[release]`` and ``sentry[environment]`` as far as the event has them, and is not damaged.

    All other values are skipped, so that a small event cannot become a large object: arrays within arrays have a byte
    each.
    """
    reader = msgpack.Unpacker(
        max_buffer_size=MAXIMUM_EVENT, max_array_len=0, max_map_len=0, strict_map_key=False, unicode_errors="replace"
    )
    reader.feed(event[:MAXIMUM_EVENT])
    names: dict[str, str] = {}
    try:
        for _ in range(reader.read_map_header()):
            name = reader.unpack()
            if name not in _NAMES:
                reader.skip()
            elif isinstance(value := reader.unpack(), str) and value:
                names[f"sentry[{name}]"] = value
    except (ValueError, msgpack.UnpackException):
        pass  # the rest cannot be read
    return names
