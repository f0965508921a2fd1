"""A bucket of this run's own on a real S3 server, in which each test has a prefix of its own."""

from __future__ import annotations

import functools
import uuid
from contextlib import suppress

import boto3.session

from tests.services import remove_at_end, service

Options = dict[str, str]


def bucket_options() -> Options:
    """Return the options of a store below a new, empty prefix."""
    return _run_options(_endpoint_url()) | {"resource.boto.prefix": uuid.uuid4().hex}


def as_symbol_bucket(options: Options) -> Options:
    """Return the options of the same bucket, as one with symbols."""
    return {
        key.replace("resource.boto", "resource.symbols.s3").replace("boto", "symbols"): options[key] for key in options
    }


def put_object(options: Options, key: str, data: bytes) -> None:
    _client().put_object(Bucket=options["resource.boto.bucket_name"], Key=_key(options, key), Body=data)


def get_object(options: Options, key: str) -> bytes:
    return _client().get_object(Bucket=options["resource.boto.bucket_name"], Key=_key(options, key))["Body"].read()


def object_keys(options: Options) -> list[str]:
    """Return the keys of all objects below the prefix, without the prefix."""
    prefix = _key(options, "")
    found = _client().list_objects_v2(Bucket=options["resource.boto.bucket_name"], Prefix=prefix)
    return [each["Key"].removeprefix(prefix) for each in found.get("Contents", [])]


def bucket_names() -> set[str]:
    """Return the names of all buckets."""
    return {bucket["Name"] for bucket in _client().list_buckets()["Buckets"]}


def no_bucket_options() -> Options:
    """Options of a store whose bucket does not exist. A bucket that the test makes is removed at the end."""
    name = f"test-{uuid.uuid4().hex}"
    client = _client()
    remove_at_end(lambda: _remove(client, name))
    return _of_crashes() | {"resource.boto.bucket_name": name}


def _of_crashes() -> Options:
    return {option: value for option, value in service("s3").items() if ".boto." in option}


@functools.cache
def _run_options(endpoint_url: str) -> Options:
    options = no_bucket_options()
    _client().create_bucket(Bucket=options["resource.boto.bucket_name"])
    return options


def _client():
    return _client_of(_endpoint_url())


def _endpoint_url() -> str:
    return service("s3")["resource.boto.endpoint_url"]


@functools.cache
def _client_of(endpoint_url: str):
    options = service("s3")
    client = boto3.session.Session().client(
        "s3",
        region_name=options["resource.boto.region"],
        endpoint_url=endpoint_url,
        aws_access_key_id=options["resource.boto.access_key"],
        aws_secret_access_key=options["secrets.boto.secret_access_key"],
    )
    remove_at_end(client.close)
    return client


def _remove(client, name: str) -> None:
    with suppress(client.exceptions.NoSuchBucket):
        client.delete_bucket(Bucket=name)


def _key(options: Options, key: str) -> str:
    return f"{options['resource.boto.prefix']}/{key}"
