"""Find the sections of components in the configuration, at any depth: a store may be within another store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from socorro_processor.configuration.configman_compat import DotDict

T = TypeVar("T")


def sections(config: DotDict) -> Iterator[DotDict]:
    """Yield ``config`` and each section within it, the outer ones first."""
    yield config
    for value in list(config.values()):
        if isinstance(value, DotDict):
            yield from sections(value)


def components(config: DotDict, kind: type[T]) -> Iterator[tuple[type[T], DotDict]]:
    """Yield each class of this kind that a section names, and that section, which has the options of the class."""
    for section in sections(config):
        for value in list(section.values()):
            if isinstance(value, type) and issubclass(value, kind):
                yield value, section
