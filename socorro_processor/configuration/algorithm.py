"""Choose the algorithm where the configuration does not name it: 2015 for older configurations, else 2026.

An installation that was configured before there was ``ProcessorAlgorithm2026`` signs as before: if a source sets any
option of the rules, or uses a name of the 2016 processor, the class is that of 2015. Lists of its own are written for
the names of 2015, too; but lists that the command line names are being tried, by the algorithm in use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from socorro_processor.configuration.class_names import is_former_class_name
from socorro_processor.configuration.configman_compat import Namespace
from socorro_processor.configuration.retired import is_name_of_2016
from socorro_processor.configuration.sources import Source, SourcedValue

OPTION = "processor.processor_class"
_RULES, _LISTS = "processor.", "resource.signature."
SECTIONS = (_RULES, _LISTS)
"""The beginnings of the names of the rules' options."""
_OF_2015 = "socorro_processor.pipeline.mozilla_2015.MozillaProcessorAlgorithm2015"
_DOTTED_NAME = re.compile(r"[\w.]+", re.ASCII)


class Choice(NamedTuple):
    """The way in which the algorithm was chosen."""

    reason: str
    """In words, for operators; empty for a program without rules."""
    is_default: bool
    """True if nothing in the configuration bears on it."""


def with_algorithm(sources: Sequence[Source], definitions: Namespace) -> tuple[list[Source], Choice]:
    """Return the sources, preceded by one that names the algorithm of 2015 if it has to be that, and the reason."""
    if "processor" not in definitions or "processor_class" not in definitions.processor:
        return list(sources), Choice("", is_default=False)
    if named := [source[OPTION] for source in sources if OPTION in source]:
        return list(sources), Choice(f"named by {_origin(named[-1], OPTION)}", is_default=False)
    if reason := _reason_for_2015(sources, definitions):
        reason += f", without {OPTION}: an older configuration keeps the algorithm of 2015"
        return [Source({OPTION: SourcedValue(_OF_2015, reason)}), *sources], Choice(reason, is_default=False)
    return list(sources), Choice("the default: the configuration has no option of the rules", is_default=True)


def _reason_for_2015(sources: Sequence[Source], definitions: Namespace) -> str:
    for source in sources:
        for key, value in source.given():
            # Other programs may share the environment.
            if source.is_shared(key) and key.split(".")[0] not in definitions:
                continue
            place = _origin(value, key)
            if key.startswith(_RULES) or (key.startswith(_LISTS) and not source.is_for_one_run):
                return f"{place} is set"
            if is_name_of_2016(key):
                return f"{place} is a name of 2016"
            if any(map(is_former_class_name, _DOTTED_NAME.findall(str(value)))):
                return f"{place} has a former class name"
    return ""


def _origin(value: Any, key: str) -> str:
    return str(getattr(value, "origin", key))
