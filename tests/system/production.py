"""The production configuration over real servers, with a database, a bucket, indexes and queues of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.elasticsearch_indexes import Indexes, own_indexes
from tests.integration.postgresql_database import Database, new_database
from tests.integration.rabbitmq_broker import Broker
from tests.integration.s3_bucket import bucket_options, get_object
from tests.shared import REPOSITORY
from tests.system.daemon import Installation, variables

CONFIGURATION = REPOSITORY / "config" / "processor-production.ini"


class Production(Installation):
    """``config/processor-production.ini``; only addresses and secrets, in ``options``, come from the environment."""

    def __init__(
        self, directory: Path, database: Database, indexes: Indexes, broker: Broker, options: Mapping[str, str]
    ) -> None:
        super().__init__(directory)
        self.broker = broker
        self.database = database
        self.indexes = indexes
        self.bucket = bucket_options()
        self.options = {
            **broker.addresses,
            **self.bucket,
            **database.options,
            **indexes.options,
            "resource.elasticsearch.elasticsearch_index": indexes.pattern,
            **options,
        }
        self.environment = {
            "PATH": self.environment["PATH"],
            "SOCORRO__ADMIN__CONF": str(CONFIGURATION),
            "SOCORRO__APP__TEMPORARY_DIRECTORY": str(self.temporary),
            **variables(self.options),
        }

    def in_s3(self, crash_id: str) -> dict[str, Any]:
        """Return the processed crash."""
        processed: dict[str, Any] = json.loads(get_object(self.bucket, f"v1/processed_crash/{crash_id}"))
        return processed


@contextmanager
def production(directory: Path, **options: str) -> Iterator[Production]:
    """An installation after ``socorro setup``; ``options`` are by dotted key."""
    broker = Broker()
    try:
        with new_database() as database, own_indexes() as indexes:
            installation = Production(directory, database, indexes, broker, options)
            try:
                setup = installation.socorro("setup")
                assert setup.returncode == 0, setup.stdout + setup.stderr
                yield installation
            finally:
                installation.close()
    finally:
        broker.connect()  # it may have been restarted meanwhile
        broker.close()
