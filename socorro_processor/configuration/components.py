"""Find the sections of components in the configuration, at any depth, and create components.

A store may be within another store.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, TypeVar

from socorro_processor.configuration.configman_compat import DotDict
from socorro_processor.errors import ConfigurationError, SocorroError

logger = logging.getLogger(__name__)

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


def create(component_class: Any, config: DotDict) -> Any:
    """Return a new component. Raises ConfigurationError if its constructor, perhaps an operator's own, fails."""
    try:
        return component_class(config)
    except SocorroError:
        raise
    except Exception as error:
        logger.exception("cannot create %s", component_class.__name__)
        raise ConfigurationError(
            f"cannot create {component_class.__name__}: {type(error).__name__}: {error} (a bug in it, unless this "
            "machine lacks something: see the log)"
        ) from error
