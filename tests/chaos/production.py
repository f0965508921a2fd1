"""The production configuration as the site of a run: real servers, which are restarted and killed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar

from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.statsd import StatsdCounter
from tests.chaos.lanes import PROCESSORS, PRODUCTION
from tests.chaos.replaced_cluster import ReplacedCluster
from tests.chaos.site import RETRY_DELAYS, Reader, Site
from tests.faults.proxy import Proxy
from tests.integration.elasticsearch_indexes import own_indexes
from tests.integration.postgresql_database import new_database
from tests.integration.rabbitmq_broker import Broker
from tests.services import own_servers, start
from tests.system.daemon import Installation
from tests.system.production import Production

ADDRESSES = {
    "rabbitmq": "resource.rabbitmq.port",
    "s3": "resource.boto.endpoint_url",
    "postgresql": "resource.postgresql.database_port",
    "elasticsearch": "resource.elasticsearch.elasticsearch_urls",
}


class ProductionSite(Site):
    """``config/processor-production.ini`` on real servers, with a proxy in front of each."""

    own_lanes = PRODUCTION
    options: ClassVar[Mapping[str, str]] = {
        "resource.rabbitmq.timeout": "3",
        "resource.rabbitmq.heartbeat": "4",
        "resource.boto.connection_timeout": "1",
        "resource.boto.read_timeout": "2",
        "resource.boto.number_of_tries": "2",
        "resource.postgresql.connect_timeout": "2",
        "resource.postgresql.statement_timeout": "3",
        "resource.elasticsearch.elasticsearch_timeout": "2",
        "app.maximum_crash_time": "10",
        "health.port": "0",
    }

    def __init__(self, directory: Path, options: Mapping[str, str], processors: int = PROCESSORS) -> None:
        super().__init__(directory, options, processors)
        self.proxies: dict[str, Proxy] = {}
        self.cluster: ReplacedCluster

    def servers(self) -> AbstractContextManager[None]:
        """The services of this run, which are restarted and killed."""
        return own_servers()

    def depths_are_complete(self) -> bool:
        return False

    def mend(self) -> None:
        super().mend()
        for service, proxy in self.proxies.items():
            proxy.heal()
            start(service)

    def out_of_order(self) -> list[str]:
        return [*super().out_of_order(), *self.cluster.out_of_order()]

    @contextmanager
    def installed(self) -> Iterator[Installation]:
        with self.servers(), new_database() as database, own_indexes() as indexes, ExitStack() as stack:
            self.cluster = ReplacedCluster(indexes)
            broker = Broker(retry_delays=RETRY_DELAYS)
            # The faults have broken its connection.
            stack.callback(broker.close)
            stack.callback(broker.connect)
            installation = Production(self.directory, database, indexes, broker, {})
            for service, option in ADDRESSES.items():
                # A port, or a URL that ends in one.
                before, colon, port = installation.options[option].rpartition(":")
                proxy = self.proxies[service] = stack.enter_context(Proxy("127.0.0.1", int(port)))
                installation.set(option, f"{before}{colon}{proxy.port}")
            yield installation

    def readers(self) -> dict[str, Reader]:
        found: dict[str, Reader] = {}
        for store in self.destination().stores.values():
            if isinstance(store, ESCrashStorage):
                found[type(store).__name__] = self.cluster.processed
            elif not isinstance(store, StatsdCounter):
                found[type(store).__name__] = store.get_unredacted_processed
        return found
