"""Name a frame by the first that is known: its function, file and line, a module and an offset, or an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from socorro_processor.signature.normal_form.characters import one_line
from socorro_processor.signature.normal_form.function import (
    MAXIMUM_LENGTH,
    Step,
    function_steps,
    normalize_function,
    placeholder_module,
)

FILE_AND_LINE = "file and line"
"""The name of the step of a frame that these name."""

_REPOSITORIES = ("hg:", "git:", "s3:")
_PARTS_OF_A_REPOSITORY_PATH = 4
_LAST_PART = re.compile(r"[^/\\]*$")
_HEXADECIMAL = re.compile(r"0[xX]([0-9a-fA-F]{1,32})")
_DELETED = " (deleted)"
_MAXIMUM_DIGITS = 10
_LINE = re.compile(rf"[1-9][0-9]{{0,{_MAXIMUM_DIGITS - 1}}}")


def normalize_frame(frame: Mapping[str, Any]) -> str:
    """Return the normal form of a frame of the stackwalker's JSON; the empty text if nothing names it."""
    function = _text(frame, "function")
    module = placeholder_module(function) if function else None
    if module is None and function and (name := normalize_function(function, source_path(_text(frame, "file")))):
        return name
    return _name_of_place(frame, module or "")[1]


def explain_frame(frame: Mapping[str, Any]) -> list[Step]:
    """Return the steps to the normal form of a frame, which is the text of the last; none if nothing names it.

    The first step is what names the frame, as the stackwalker wrote it.
    """
    function = _text(frame, "function")
    module = placeholder_module(function)
    steps: list[Step] = []
    if function and module is not None:
        steps = [Step("function", function[:MAXIMUM_LENGTH]), Step("a placeholder is not a function", "")]
    elif function:
        steps = function_steps(function, source_path(_text(frame, "file")))
        if steps[-1].text:
            return steps
    kind, name = _name_of_place(frame, module or "")
    return [*steps, Step(kind, name)] if name or steps else []


def source_path(file: str) -> str:
    """Return the path of a source file, which may stand between a repository and a revision."""
    if file.startswith(_REPOSITORIES):
        parts = file.split(":", _PARTS_OF_A_REPOSITORY_PATH)
        if len(parts) == _PARTS_OF_A_REPOSITORY_PATH:
            return parts[2]
    return file


def _name_of_place(frame: Mapping[str, Any], module_of_placeholder: str) -> tuple[str, str]:
    """Return what names a frame that has no function, and the name."""
    if (file := _text(frame, "file")) and _is_line(line := frame.get("line")):
        path = one_line(source_path(file)[-MAXIMUM_LENGTH:]).rstrip("/\\")
        if name := one_line(_last_part(path)):
            return FILE_AND_LINE, f"{name}#{line}"
    if module := _module(_text(frame, "module")) or _module(module_of_placeholder):
        return "module and offset", _with_offset(module, frame.get("module_offset"))
    unloaded = frame.get("unloaded_modules")
    for entry in unloaded if isinstance(unloaded, list) else ():
        if isinstance(entry, Mapping) and (module := _module(_last_part(_text(entry, "module")))):
            offsets = entry.get("offsets")
            first = offsets[0] if isinstance(offsets, list) and offsets else None
            return "unloaded module and offset", f"(unloaded {_with_offset(module, first)})"
    return "address", _with_offset("", frame.get("offset"))


def _last_part(path: str) -> str:
    return path.rpartition("\\")[2].rpartition("/")[2]


def _module(name: str) -> str:
    name = one_line(name[:MAXIMUM_LENGTH]).removesuffix(_DELETED)
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1].strip()
    return name


def _with_offset(module: str, offset: object) -> str:
    """Return the module and the offset behind it, ``0x`` and hexadecimal digits without leading zeros."""
    digits = _HEXADECIMAL.fullmatch(offset) if isinstance(offset, str) else None
    return f"{module}@{int(digits[1], 16):#x}" if digits else module


def _is_line(line: object) -> bool:
    """Return True for the number of a line; 0 means that it is unknown."""
    if isinstance(line, int):
        return not isinstance(line, bool) and 0 < line < 10**_MAXIMUM_DIGITS
    return isinstance(line, str) and _LINE.fullmatch(line) is not None


def _text(frame: Mapping[str, Any], key: str) -> str:
    value = frame.get(key)
    return value if isinstance(value, str) else ""
