"""Modules that know the offsets of a format name their source."""

import re
from pathlib import Path

from tests.shared import REPOSITORY

PACKAGE = REPOSITORY / "socorro_processor"
STACKWALKER = REPOSITORY / "stackwalker" / "src"

_OFFSETS = re.compile(
    r"struct\.(?:Struct|calcsize|pack|unpack)"  # formats, in Python
    r'|= b"(?:\\x|MDMP)'  # how a file begins
    r"|^const (?:\w+_AT|(?:\w+_)?HEADER|MAGIC|RECORD): |: Layout = ",  # places and sizes, in Rust
    re.MULTILINE,
)
_SOURCE = re.compile(
    r"System V ABI|RFC \d+|fileformat2|minidumpapiset\.h|symbol_files\.md|minidump_extensions\.h|PE Format|loader\.h"
    r"|format\.rs of the crate|unix\(7\)|this program's own"
)


def files() -> dict[Path, str]:
    """Return every file that knows offsets, with its text, without the tests in it."""
    texts = {path: path.read_text() for path in [*PACKAGE.rglob("*.py"), *STACKWALKER.rglob("*.rs")]}
    code = {path: text.partition("#[cfg(test)]\nmod tests {")[0] for path, text in texts.items()}
    return {path: text for path, text in code.items() if path.name != "tests.rs" and _OFFSETS.search(text)}


def test_the_files_that_know_offsets_are_found():
    found = {path.name for path in files()}
    assert {"elf.py", "binary.py", "download.py", "smallest_minidump.py", "sqlite_guard.py"} <= found
    assert {"view.rs", "lists.rs", "texts.rs", "crashpad.rs", "streams.rs", "index.rs"} <= found


def test_each_file_that_knows_offsets_names_their_source():
    assert sorted(str(path) for path, text in files().items() if not _SOURCE.search(text)) == []
