"""The configuration as people read it: an ini file, and the list of options in a command's help."""

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
"""Options below the top of a section that another option sets, one for each class of its list."""


def as_ini(configuration: Configuration) -> str:
    """An ini file of every option: what was set, and as comments what is only a default."""
    return "\n".join(_ini_lines(configuration)) + "\n"


def as_help(configuration: Configuration, sections: str | Callable[[str], bool], *, everything: bool = False) -> str:
    """Return the options with their docs and values; empty where there are none.

    ``sections``: one, such as ``resource`` or ``resource.symbols``; or what tells of each at the top whether it is
    listed. Without ``everything`` an option whose value is a shared one is only listed where that is, and the classes
    that another option lists are left out.
    """
    every = dict(configuration.options())
    chosen = {key: option for key, option in every.items() if _is_in(key, sections)}
    shared = {f"{option.reference_value_from}.{key.rpartition('.')[2]}" for key, option in chosen.items()}
    lines: list[str] = []
    section = ""
    for key, option in chosen.items():
        top, *within, name = key.split(".")
        if not everything:
            of_all = every.get(f"{option.reference_value_from}.{name}")
            if (name in _LISTED_CLASSES and within) or (of_all is not None and _text(of_all) == _text(option)):
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
            continue  # what to do with the configuration is no part of it
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
    # As it was written, in the file or beside the class: only that is sure to be read back.
    written: Any = option.default
    if isinstance(written, str):
        return str(written)
    return class_name(written) if isinstance(written, type) else str(to_str(written))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    """So that ``read_ini`` reads the same text again."""
    if "\n" in text or "#" in text or text != text.strip():
        for quotes in ("'''", '"""'):
            if quotes not in text:
                return f"{quotes}{text}{quotes}"
    return f'"{text}"' if text[:1] in ("'",) else text
