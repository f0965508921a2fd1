from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from socorro_processor.configuration import Configuration, Source, as_ini, defaults, read_ini
from socorro_processor.crashstorage.keys import KeyBuilder, SimpleDatePrefixKeyBuilder
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.s3 import BotoS3CrashStorage
from socorro_processor.crashstorage.s3_bucket import S3Bucket
from socorro_processor.crashstorage.telemetry import TelemetryBotoS3CrashStorage
from socorro_processor.errors import ConfigurationError

SECRET = "S3cr3t/of+the-access-key"

OLD_INI = """
storage_classes = socorro.external.boto.crashstorage.BotoS3CrashStore, \
socorro.external.boto.crashstorage.TelemetryBotoS3CrashStorage
[resource]
    [[boto]]
        access_key = AKIDEXAMPLE
        bucket_name = org.mozilla.crash-stats
        calling_format = boto.s3.connection.OrdinaryCallingFormat
        keybuilder_class = socorro.external.boto.connection_context.KeyBuilderBase
        prefix = dev
        region = us-west-1
        resource_class = socorro.external.boto.connection_context.RegionalS3ConnectionContext
[secrets]
    [[boto]]
        secret_access_key = S3cr3t/of+the-access-key
[storage1]
    bucket_name = telemetry
"""


def old_configuration(directory: Path) -> Configuration:
    path = directory / "old.ini"
    path.write_text(OLD_INI)
    return Configuration(PolyCrashStorage.get_required_config(), [read_ini(path)])


def test_a_configuration_of_2016_makes_these_stores(tmp_path):
    values = old_configuration(tmp_path).values
    first, second = PolyCrashStorage(values).stores.values()
    assert isinstance(first, BotoS3CrashStorage)
    assert isinstance(second, TelemetryBotoS3CrashStorage)
    assert values.storage0.keybuilder_class is KeyBuilder
    assert str(first) == "BotoS3CrashStorage in bucket org.mozilla.crash-stats at Amazon S3"
    assert str(second) == "TelemetryBotoS3CrashStorage in bucket telemetry at Amazon S3"
    buckets = [S3Bucket(values.storage0), S3Bucket(values.storage1)]
    assert [bucket.full_key("v1/x") for bucket in buckets] == ["dev/v1/x", "dev/v1/x"]
    with closing(buckets[0]) as bucket:
        assert bucket.client.meta.endpoint_url == "https://s3.us-west-1.amazonaws.com"
        assert bucket.client.meta.config.s3["addressing_style"] == "path"


def test_the_secret_is_not_in_a_printed_configuration(tmp_path):
    configuration = old_configuration(tmp_path)
    assert configuration.values.storage0.secret_access_key == SECRET
    assert SECRET not in as_ini(configuration)
    assert "secret_access_key" in as_ini(configuration)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("endpoint_url", "localhost:8333", "http://HOST:PORT or https://HOST:PORT was expected"),
        ("endpoint_url", "ftp://localhost", "http://HOST:PORT"),
        ("endpoint_url", "http://", "http://HOST:PORT"),
        ("endpoint_url", "http://user:password@localhost:8333", "without user or password"),
        ("calling_format", "boto.Other", "one of these was expected: auto, path, virtual"),
        ("keybuilder_class", "socorro.external.boto.Other", "has no counterpart"),
        ("connection_timeout", "0", "seconds, more than 0"),
        ("read_timeout", "never", "seconds, more than 0"),
        ("number_of_tries", "0", "whole number of at least 1"),
        ("maximum_connections", "-1", "whole number of at least 1"),
        ("verify_certificate", "perhaps", "true or false"),
    ],
)
def test_an_unusable_value_is_reported_with_its_place(tmp_path, option, value, said):
    path = tmp_path / "own.ini"
    path.write_text(f"[resource]\n[[boto]]\n{option} = {value}\n")
    with pytest.raises(ConfigurationError, match=rf"own\.ini, section \[resource.boto\], {option}.*{said}"):
        Configuration(BotoS3CrashStorage.get_required_config(), [read_ini(path)])


@pytest.mark.parametrize("given", [{"access_key": "A"}, {"secret_access_key": SECRET}])
def test_half_of_the_credentials_is_a_configuration_error(given):
    with pytest.raises(ConfigurationError, match="only one of access_key and secret_access_key is set") as raised:
        BotoS3CrashStorage(defaults(BotoS3CrashStorage, **given))
    assert SECRET not in str(raised.value)


def test_a_class_can_be_configured_for_a_single_store():
    values = {
        "resource.boto.keybuilder_class": "socorro_processor.crashstorage.keys.DatePrefixKeyBuilder",
        "keybuilder_class": "socorro_processor.crashstorage.keys.SimpleDatePrefixKeyBuilder",
    }
    configuration = Configuration(BotoS3CrashStorage.get_required_config(), [Source(values)])
    assert configuration.values.keybuilder_class is SimpleDatePrefixKeyBuilder
