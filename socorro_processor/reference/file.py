"""Reference data from a JSON file: the embedded default.

    {
        "product_productid_map": [{"product_name": "Firefox", "productid": "{ec8030f7-...}", "rewrite": false}],
        "windows_versions": [{"name": "Windows 7", "major": 6, "minor": 1}],
        "product_versions": [{"product": "Firefox", "release_version": "48.0", "build_type": "Beta",
                              "build_id": 20160726073904, "version_string": "48.0b10"}]
    }

Other keys, beside these or in a row, are for people and are not read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.machine.regular_file import read_regular_file, replacing
from socorro_processor.reference.changes import Approve, TableChanges, compare_tables, row_values
from socorro_processor.reference.provider import ReferenceDataProvider
from socorro_processor.reference.tables import (
    TABLE_COLUMNS,
    ReferenceData,
    Row,
    Tables,
    refuse_mistakes,
    to_reference_data,
)
from socorro_processor.serialization import NotJSON, decode

_TYPES = {str: "a text", int: "a whole number", bool: "true or false"}


class FileReferenceData(ReferenceDataProvider):
    """Reads ``reference_file``, at the start and on each reload."""

    required_config = Namespace()
    required_config.add_option(
        "reference_file",
        default="",
        doc="the JSON file of the reference data; empty: the project's own",
        reference_value_from="resource.reference",
    )

    @classmethod
    def replace(cls, config: DotDict, tables: Tables, approve: Approve, *, dry_run: bool = False) -> list[TableChanges]:
        """Replace the tables in the file. Keys beside the tables stay, and other keys in unchanged rows."""
        if not config.reference_file:
            raise ConfigurationError(
                "cannot change the project's own reference data: set resource.reference.reference_file to another file"
            )
        path = Path(config.reference_file)
        content: dict[str, Any] = dict(read_tables(path)) if path.exists() else {table: [] for table in TABLE_COLUMNS}
        changes = compare_tables(content, tables)
        approve(changes)
        if any(changes) and not dry_run:
            for table, columns in TABLE_COLUMNS.items():
                present = {row_values(table, row): row for row in content[table]}
                content[table] = [
                    present.get(row_values(table, row), {column: row[column] for column in columns})
                    for row in tables[table]
                ]
            _write(path, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")
        return changes

    @property
    def path(self) -> Path:
        return Path(self.config.reference_file) if self.config.reference_file else default_file()

    def load(self) -> ReferenceData:
        return to_reference_data(read_tables(self.path))

    def __str__(self) -> str:
        return f"reference data {self.path}"


def default_file() -> Path:
    """Return the path of the project's own file: beside the package in a checkout, within it if installed."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "config" / "reference_data.json"
    return installed if installed.is_file() else package.parent / "config" / "reference_data.json"


def read_tables(path: Path) -> Mapping[str, list[Row]]:
    """Read all tables of a file. Raises ConfigurationError."""
    try:
        data = read_regular_file(path)
    except OSError as error:
        raise ConfigurationError(f"cannot read reference data {path}: {error.strerror}") from error
    return decode_tables(data, f"reference data {path}")


def decode_tables(data: bytes, name: str) -> Mapping[str, list[Row]]:
    """Decode all tables and check the types in every row. Raises ConfigurationError, which names each mistake."""
    try:
        content = decode(data)
    except NotJSON as error:
        raise ConfigurationError(f"{name} is {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{name} is not a JSON object with the tables {', '.join(TABLE_COLUMNS)}")
    refuse_mistakes(name, [mistake for table in TABLE_COLUMNS for mistake in _mistakes(table, content.get(table))])
    return content


def _write(path: Path, data: bytes) -> None:
    """Replace the file, as a whole or not at all; its permissions stay."""
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise ProcessingEnvironmentError(f"cannot write reference data {path}: {error.strerror}") from error


def _mistakes(name: str, rows: object) -> list[str]:
    if not isinstance(rows, list):
        return [f"{name} is missing, or is not a list of rows"]
    return [
        f"{name}, row {number}: {column} is missing, or is not {_TYPES[kind]}"
        for number, row in enumerate(rows, start=1)
        for column, kind in TABLE_COLUMNS[name].items()
        if not isinstance(row, dict) or type(row.get(column)) is not kind
    ]
