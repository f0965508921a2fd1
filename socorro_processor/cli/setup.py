"""``socorro setup`` creates queues, buckets, schema, index template and reference data."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

from socorro_processor.cli.command import Command, build_component
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration, DotDict, class_name
from socorro_processor.crashstorage.base import CrashStorageBase, each_store
from socorro_processor.errors import SocorroError
from socorro_processor.reference.provider import set_up_providers
from socorro_processor.symbols.supplier import S3, rules_with_symbols

_PARTS = ("new_crash_source", "source", "destination", "processor")


def run(arguments: argparse.Namespace, configuration: Configuration) -> int:
    failed = 0
    for name, set_up in _parts(configuration):
        try:
            component = set_up()
        except SocorroError as error:
            failed += 1
            say(f"{name}: {error}")
        else:
            print(f"{name}: {component} has what it needs")
    return 1 if failed else 0


def _parts(configuration: Configuration) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield each part by its name, with the function that sets it up and returns its class."""
    for name in _PARTS:
        yield name, partial(_set_up, name, configuration)
    for rule in rules_with_symbols(configuration.values.processor):
        if S3 in rule.symbols.sources:
            yield "symbols.sources", partial(_make_bucket, rule.symbols)


def _set_up(name: str, configuration: Configuration) -> str:
    if name == "processor":
        # The pipeline cannot be built before its reference data exist.
        set_up_providers(configuration.values.processor)
        return class_name(configuration.values.processor.processor_class).rpartition(".")[2]
    part = build_component(name, configuration)
    try:
        part.setup()
    finally:
        part.close()
    return _with_stores_within(part) if isinstance(part, CrashStorageBase) else type(part).__name__


def _with_stores_within(store: CrashStorageBase) -> str:
    """Return the class of a store, with those of the stores behind it: ``PolyCrashStorage (A, B)``."""
    within = ", ".join(type(each).__name__ for _, each in each_store(store.stores))
    return f"{type(store).__name__} ({within})" if within else type(store).__name__


def _make_bucket(symbols: DotDict) -> str:
    # Imported only here: few need it, and the SDK takes a quarter of a second to load.
    from socorro_processor.symbols.s3_source import S3Source

    with closing(S3Source(symbols[S3], symbols.download_timeout)) as source:
        source.bucket.make()
        return source.name


COMMAND = Command(
    name="setup",
    summary="Create what queues, stores and rules need.",
    description=(
        "This creates the queues, the buckets (for crashes, and for symbols if they come from one), the schema and its "
        "partitions, the index template and the tables of reference data. Nothing existing is lost; run it again after "
        "each upgrade."
    ),
    exit_codes={0: "everything is there", 1: "something could not be created"},
    example="socorro setup --admin.conf=config/processor-production.ini",
    run=run,
    sections=_PARTS,
)
