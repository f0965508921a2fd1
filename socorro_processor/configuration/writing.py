"""Write the configuration for people: as an ini file, and as the list of options in a command's help."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from configman.converters import to_str

from socorro_processor.configuration.class_names import class_name
from socorro_processor.configuration.configman_compat import Option
from socorro_processor.configuration.loading import SHARED_VALUES, Configuration
from socorro_processor.configuration.sources import SourcedValue

MASK = "****************"
_LISTED_CLASSES = ("rule_class", "crashstorage_class")
"""Options within a section that another option sets, one for each class in its list."""


def as_ini(configuration: Configuration) -> str:
    """Return an ini file with every option, in which defaults are comments."""
    return "\n".join(_ini_lines(configuration)) + "\n"


def as_help(configuration: Configuration, sections: str | Callable[[str], bool], *, everything: bool = False) -> str:
    """Return the options with their docs and values; empty if there are none.

    ``sections``: the name of a section, such as ``resource.symbols``, or a function that returns True for each top
    section to list. Without ``everything``, an option with a shared value is listed only in the shared section, and
    the classes that another option lists are left out.
    """
    every = dict(configuration.options())
    chosen = {key: option for key, option in every.items() if _is_in(key, sections)}
    shared = {f"{option.reference_value_from}.{key.rpartition('.')[2]}" for key, option in chosen.items()}
    lines: list[str] = []
    section = ""
    for key, option in chosen.items():
        top, *within, name = key.split(".")
        if not everything:
            shared_option = every.get(f"{option.reference_value_from}.{name}")
            if (name in _LISTED_CLASSES and within) or (
                shared_option is not None and _text(shared_option) == _text(option)
            ):
                continue
            if callable(sections) and top in SHARED_VALUES and key not in shared:
                continue
        if top != section:
            lines += ["", f"{top}:"] if lines else [f"{top}:"]
            section = top
        lines.append(f"  --{key}={_one_line(_text(option))}")
        lines += textwrap.wrap(option.doc or "", 80, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)


def _is_in(key: str, sections: str | Callable[[str], bool]) -> bool:
    if callable(sections):
        return sections(key.partition(".")[0])
    return key.startswith(f"{sections.strip('.')}.")


def _ini_lines(configuration: Configuration) -> Iterator[str]:
    section: list[str] = []
    for key, option in configuration.options():
        *within, name = key.split(".")
        if within == ["admin"]:
            continue  # it tells configman what to do with the configuration
        if within != section:
            yield ""
            shared = 0
            while shared < min(len(within), len(section)) and within[shared] == section[shared]:
                shared += 1
            for level in range(shared, len(within)):
                yield f"{'    ' * level}{'[' * (level + 1)}{within[level]}{']' * (level + 1)}"
            section = within
        indent = "    " * len(within)
        yield from textwrap.wrap(option.doc or "", 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        sign = "" if isinstance(option.default, SourcedValue) else "#"
        yield f"{indent}{sign}{name} = {_quoted(_text(option)) if sign == '' else _one_line(_text(option))}"


def _text(option: Option) -> str:
    if option.secret and option.value:
        return MASK
    # The original text, from the file or the default, is certain to be read back as the same value.
    default: Any = option.default
    if isinstance(default, str):
        return str(default)
    return class_name(default) if isinstance(default, type) else str(to_str(default))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    """Quote a text so that ``read_ini`` reads the same text again."""
    if "\n" in text or "#" in text or text != text.strip():
        for quotes in ("'''", '"""'):
            if quotes not in text:
                return f"{quotes}{text}{quotes}"
    return f'"{text}"' if text[:1] in ("'",) else text
