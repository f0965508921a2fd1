"""`socorro doctor` with the real production services: it reports what is missing, and makes nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.integration.elasticsearch_indexes import own_indexes
from tests.integration.postgresql_database import new_database
from tests.integration.rabbitmq_broker import Broker
from tests.integration.s3_bucket import bucket_names, no_bucket_options
from tests.shared import SAMPLES, stackwalker
from tests.system.production import Production


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The production configuration with services that were not set up, and their content."""
    stackwalker()
    broker = Broker()
    with new_database() as database, own_indexes() as indexes:
        buckets = [no_bucket_options()["resource.boto.bucket_name"] for _ in range(2)]
        options = {
            "resource.boto.bucket_name": buckets[0],
            "resource.boto.prefix": "",
            "resource.symbols.s3.bucket_name": buckets[1],
            "resource.symbols.sources": "s3",
            "resource.symbols.symbol_cache_path": str(tmp_path / "cache"),
        }
        installation = Production(tmp_path, database, indexes, broker, options)
        installation.walker(symbols_path=str(SAMPLES / "symbols"))

        def there() -> dict[str, object]:
            patterns = f"{indexes.template}*"
            templates = indexes.client.indices.get_index_template()["index_templates"]
            return {
                "queues": [name for name in broker.queues.arguments if broker.exists(name)],
                "tables": sorted(
                    database.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
                ),
                "indexes": sorted(indexes.client.indices.get(index=patterns).body),
                "templates": [each["name"] for each in templates if each["name"].startswith(indexes.template)],
                "buckets": sorted(set(buckets) & bucket_names()),
                "files": sorted(map(str, tmp_path.rglob("*"))),
            }

        yield SimpleNamespace(socorro=installation.socorro, there=there, buckets=buckets)
        installation.close()
    broker.close()


def looked_at(there: Callable[[], dict[str, object]], doctor: Callable[[], object]) -> dict[str, object]:
    """Return the files after the doctor has run: the same as before."""
    before = there()
    doctor()
    assert there() == before
    return before


def test_the_doctor_makes_nothing_and_setup_makes_all_that_it_misses(bare):
    found = {}

    def doctor() -> None:
        found["done"] = bare.socorro("doctor")

    there = looked_at(bare.there, doctor)
    assert not any(there.values())
    assert found["done"].returncode == 1
    told = found["done"].stdout
    # Each is named with its class.
    missing = {
        "new_crash_source": "RabbitMQCrashQueue",
        "source": "BotoS3CrashStorage",
        "destination.storage0": "PostgreSQLCrashStorage",
        "destination.storage1": "BotoS3CrashStorage",
        "destination.storage2": "ESCrashStorageRedactedJsonDump",
        "processor": "ProcessorAlgorithm2026",
        "symbols.sources": "s3",
    }
    bad = dict(line.split()[1:3] for line in told.splitlines() if line.startswith("bad "))
    assert bad == missing, told
    assert told.count("socorro setup") == len(missing), told
    assert "--   destination.storage3     StatsdCounter\n     not checked: StatsdCounter has no check\n" in told

    setup = bare.socorro("setup")
    assert setup.returncode == 0, setup.stderr
    there = looked_at(bare.there, doctor)
    assert there.pop("indexes") == there.pop("files") == []
    assert all(there.values())
    assert there["buckets"] == sorted(bare.buckets)
    assert found["done"].returncode == 0, found["done"].stdout
