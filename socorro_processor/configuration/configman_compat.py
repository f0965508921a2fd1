"""Make configman work with today's Python. Other modules import it from here."""

from __future__ import annotations

import collections
import collections.abc

# configman 1.3.0, the newest version, imports the abstract base classes from `collections`, which Python 3.10 removed.
for _name in ("Mapping", "MutableMapping", "MutableSet", "Sequence"):
    setattr(collections, _name, getattr(collections.abc, _name))

from configman import ConfigurationManager, Namespace, RequiredConfig  # noqa: E402
from configman.converters import str_to_instance_of_type_converters  # noqa: E402
from configman.dotdict import DotDict  # noqa: E402
from configman.option import Option  # noqa: E402

__all__ = ["ConfigurationManager", "DotDict", "Namespace", "Option", "RequiredConfig"]


def boolean(text: str) -> bool:
    """Read ``true``, ``false``, or a synonym. Raises ValueError."""
    match text.strip().lower():
        case "true" | "t" | "yes" | "y" | "on" | "1":
            return True
        case "false" | "f" | "no" | "n" | "off" | "0":
            return False
    raise ValueError("neither true nor false")


# By default, configman reads every word except "true" as false, even a misspelled one.
str_to_instance_of_type_converters[bool] = boolean
