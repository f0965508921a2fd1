"""The template of a command line, filled in for each dump.

    {command_pathname} --json --symbols-url {public_symbols_url} --symbols-path {symbols_path} {dump_file_pathname}

- It is split into arguments first, with a shell's quotes, and filled in afterwards: a path stays one
  argument, whatever its characters. No shell runs, so pipes and redirections are refused.
- A field may have any number of values. Its argument is repeated for each value, and without values left
  out, together with a separate switch (``-x``, ``--xyz``) before it: above, two symbol directories and no
  symbol server give ``--symbols-path A --symbols-path B``.
- ``{{`` and ``}}`` stand for braces.
"""

from __future__ import annotations

import itertools
import re
import shlex
import string
from collections.abc import Collection, Mapping, Sequence

_SHELL_OPERATOR = re.compile(r"[|;&<>].*|\d[<>].*|.*;", re.DOTALL)
_DISCARDED_STDERR = "2>/dev/null"
_Word = tuple[tuple[str, str | None], ...]
"""Pieces of an argument: a text, and the name of the field after it."""


class CommandLine:
    """A template that has been checked. Immutable."""

    def __init__(self, template: str, fields: Collection[str]) -> None:
        """Raises ValueError if ``template`` cannot be split, or names a field that is not in ``fields``."""
        self._template = template
        try:
            words = shlex.split(template)
        except ValueError as error:
            raise ValueError(f"{error} in the command line {template!r}") from error
        # 2016's templates end with it. It is not needed: stderr never mixes with the output.
        words = [word for word in words if word != _DISCARDED_STDERR]
        for word in words:
            if _SHELL_OPERATOR.fullmatch(word):
                raise ValueError(f"{word!r} in the command line {template!r} has no effect: no shell runs it")
        self._groups = _with_switches([_parse(word, fields) for word in words])

    def __bool__(self) -> bool:
        return bool(self._groups)

    def to_str(self) -> str:
        """Return the template, as configman prints it."""
        return self._template

    def uses(self, field: str) -> bool:
        return any(name == field for group in self._groups for word in group for _, name in word)

    def fill(self, values: Mapping[str, Sequence[str]]) -> list[str]:
        """Return the arguments. ``values`` has the values of each field that the template uses."""
        arguments = []
        for group in self._groups:
            names = sorted({name for word in group for _, name in word if name is not None})
            for combination in itertools.product(*(values[name] for name in names)):
                chosen = dict(zip(names, combination, strict=True))
                arguments += ["".join(text + (chosen[name] if name else "") for text, name in word) for word in group]
        return arguments


def _parse(word: str, fields: Collection[str]) -> _Word:
    pieces: list[tuple[str, str | None]] = []
    try:
        for text, name, specification, conversion in string.Formatter().parse(word):
            if name is not None and (name not in fields or specification or conversion):
                raise ValueError(f"there is no such field; there are {', '.join(sorted(fields))}")
            pieces.append((text, name))
    except ValueError as error:
        raise ValueError(f"{word!r} in the command line: {error}") from error
    return tuple(pieces)


def _with_switches(words: Sequence[_Word]) -> list[tuple[_Word, ...]]:
    """Group each value that has a field with its switch; any other argument is a group of its own."""
    groups: list[tuple[_Word, ...]] = []
    for word in words:
        if groups and _has_field(word) and _belongs_to(groups[-1], word):
            groups[-1] += (word,)
        else:
            groups.append((word,))
    return groups


def _belongs_to(group: tuple[_Word, ...], value: _Word) -> bool:
    if _is_switch(group[-1]):
        return not _text(value).startswith("-")
    return len(group) > 1 and group[-1] == value


def _is_switch(word: _Word) -> bool:
    text = _text(word)
    return text.startswith("-") and text not in ("-", "--") and "=" not in text and not _has_field(word)


def _has_field(word: _Word) -> bool:
    return any(name is not None for _, name in word)


def _text(word: _Word) -> str:
    return "".join(text for text, _ in word)
