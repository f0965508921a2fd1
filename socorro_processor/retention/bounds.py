"""The bounds of a store on one machine: for how long, up to which size, and with how many dumps crashes are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace, WholeNumber, size
from socorro_processor.layout import counted
from socorro_processor.machine.disk_space import in_words
from socorro_processor.retention.largest_disk import largest_disk

OTHERS = "*"
"""Stands for each product that the table of products does not name."""

_MOST_OF_DISK = 2
"""The automatic bound is this part of the disk: a half."""
_MOST = 50 << 30
"""The automatic bound is at most this: 50 GB."""


def size_or_zero(text: str) -> int:
    """Read a number of bytes; 0 for no bound. Raises ValueError."""
    return 0 if text.strip() == "0" else size(text)


def size_zero_or_auto(text: str) -> int | None:
    """Read a number of bytes; 0 for no bound, None for ``auto``. Raises ValueError."""
    return None if text.strip().lower() in ("", "auto") else size_or_zero(text)


def read_product_sizes(text: str) -> Mapping[str, int]:
    """Read a JSON object of products and sizes. Raises ValueError, which says what is wrong."""
    try:
        table = json.loads(text or "{}")
    except ValueError:
        table = None
    if not isinstance(table, dict):
        raise ValueError('a JSON object of products and sizes, such as {"Browser": "20G", "*": "5G"}')
    sizes = {}
    for product, given in table.items():
        if not isinstance(given, str | int) or isinstance(given, bool):
            raise ValueError(f"the size of {product!r} is a text, such as 500M or 4G")
        try:
            sizes[product] = size_or_zero(str(given))
        except ValueError as error:
            raise ValueError(f"{product!r}: {error}") from None
    return sizes


required_config = Namespace()
required_config.add_option(
    "keep_days",
    default=90,
    doc="days that socorro serve keeps a crash since it arrived (0: for ever)",
    from_string_converter=WholeNumber(0),
)
required_config.add_option(
    "keep_bytes",
    default="auto",
    doc="bytes on the disk of all crashes that socorro serve keeps; the oldest go first (auto: half of the disk, at "
    "most 50G; 0: no bound)",
    from_string_converter=size_zero_or_auto,
)
required_config.add_option(
    "product_bytes",
    default="{}",
    doc='bytes of the crashes of one product, as a JSON object: {"Browser": "20G", "*": "5G"}; * is each product that '
    "is not named, 0 is no bound; the product's own oldest go first",
    from_string_converter=read_product_sizes,
)
required_config.add_option(
    "keep_dumps",
    default=100,
    doc="crashes of a signature, the newest, that keep their dumps and attachments (0: all)",
    from_string_converter=WholeNumber(0),
)
required_config.add_option(
    "disk_low",
    default="auto",
    doc="bytes that must be free on each disk, or pages and probes warn (auto: 5% of the disk, at least 2G and at most "
    "20G; 0: never)",
    from_string_converter=size_zero_or_auto,
)


@dataclass(frozen=True)
class Bounds:
    """The bounds of a store; 0 stands for none."""

    days: int = 0
    size: int = 0
    """Bytes on the disk of all crashes."""
    dumps: int = 0
    """Crashes of a signature that keep their dumps."""
    products: Mapping[str, int] = field(default_factory=dict)
    """Bytes of the crashes of a product, by its name or OTHERS."""

    @classmethod
    def of(cls, config: DotDict, directory: Path) -> Bounds:
        """Return the bounds of the section ``retention`` for a store in ``directory``, which need not exist yet.

        Raises OSError if its disk does not answer.
        """
        kept = config.keep_bytes
        if kept is None:
            kept = automatic_size(largest_disk(directory))
        return cls(config.keep_days, kept, config.keep_dumps, config.product_bytes)

    def of_product(self, product: str) -> int:
        return self.products.get(product, self.products.get(OTHERS, 0))

    def in_words(self) -> str:
        """Return a sentence: ``Crashes are kept for 90 days, at most 50 GB; ...``."""
        days = f"for {counted(self.days, 'day')}" if self.days else ""
        size = f"{'at most' if days else 'up to'} {in_words(self.size)}" if self.size else ""
        products = f"with {counted(len(self.products), 'bound')} by product" if self.products else ""
        crashes = ", ".join(filter(None, (days, size, products))) or "for ever"
        dumps = f"; their dumps only for the newest {self.dumps} of each signature" if self.dumps else ""
        return f"Crashes are kept {crashes}{dumps}."


def automatic_size(disk: int) -> int:
    """Return the bytes that are kept on a disk of this size if nobody says how many."""
    return min(disk // _MOST_OF_DISK, _MOST)
