"""The production configuration over real servers, with a bucket, a database, an index and queues of its own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

import boto3
import psycopg2
from elasticsearch import Elasticsearch

from tests.services import service
from tests.shared import REPOSITORY
from tests.system.daemon import Installation

SERVICES = ("rabbitmq", "s3", "postgresql", "elasticsearch")


class Production(Installation):
    """``config/processor-production.ini``; only addresses and secrets come from the environment."""

    def __init__(self, directory: Path, symbols: Path, options: Mapping[str, str]) -> None:
        super().__init__(directory)
        own = f"test-{uuid.uuid4().hex[:12]}"
        self.options = {option: value for name in SERVICES for option, value in service(name).items()} | {
            "resource.boto.bucket_name": own,
            "resource.postgresql.database_name": own,
            "resource.elasticsearch.elasticsearch_index": f"{own}-%Y%W",
            "resource.rabbitmq.queue_prefix": own,
            **options,
        }
        self.index = f"{own}-*"
        self.environment = {
            "PATH": self.environment["PATH"],
            "SOCORRO__ADMIN__CONF": str(REPOSITORY / "config" / "processor-production.ini"),
            "SOCORRO__APP__TEMPORARY_DIRECTORY": str(self.temporary),
            **{f"SOCORRO__{option.replace('.', '__').upper()}": value for option, value in self.options.items()},
        }
        self.walker(symbols_path=str(symbols))
        with self.database("postgres") as connection:
            connection.autocommit = True
            connection.cursor().execute(f'CREATE DATABASE "{own}"')
        self.s3 = boto3.client(
            "s3",
            endpoint_url=self.options["resource.boto.endpoint_url"],
            region_name=self.options["resource.boto.region"],
            aws_access_key_id=self.options["resource.boto.access_key"],
            aws_secret_access_key=self.options["secrets.boto.secret_access_key"],
        )
        self.elasticsearch = Elasticsearch(self.options["resource.elasticsearch.elasticsearch_urls"])

    def database(self, name: str = "") -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host=self.options["resource.postgresql.database_hostname"],
            port=self.options["resource.postgresql.database_port"],
            user=self.options["secrets.postgresql.database_username"],
            password=self.options["secrets.postgresql.database_password"],
            dbname=name or self.options["resource.postgresql.database_name"],
        )
