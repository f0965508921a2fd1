"""The submitted dumps, and the stackwalker's output for them without faults."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.symbol_path import symbol_path
from tests.shared import SAMPLES, SHARED

DUMPS = {
    "segfault": (SAMPLES / "segfault", 6),
    "abort": (SAMPLES / "abort", 4),
    "test": (SHARED / "crashes" / "test", 2),
    "pipeline-inlines": (SHARED / "crashes" / "pipeline-inlines-macos-segv", 1),
}
"""Directories of crashes, with their weights; those of the shared data if they exist."""
_OF_FRAMES = (
    *("frame", "trust", "offset", "module", "module_offset", "missing_symbols"),
    *("function", "function_offset", "file", "line", "inlines"),
)
_OF_MODULES = ("filename", "loaded_symbols", "missing_symbols", "corrupt_symbols")
_SYMBOLS = (SAMPLES / "symbols", SHARED / "symbols")


def dumps() -> dict[str, int]:
    """Return the names of the existing dumps, with their weights."""
    return {name: share for name, (directory, share) in DUMPS.items() if directory.is_dir()}


def dump_file(name: str) -> Path:
    return DUMPS[name][0] / f"{MAIN_DUMP}.dmp"


def annotations(name: str) -> dict[str, Any]:
    file = DUMPS[name][0] / "raw_crash.json"
    return json.loads(file.read_bytes()) if file.exists() else {}  # type: ignore[no-any-return]


class CleanWalks:
    """Walks by the real stackwalker, each with certain symbol files, made on demand."""

    def __init__(self, walker: Path, directory: Path) -> None:
        """``directory`` becomes a store of all the symbols of these dumps."""
        self._walker = walker
        self.served = directory
        self._walks: dict[tuple[str, frozenset[str]], Any] = {}
        self._all: dict[str, frozenset[str]] = {}
        for name in dumps():
            walked = self.walk(name, *_SYMBOLS)
            self._all[name] = _loaded(walked)
            self._walks[name, self._all[name]] = _told(walked)
            _copy(self._all[name], directory)

    def walk(self, dump: str, *symbols: Path) -> Any:
        """Walk with the real stackwalker, and with the symbols of these stores only."""
        paths = [argument for path in symbols for argument in ("--symbols-path", str(path))]
        arguments = [str(self._walker), "--json", "--no-interactive", *paths, str(dump_file(dump))]
        return json.loads(subprocess.run(arguments, check=True, capture_output=True).stdout)

    def symbols_of(self, dump: str, processed: Mapping[str, Any]) -> str:
        """Return the share of a dump's symbols: ``all``, ``some`` or ``none``; empty if there is no walk."""
        if not _threads(processed):
            return ""
        had = _loaded(processed["json_dump"])
        return "all" if had == self._all[dump] else "some" if had else "none"

    def difference(self, dump: str, processed: Mapping[str, Any]) -> str:
        """Return the first difference between a processed crash and a clean walk with the symbols that it had."""
        if not _threads(processed):
            return ""
        had = _loaded(processed["json_dump"])
        if unknown := had - self._all[dump]:
            return f"it says that it has symbols that there are not: {sorted(unknown)}"
        if (dump, had) not in self._walks:
            with tempfile.TemporaryDirectory() as some:
                _copy(had, Path(some))
                self._walks[dump, had] = _told(self.walk(dump, Path(some)))
        told, expected = _told(processed["json_dump"]), self._walks[dump, had]
        if told == expected:
            return ""
        return next(_differences(told, expected), "another number of threads, frames or modules")


def _threads(processed: Mapping[str, Any]) -> Any:
    return (processed.get("json_dump") or {}).get("threads")


def _loaded(walked: Any) -> frozenset[str]:
    """Return the paths in a store of the symbol files that a walk had."""
    return frozenset(
        symbol_path(module["debug_file"], module["debug_id"])
        for module in walked["modules"]
        if module["loaded_symbols"] or module["corrupt_symbols"]
    )


def _told(walked: Any) -> list[Any]:
    """Return the part of a result that must not depend on how the symbols came."""
    frames = [frame for thread in walked["threads"] for frame in thread["frames"]]
    return [
        *({key: _walked(frame.get(key)) for key in _OF_FRAMES} for frame in frames),
        *({key: module.get(key) for key in _OF_MODULES} for module in walked["modules"]),
    ]


def _walked(value: Any) -> Any:
    """Return a value of a frame without what the signature rule writes into inlined functions."""
    if not isinstance(value, list):
        return value
    return [{key: each for key, each in function.items() if key != "normalized"} for function in value]


def _differences(told: list[Any], expected: list[Any]) -> Iterator[str]:
    for one, other in zip(told, expected, strict=False):
        if one != other:
            yield f"{json.dumps(one)} and not {json.dumps(other)}"


def _copy(files: frozenset[str], directory: Path) -> None:
    for file in files:
        target = directory / file
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(next(each / file for each in _SYMBOLS if (each / file).exists()), target)
