"""Where in the configuration a kind of component is: a store behind others, in a wrapper, or alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from socorro_processor.configuration.mend import DotDict

T = TypeVar("T")


def components(config: DotDict, kind: type[T]) -> Iterator[tuple[type[T], DotDict]]:
    """Each class of this kind that a section names, or one within it, with the section: its options are there."""
    values = list(config.values())
    for value in values:
        if isinstance(value, type) and issubclass(value, kind):
            yield value, config
    for value in values:
        if isinstance(value, DotDict):
            yield from components(value, kind)
