"""The project's own providers of reference data pass the suite for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.reference.file import FileReferenceData
from socorro_processor.reference.postgresql import PostgreSQLReferenceData
from socorro_processor.reference.tables import Tables
from socorro_processor.testing import ReferenceSuite
from tests.integration.postgresql_database import new_database


class TestFileReferenceData(ReferenceSuite):
    provider_class = FileReferenceData

    def options(self, directory: Path) -> dict[str, Any]:
        return {"resource.reference.reference_file": str(directory / "reference.json")}

    def write(self, directory: Path, tables: Tables) -> None:
        (directory / "reference.json").write_text(json.dumps(tables))

    def damage(self, directory: Path) -> None:
        (directory / "reference.json").write_text("{")


class TestPostgreSQLReferenceData(ReferenceSuite):
    provider_class = PostgreSQLReferenceData

    @pytest.fixture(autouse=True)
    def _database(self) -> Iterator[None]:
        with new_database() as self.database:
            yield

    def options(self, directory: Path) -> dict[str, Any]:
        return {**self.database.options}

    def write(self, directory: Path, tables: Tables) -> None:
        config = defaults(PostgreSQLReferenceData, **self.database.options)
        PostgreSQLReferenceData.setup(config)
        PostgreSQLReferenceData.replace(config, tables, lambda changes: None)

    def damage(self, directory: Path) -> None:
        self.database.execute("TRUNCATE windows_versions, product_versions, product_productid_map")
