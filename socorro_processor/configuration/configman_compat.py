"""configman, made to work with today's Python. Nothing else imports it directly."""

from __future__ import annotations

import collections
import collections.abc

# configman 1.3.0, the newest there is, was written before Python 3.10 moved the abstract base
# classes out of `collections`; here it finds them there again.
for _name in ("Mapping", "MutableMapping", "MutableSet", "Sequence"):
    setattr(collections, _name, getattr(collections.abc, _name))

from configman import ConfigurationManager, Namespace, RequiredConfig  # noqa: E402
from configman.converters import str_to_instance_of_type_converters  # noqa: E402
from configman.dotdict import DotDict  # noqa: E402
from configman.option import Option  # noqa: E402

__all__ = ["ConfigurationManager", "DotDict", "Namespace", "Option", "RequiredConfig"]


def boolean(text: str) -> bool:
    """``true`` or ``false``, and what else people write for them."""
    match text.strip().lower():
        case "true" | "t" | "yes" | "y" | "on" | "1":
            return True
        case "false" | "f" | "no" | "n" | "off" | "0":
            return False
    raise ValueError("neither true nor false")


# configman's own takes every word that is not "true" for a no, misspelled ones too.
str_to_instance_of_type_converters[bool] = boolean
