"""The bucket with symbols: where it is, and its credentials, if only the bucket of the crashes is configured."""

import pytest

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, DotDict, EnvironmentSource, Source
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.errors import ConfigurationError
from socorro_processor.symbols.supplier import rules_with_symbols

CRASHES = {
    "resource.boto.endpoint_url": "https://s3.example.com",
    "resource.boto.region": "us-east-1",
    "resource.boto.calling_format": "path",
    "resource.boto.bucket_name": "crashes",
    "resource.boto.prefix": "dev",
    "resource.boto.access_key": "ours",
    "secrets.boto.secret_access_key": "our secret",
}
SERVER = {"endpoint_url": "https://s3.example.com", "region": "us-east-1", "calling_format": "path"}
KEYS = {"access_key": "ours", "secret_access_key": "our secret"}
NO_KEYS = {"access_key": "", "secret_access_key": ""}


def bucket(*sources: dict[str, str]) -> DotDict:
    """Return the options of the bucket with symbols; later sources override earlier ones."""
    configuration = Configuration(ProcessorApp.get_required_config(), [Source(each) for each in sources])
    (rule,) = rules_with_symbols(configuration.values.processor)
    return rule.symbols.s3


def test_server_and_keys_are_those_of_the_crashes_but_not_bucket_and_prefix():
    symbols = bucket(CRASHES)
    assert {name: symbols[name] for name in (*SERVER, *KEYS)} == SERVER | KEYS
    assert (symbols.bucket_name, symbols.prefix) == ("symbols", "")


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"resource.symbols.s3.region": "eu-west-1"}, SERVER | KEYS | {"region": "eu-west-1"}),
        ({"resource.symbols.s3.endpoint_url": "https://s3.example.com"}, SERVER | KEYS),
        # No credentials for another server.
        (
            {"resource.symbols.s3.endpoint_url": "https://other.example.com"},
            NO_KEYS | {"endpoint_url": "https://other.example.com", "region": "us-west-2", "calling_format": "auto"},
        ),
        ({"resource.symbols.s3.endpoint_url": ""}, NO_KEYS | {"endpoint_url": "", "region": "us-west-2"}),
        # Nor is a pair of keys mixed from two places.
        (
            {"resource.symbols.s3.access_key": "mine", "secrets.symbols.secret_access_key": "my secret"},
            SERVER | {"access_key": "mine", "secret_access_key": "my secret"},
        ),
        ({"resource.symbols.s3.access_key": "mine"}, {"access_key": "mine", "secret_access_key": ""}),
        ({"secrets.symbols.secret_access_key": "my secret"}, {"access_key": "", "secret_access_key": "my secret"}),
    ],
)
def test_options_of_symbols_take_precedence_in_any_source(own, expected):
    for sources in ((CRASHES, own), (own, CRASHES)):
        symbols = bucket(*sources)
        assert {name: symbols[name] for name in expected} == expected


def test_the_last_source_that_sets_an_option_counts():
    environment = EnvironmentSource({"SOCORRO__RESOURCE__BOTO__ENDPOINT_URL": "http://127.0.0.1:9000"})
    configuration = Configuration(ProcessorApp.get_required_config(), [Source(CRASHES), environment])
    (rule,) = rules_with_symbols(configuration.values.processor)
    assert rule.symbols.s3.endpoint_url == "http://127.0.0.1:9000"
    assert rule.symbols.s3.access_key == "ours"


def test_a_configuration_without_symbols_uses_the_server_of_the_crashes_too():
    assert Configuration(BotoS3CrashStorage.get_required_config(), [Source(CRASHES)]).values.access_key == "ours"


def test_an_error_is_reported_once():
    environment = EnvironmentSource({"SOCORRO__RESOURCE__BOTO__ENDPOINT_URL": "ftp://x"})
    with pytest.raises(ConfigurationError) as caught:
        Configuration(ProcessorApp.get_required_config(), [environment])
    (line,) = str(caught.value).splitlines()
    assert line.startswith("environment variable SOCORRO__RESOURCE__BOTO__ENDPOINT_URL: 'ftp://x' is not")
