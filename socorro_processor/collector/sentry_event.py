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
    """Return ``sentry[release]`` and ``sentry[environment]`` as far as the event has them; damaged ones have none."""
    try:
        values = msgpack.unpackb(event, strict_map_key=False)
    except (ValueError, msgpack.UnpackException, RecursionError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {f"sentry[{name}]": value for name in _NAMES if isinstance(value := values.get(name), str) and value}
