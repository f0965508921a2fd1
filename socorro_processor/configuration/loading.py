"""Combine definitions and sources to the values that components are built with."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from socorro_processor.configuration.algorithm import OPTION, SECTIONS, with_algorithm
from socorro_processor.configuration.class_names import class_converter
from socorro_processor.configuration.configman_compat import (
    ConfigurationManager,
    DotDict,
    Namespace,
    Option,
    RequiredConfig,
    boolean,
)
from socorro_processor.configuration.converters import Seconds, WholeNumber
from socorro_processor.configuration.retired import MOVED, RETIRED, of_2016
from socorro_processor.configuration.same_server import with_symbols_beside_crashes
from socorro_processor.configuration.sources import CommandLineSource, Source, SourcedValue
from socorro_processor.errors import ConfigurationError, raise_if_of_this_machine

SHARED_VALUES = ("resource", "secrets")


class Configuration:
    """Every option with its value. Components are built with the sections of ``values``."""

    def __init__(self, definitions: Namespace, sources: Sequence[Source], *, tolerated: tuple[str, ...] = ()) -> None:
        """Read ``sources``; later ones override earlier ones. Raises ConfigurationError with all mistakes.

        An unknown option whose name begins with one of ``tolerated`` is a warning and no mistake.
        """
        _extend_python_path(sources)
        self._definitions, self._sources = definitions.safe_copy(), sources
        with_choice, self.algorithm = with_algorithm(sources, definitions)
        self._manager = _Manager(
            [definitions],
            with_symbols_beside_crashes(with_choice),
            argv_source=[],
            use_admin_controls=False,
            use_auto_help=False,
            value_source_object_hook=Source,
            tolerated=tolerated,
        )
        self.values: DotDict = self._manager.get_config(mapping_class=DotDict)
        self.warnings: Sequence[str] = self._manager.retired
        """Messages about options that have no effect any more."""

    def with_algorithm(self, name: str) -> Configuration:
        """Return this configuration with another class of the pipeline. Raises ConfigurationError.

        Options of rules that this pipeline does not have are left out, with a warning.
        """
        sources = [*self._sources, Source({OPTION: name})]
        return Configuration(self._definitions.safe_copy(), sources, tolerated=SECTIONS)

    def command_line(self) -> list[str]:
        """Return the options of the command line, for a program with the same configuration. Some may be secrets."""
        sources = (source for source in self._sources if isinstance(source, CommandLineSource))
        return [f"--{key}={value}" for source in sources for key, value in source.given()]

    def options(self) -> Iterator[tuple[str, Option]]:
        """Yield every option with its dotted key, section by section."""
        definitions = self._manager.option_definitions
        for key in sorted(definitions.keys_breadth_first(), key=lambda key: (key.split(".")[:-1], key)):
            if isinstance(definitions[key], Option):
                yield key, definitions[key]


def defaults(component: type[RequiredConfig], **values: object) -> DotDict:
    """Return the configuration of ``component``: its defaults, overridden by ``values``."""
    return Configuration(component.get_required_config(), [Source(values)]).values


def _extend_python_path(sources: Iterable[Source]) -> None:
    """Make the operator's modules importable, before the first class name is looked up."""
    values = [source["plugins.path"] for source in sources if "plugins.path" in source]
    for part in values[-1].split(",") if values else ():
        if not part.strip():
            continue
        directory = Path(part.strip()).absolute()
        if not directory.is_dir():
            origin = getattr(values[-1], "origin", "plugins.path")
            raise ConfigurationError(f"{origin}: there is no directory {directory}")
        if str(directory) not in sys.path:
            sys.path.append(str(directory))


class _Manager(ConfigurationManager):
    """configman's manager, with errors that an operator can act on."""

    retired: Sequence[str] = ()

    def __init__(self, *arguments: Any, tolerated: tuple[str, ...], **options: Any) -> None:
        self._tolerated = tolerated
        super().__init__(*arguments, **options)

    def _overlay_expand(self) -> set[str]:
        try:
            known: set[str] = super()._overlay_expand()
        except Exception as error:
            # configman stops at the first value that it cannot convert, and does not say where that came from.
            mistakes = dict.fromkeys(mistake for key in self._keys() if (mistake := self._mistake(key)))
            if not mistakes:  # the error was temporary
                raise_if_of_this_machine(error, "reading the configuration")
            raise ConfigurationError("\n".join(mistakes) or str(error)) from error
        return known | set(self._keys())

    def _keys(self) -> list[str]:
        return [
            key
            for key in self.option_definitions.keys_breadth_first()
            if isinstance(self.option_definitions[key], Option)
        ]

    def _mistake(self, key: str) -> str | None:
        option = self.option_definitions[key]
        text = option.default
        if not isinstance(text, SourcedValue) or option.from_string_converter is None:
            return None
        try:
            option.from_string_converter(text)
        except Exception as error:
            raise_if_of_this_machine(error, f"reading {text.origin}")
            shown = "the value" if option.secret else repr(str(text))
            return f"{text.origin}: {shown} is not {_expected(option.from_string_converter, error)}"
        return None

    def _check_for_mismatches(self, known_keys: set[str]) -> None:
        retired, mistakes = [], []
        for source in (wrapped.source for wrapped in self.values_source_list):
            for key in sorted(source.unknown(known_keys)):
                place = getattr(source[key], "origin", key)
                if _of_an_unused_resource(key, known_keys):
                    continue
                if reason := of_2016(key, RETIRED):
                    retired.append(f"{place}: an option of the 2016 processor, without effect here: {reason}")
                elif key.startswith(self._tolerated):
                    retired.append(f"{place}: left out, because there is no option {key} with this algorithm")
                elif instead := of_2016(key, MOVED):
                    mistakes.append(f"{place}: there is no option {key} any more; set {instead}")
                else:
                    mistakes.append(f"{place}: there is no option {key}{_nearest(key, known_keys)}")
        if mistakes:
            raise ConfigurationError("\n".join(mistakes))
        self.retired = retired


def _nearest(key: str, known_keys: set[str]) -> str:
    near = difflib.get_close_matches(key, known_keys, n=1, cutoff=0.6)
    if not near:
        section = key.rpartition(".")[0]
        near = sorted(other for other in known_keys if other.rpartition(".")[0] == section)[:5]
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _of_an_unused_resource(key: str, known_keys: set[str]) -> bool:
    """Return True for a shared value in a section that nothing here uses: it may be for other programs."""
    if key.split(".")[0] not in SHARED_VALUES:
        return False
    section = key.rpartition(".")[0] + "."
    return not any(known.startswith(section) for known in known_keys)


def _expected(converter: Callable[[str], Any], error: Exception) -> str:
    if converter is int:
        return "a whole number"
    if converter is float:
        return "a number"
    if isinstance(converter, (WholeNumber, Seconds)):
        return str(converter)
    if converter is boolean:
        return "true or false"
    if converter is class_converter:
        return f"a class that can be used: {error}"
    return f"what was expected: {error}"
