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
    """The text of a value, with its place for error messages."""

    origin: str

    def __new__(cls, text: str, origin: str) -> SourcedValue:
        value = super().__new__(cls, text)
        value.origin = origin
        return value


class Source(Mapping[str, Any]):
    """The values of one source, by dotted key. An option is also found by its name of 2016."""

    is_for_one_run = False
    """True if a person gave the values for one run of a command, perhaps to try them."""

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

    def given(self) -> Iterator[tuple[str, Any]]:
        """Yield every key and value, including those that may be for other programs."""
        yield from self._values.items()

    def is_shared(self, key: str) -> bool:
        """Return True if ``key`` comes from a place where other programs have values, too."""
        return False

    def unknown(self, known_keys: set[str]) -> set[str]:
        """Return the keys for this program that are not among ``known_keys``."""
        return self.keys() - _with_former_names(known_keys)

    def _find(self, key: str) -> Any:
        return self._values[key]


class EnvironmentSource(Source):
    """The environment: ``SOCORRO__A__B``, in upper or lower case, is the option ``a.b``; so is a variable ``a.b``.

    An unknown name of the first form is a mistake. Names with dots come from a store (``envconsul``) that other
    programs share, so an unknown one may be theirs.
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

    def given(self) -> Iterator[tuple[str, Any]]:
        yield from super().given()
        yield from self._dotted.items()

    def is_shared(self, key: str) -> bool:
        return key in self._dotted

    def unknown(self, known_keys: set[str]) -> set[str]:
        return self.keys() - {key.lower() for key in _with_former_names(known_keys)}

    def _find(self, key: str) -> Any:
        try:
            return self._values[key.lower()]
        except KeyError:
            return self._dotted[key]


class CommandLineSource(Source):
    """The command line: ``--a.b=value`` is the option ``a.b``."""

    is_for_one_run = True


def _with_former_names(keys: set[str]) -> set[str]:
    return keys.union(*(former_names(key) for key in keys))


def read_ini(path: Path) -> Source:
    """Return the values of an ini file with nested sections, such as ``[[storage0]]`` in ``[destination]``.

    Raises ConfigurationError with file and line.
    """
    try:
        lines = list(_lines(path))
        # Values are read literally: commas do not make lists, and percent signs are not interpolated.
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
    # Some editors begin a file with a byte order mark.
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
    """Take ``--a.b=value`` and ``--a.b value`` out of the arguments; the rest is for the command."""
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
    return CommandLineSource(values), rest
