"""The table of ``docs/endings.rst``: how programs end, and what each ending signs as."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.shared import REPOSITORY

PAGE = REPOSITORY / "docs" / "endings.rst"

_ROW = re.compile(
    r"^   \* - (?P<how>.+)\n     - ``(?P<program>[a-z-]+) (?P<ending>[a-z-]+)``\n"
    r"     - ``(?P<signature>.+)``\n     - (?:the same|``(?P<without>.+)``)$",
    re.MULTILINE,
)
_VERSIONS = re.compile(r"gcc (\S+), rustc (\S+) and go (\S+) on Debian (\d+)")
_OFFSET = re.compile(r"(?<=\w)@0x[0-9a-f]+")


@dataclass(frozen=True)
class Ending:
    """A row: a program, how it ends, and its signatures with and without symbols of the system's libraries."""

    program: str
    name: str
    signature: str
    without: str

    @property
    def dump(self) -> str:
        """The name of its minidump."""
        return f"{self.program}-{self.name}.dmp"

    @property
    def function(self) -> str:
        """The function in which the fault is."""
        return self.signature.rpartition(" | ")[2]

    def __str__(self) -> str:
        return f"{self.program} {self.name}"


def read_endings(page: Path = PAGE) -> list[Ending]:
    """Return the rows of all tables of the page."""
    rows = _ROW.finditer(page.read_text())
    return [Ending(row["program"], row["ending"], row["signature"], row["without"] or row["signature"]) for row in rows]


def versions(page: Path = PAGE) -> tuple[str, ...]:
    """Return the versions of gcc, rustc, go and Debian that made the table."""
    (found,) = _VERSIONS.findall(page.read_text())
    return tuple(found)


def without_offsets(signature: str) -> str:
    """Return the signature as the page has it, without offsets in modules, which differ in each build."""
    return _OFFSET.sub("@0x…", signature)
