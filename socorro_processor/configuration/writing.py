"""The configuration as people read it: an ini file, and the list of options in a command's help."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from configman.converters import to_str

from socorro_processor.configuration.class_names import class_name
from socorro_processor.configuration.configman_compat import Option
from socorro_processor.configuration.loading import Configuration
from socorro_processor.configuration.sources import SourcedValue

MASK = "****************"


def as_ini(configuration: Configuration) -> str:
    """An ini file of every option: what was set, and as comments what is only a default."""
    return "\n".join(_ini_lines(configuration)) + "\n"


def as_help(configuration: Configuration, sections: tuple[str, ...] = ()) -> str:
    """Every option of these sections (of all where none is named) but ``admin``, with its doc and its value."""
    lines = []
    for key, option in configuration.options():
        section = key.split(".")[0]
        if section != "admin" and (not sections or section in sections):
            lines.append(f"  --{key}={_one_line(_text(option))}")
            lines += textwrap.wrap(option.doc or "", 100, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)


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
