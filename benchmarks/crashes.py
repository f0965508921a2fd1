"""The crashes of a benchmark: ``<name>/upload_file_minidump.dmp`` below a directory, and their symbols."""

from __future__ import annotations

import argparse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def add_crashes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "samples", help="default: the samples")
    parser.add_argument("symbols", nargs="?", type=Path, help="default: symbols in the directory, or beside it")


def crashes_of(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> tuple[list[Path], Path]:
    """Return the dumps, and the directory of their symbols. Exits with a message if there are none."""
    dumps = sorted(arguments.directory.glob("*/upload_file_minidump.dmp"))
    if not dumps:
        parser.error(f"no */upload_file_minidump.dmp in {arguments.directory}")
    beside = [arguments.directory / "symbols", arguments.directory.parent / "symbols"]
    places = [arguments.symbols] if arguments.symbols else beside
    symbols = next((path for path in places if path.is_dir()), None)
    if symbols is None:
        parser.error(f"no {places[0]}")
    return dumps, symbols.absolute()
