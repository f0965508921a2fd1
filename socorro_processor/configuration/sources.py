"""Where values come from: an ini file, environment variables, the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from configobj import ConfigObj, ConfigObjError

from socorro_processor.configuration.retired import former_names
from socorro_processor.errors import ConfigurationError

_COMMAND_LINE_OPTION = re.compile(r"--([A-Za-z_]\w*(?:\.\w+)+)(?:=(.*))?", re.ASCII | re.DOTALL)
_INCLUDE = re.compile(r"(\s*)\+include\s+(\S.*?)\s*")
_MAXIMUM_INCLUDE_DEPTH = 8


class SourcedValue(str):
    """The text of a value, which knows where it was written: for error messages."""

    origin: str

    def __new__(cls, text: str, origin: str) -> SourcedValue:
        value = super().__new__(cls, text)
        value.origin = origin
        return value


class Source(Mapping[str, Any]):
    """The values of one source, by dotted key; those under an option's name of 2016 are the option's."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> Any:
        for name in (key, *former_names(key)):
            with suppress(KeyError):
                return self._find(name)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def unknown(self, known_keys: set[str]) -> set[str]:
        """The keys that are meant for this program, but are not ``known_keys``."""
        return self.keys() - _with_former_names(known_keys)

    def _find(self, key: str) -> Any:
        return self._values[key]


class EnvironmentSource(Source):
    """``SOCORRO__A__B`` is option ``a.b``, in whatever case; a name with dots is the option's own.

    The first form is meant for this program, and an unknown one is a mistake; names with dots come
    from a shared store (``envconsul``), where other programs have theirs too.
    """

    PREFIX = "SOCORRO__"

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(
            {
                name.removeprefix(self.PREFIX).replace("__", ".").lower(): SourcedValue(
                    text, f"environment variable {name}"
                )
                for name, text in environ.items()
                if name.startswith(self.PREFIX)
            }
        )
        self._dotted = {
            name: SourcedValue(text, f"environment variable {name}") for name, text in environ.items() if "." in name
        }

    def unknown(self, known_keys: set[str]) -> set[str]:
        return self.keys() - {key.lower() for key in _with_former_names(known_keys)}

    def _find(self, key: str) -> Any:
        try:
            return self._values[key.lower()]
        except KeyError:
            return self._dotted[key]


def _with_former_names(keys: set[str]) -> set[str]:
    return keys.union(*(former_names(key) for key in keys))


def read_ini(path: Path) -> Source:
    """The values of an ini file with nested sections: ``[destination]``, within it ``[[storage0]]``.

    Raises ConfigurationError with file and line.
    """
    try:
        lines = list(_lines(path))
        # Values are taken as they stand: a comma makes no list, a percent sign no interpolation.
        parsed = ConfigObj(lines, list_values=False, interpolation=False)
    except OSError as error:
        raise ConfigurationError(f"cannot read {error.filename or path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"cannot read {path}: it is not UTF-8 text") from error
    except ConfigObjError as error:
        first = (getattr(error, "errors", None) or [error])[0]
        line = getattr(first, "line_number", None)
        raise ConfigurationError(f"{path}, line {line}: {str(first).rstrip('.')}") from error
    return Source(dict(_flat(parsed, (), path)))


def _lines(path: Path, indent: str = "", depth: int = 0) -> Iterator[str]:
    if depth > _MAXIMUM_INCLUDE_DEPTH:
        raise ConfigurationError(f"{path}: more than {_MAXIMUM_INCLUDE_DEPTH} files include one another")
    # Some editors put a byte order mark first.
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if include := _INCLUDE.fullmatch(line):
            yield from _lines(path.parent / include.group(2), indent + include.group(1), depth + 1)
        else:
            yield indent + line


def _flat(section: Mapping[str, Any], within: tuple[str, ...], path: Path) -> Iterator[tuple[str, SourcedValue]]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*within, *key.split(".")), path)
        else:
            place = f"{path}, section [{'.'.join(within)}], {key}" if within else f"{path}, {key}"
            yield ".".join((*within, key)), SourcedValue(_unquoted(str(value)), place)


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in text[1:-1]:
        return text[1:-1]
    return text


def split_command_line(arguments: Iterable[str]) -> tuple[Source, list[str]]:
    """Take ``--a.b=value`` and ``--a.b value`` out of the arguments; the rest is the command's own."""
    values: dict[str, SourcedValue] = {}
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            rest += [argument, *remaining]
        elif (option := _COMMAND_LINE_OPTION.fullmatch(argument)) is None:
            rest.append(argument)
        else:
            key, text = option.groups()
            if text is None and (text := next(remaining, None)) is None:
                raise ConfigurationError(f"--{key} needs a value: --{key}=VALUE")
            values[key] = SourcedValue(text, f"command line, --{key}")
    return Source(values), rest
