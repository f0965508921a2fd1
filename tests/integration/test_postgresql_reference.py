"""Reference data in a real PostgreSQL database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from socorro_processor.configuration import Configuration, Namespace, Source, class_name, defaults
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.reference.postgresql import PostgreSQLReferenceData
from socorro_processor.rules.raw_transform import ProductRewrite
from socorro_processor.rules.releases import BetaVersionRule
from tests.faults.proxy import Proxy
from tests.integration.postgresql_database import SERVER, USER, new_database

FENNEC = "{aa3c5121-dab2-40e2-81ca-7ea25febc110}"


@pytest.fixture
def database():
    with new_database() as database:
        yield database


@pytest.fixture
def config(database):
    config = defaults(PostgreSQLReferenceData, **database.options)
    PostgreSQLReferenceData.setup(config)
    return config


def test_setup_fills_the_tables_with_the_projects_own_data(config):
    reference = PostgreSQLReferenceData(config)

    assert reference.product_name(FENNEC) == "FennecAndroid"
    assert reference.product_name("{ec8030f7-c20a-464f-9b0e-13a3a9e97384}") is None
    assert reference.windows_name(6, 1) == "Windows 7"


def test_setup_keeps_the_rows_that_people_added(config, database):
    database.execute("DELETE FROM product_productid_map; DELETE FROM windows_versions WHERE major <> 6")
    PostgreSQLReferenceData.setup(config)

    assert database.execute("SELECT count(*) FROM product_productid_map") == [0]
    assert database.execute("SELECT DISTINCT major FROM windows_versions") == [6]


def test_eight_hosts_may_set_up_the_tables_at_once(database):
    config = defaults(PostgreSQLReferenceData, **database.options)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: PostgreSQLReferenceData.setup(config), range(8)))

    assert PostgreSQLReferenceData(config).windows_name(10, 0) == "Windows 10"


def test_the_setup_of_the_store_makes_the_same_tables(database):
    with closing(database.store()) as store:
        store.setup()
    database.execute("INSERT INTO windows_versions (major, minor, name) VALUES (6, 1, 'Seven')")

    assert PostgreSQLReferenceData(defaults(PostgreSQLReferenceData, **database.options)).windows_name(6, 1) == "Seven"


@pytest.mark.parametrize(
    ("meddling", "expected"),
    [
        ("ALTER TABLE windows_versions RENAME TO gone", '"windows_versions" does not exist .*run `socorro setup`'),
        ("ALTER TABLE windows_versions RENAME COLUMN name TO gone", 'column "name" does not exist'),
        ("TRUNCATE windows_versions, product_versions, product_productid_map", "is empty: run `socorro setup`"),
    ],
)
def test_a_reload_that_fails_keeps_the_old_data(config, database, meddling, expected):
    reference = PostgreSQLReferenceData(config)
    database.execute(meddling)

    with pytest.raises((ConfigurationError, ProcessingEnvironmentError), match=expected):
        reference.reload()
    assert reference.windows_name(6, 1) == "Windows 7"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({f"{SERVER}database_port": 1}, r"read the reference data .*127\.0\.0\.1:1: .*refused"),
        ({f"{USER}database_password": "hunter2"}, "password authentication failed"),
        ({f"{SERVER}database_name": "nowhere"}, '"nowhere" does not exist'),
    ],
)
def test_a_server_that_is_away_at_the_start_is_not_a_configuration_error_but_stops_the_work(
    database, options, expected
):
    reference = PostgreSQLReferenceData(defaults(PostgreSQLReferenceData, **{**database.options, **options}))

    for ask in (reference.check, lambda: reference.windows_name(6, 1)):
        with pytest.raises(ProcessingEnvironmentError, match=expected) as caught:
            ask()
        assert "hunter2" not in str(caught.value)


def test_data_that_could_not_be_reached_at_the_start_are_read_as_soon_as_they_can_be(config, database):
    with Proxy(database.options[f"{SERVER}database_hostname"], int(database.options[f"{SERVER}database_port"])) as way:
        way.refuse()
        options = {**database.options, f"{SERVER}database_port": way.port}
        reference = PostgreSQLReferenceData(defaults(PostgreSQLReferenceData, **options))
        with pytest.raises(ProcessingEnvironmentError):
            reference.check()
        way.accept()

        assert reference.windows_name(6, 1) == "Windows 7"


def test_the_provider_holds_no_connection_once_it_has_read(config, database):
    PostgreSQLReferenceData(config).reload()

    database.wait_for_no_connection()


def test_rules_use_the_provider_that_the_configuration_names(config, database):
    definitions = Namespace()
    for rule in (ProductRewrite, BetaVersionRule):
        definitions.namespace(rule.__name__)
        definitions[rule.__name__] = rule.get_required_config().safe_copy()
    options = {**database.options, "resource.reference.reference_class": class_name(PostgreSQLReferenceData)}
    values = Configuration(definitions, [Source(options)]).values
    rewrite, beta = (rule(values[rule.__name__]) for rule in (ProductRewrite, BetaVersionRule))

    assert rewrite.reference is beta.reference
    assert rewrite.reference.product_name(FENNEC) == "FennecAndroid"
