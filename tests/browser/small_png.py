"""Write a picture as a PNG with a palette: a page has few colours, and needs a third of the bytes.

https://www.w3.org/TR/png-3/, sections 5, 9 and 11
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

COLOURS = 256
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def small_png(pixels: bytes, width: int, height: int) -> bytes:
    """Return the PNG of opaque pixels: rows of red, green, blue and alpha, a byte each.

    Colours after the 256 most frequent become the nearest of these.
    """
    if len(pixels) != 4 * width * height:
        raise ValueError(f"{len(pixels)} bytes are not {width} x {height} pixels")
    colours = Counter(memoryview(pixels).cast("I"))
    palette = [colour for colour, _ in colours.most_common(COLOURS)]
    index = {colour: number for number, colour in enumerate(palette)}
    for colour in colours:
        if colour not in index:
            index[colour] = min(range(COLOURS), key=lambda number: _distance(palette[number], colour))
    numbers = bytes(map(index.__getitem__, memoryview(pixels).cast("I")))
    # Each row begins with its filter; 0 is none, the best for palettes.
    rows = b"".join(b"\0" + numbers[at : at + width] for at in range(0, len(numbers), width))
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0),
        b"PLTE": b"".join(bytes(_parts(colour)) for colour in palette),
        b"IDAT": zlib.compress(rows, 9),
        b"IEND": b"",
    }
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks.items())


def size_of(png: bytes) -> tuple[int, int]:
    """Return width and height of a PNG."""
    if png[:8] != _SIGNATURE or png[12:16] != b"IHDR":
        raise ValueError("not a PNG")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _parts(colour: int) -> Iterator[int]:
    """Yield red, green and blue."""
    yield from struct.pack("=I", colour)[:3]


def _distance(one: int, other: int) -> int:
    return sum((a - b) ** 2 for a, b in zip(_parts(one), _parts(other), strict=True))
