"""Stores of the version before today's fields get them, while processors of both versions save crashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from socorro_processor.configuration import class_name
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.errors import TransientStorageError
from tests.chaos.former_version import BEFORE_TODAY_S_FIELDS
from tests.chaos.run import former_version
from tests.integration.elasticsearch_indexes import TODAY, own_indexes
from tests.integration.postgresql_database import new_database

PROGRAM = """
import json, sys
from socorro_processor.configuration import class_converter, defaults

store_class, options, calls = json.loads(sys.argv[1])
store_class = class_converter(store_class)
store = store_class(defaults(store_class, **options))
for method, *values in calls:
    getattr(store, method)(*values)
store.close()
"""
OF_TODAY = {"processing": {"algorithm": 2026}, "process_type": "gpu", "android_model": "Pixel 9"}

Former = Callable[..., None]


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Former:
    """Call methods of a store of the former version, in a process of its own."""
    directory = tmp_path_factory.mktemp("former")
    environment = former_version(directory / "version", BEFORE_TODAY_S_FIELDS).environment(os.environ)

    def call(store_class: type, options: dict[str, str], *calls: list[Any]) -> None:
        command = [sys.executable, "-c", PROGRAM, json.dumps([class_name(store_class), options, calls])]
        done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return call


def test_a_database_gets_the_column_and_its_index_from_setup_while_both_versions_save(former):
    before, after, today = new_crash_id(TODAY), new_crash_id(TODAY), new_crash_id(TODAY)
    with new_database() as database, closing(database.store()) as store:
        former(
            PostgreSQLCrashStorage, database.options, ["setup"], ["save_processed", {"uuid": before, "reason": "old"}]
        )
        # A new processor before `socorro setup`: crashes wait, none is parked.
        with pytest.raises(TransientStorageError, match="lacks the migrations 0005_fields: run `socorro setup`"):
            store.check()
        with pytest.raises(TransientStorageError, match="run `socorro setup`"):
            store.save_processed({"uuid": today, **OF_TODAY})

        store.setup()
        store.check()
        store.save_processed({"uuid": today, **OF_TODAY})
        former(
            PostgreSQLCrashStorage,
            database.options,
            ["check"],
            ["setup"],
            ["save_processed", {"uuid": before, "reason": "again"}],
            ["save_processed", {"uuid": after}],
        )

        assert database.row("reports", today)["fields"] == {"android_model": "Pixel 9"}
        assert database.row("reports", before)["reason"] == "again"
        assert [database.row("reports", crash_id)["fields"] for crash_id in (before, after)] == [None, None]
        partition = database.row("reports", before)["partition"]
        assert database.execute(f"SELECT to_regclass('{partition}_fields_idx') IS NOT NULL") == [True]


def test_the_index_of_this_week_gets_the_fields_while_both_versions_save(former):
    before, after, today = new_crash_id(TODAY), new_crash_id(TODAY), new_crash_id(TODAY)
    with own_indexes() as indexes:
        options = {**indexes.options, "resource.elasticsearch.elasticsearch_index": indexes.pattern}

        def save_with_former(crash_id: str) -> list[Any]:
            return ["save_raw_and_processed", {}, {}, {"uuid": crash_id, "process_type": "content"}, crash_id]

        former(ESCrashStorage, options, save_with_former(before))
        assert "android_model" not in mapped(indexes)

        indexes.store().save_raw_and_processed({}, {}, {"uuid": today, **OF_TODAY}, today)
        former(ESCrashStorage, options, save_with_former(after), save_with_former(before))

        assert "remote_type" not in mapped(indexes)
        assert indexes.ids({"term": {"processed_crash.android_model": "Pixel 9"}}) == {today}
        assert indexes.ids({"term": {"processed_crash.process_type": "content"}}) == {before, after}


def mapped(indexes) -> dict[str, Any]:
    """Return the mapping of the processed crash in the one index that there is."""
    (mappings,) = indexes.mappings().values()
    return mappings["properties"]["processed_crash"]["properties"]
