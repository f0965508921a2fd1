"""``socorro setup``: queues, buckets, schema, index template, reference data."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

from socorro_processor.cli.command import Command, build
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration, DotDict, class_name
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
        # It cannot be built before its reference data are there.
        set_up_providers(configuration.values.processor)
        return class_name(configuration.values.processor.processor_class).rpartition(".")[2]
    part = build(name, configuration)
    try:
        part.setup()
    finally:
        part.close()
    return class_name(type(part)).rpartition(".")[2]


def _make_bucket(symbols: DotDict) -> str:
    # Not before now: few need it, and the SDK takes a quarter of a second.
    from socorro_processor.symbols.s3_source import S3Source

    with closing(S3Source(symbols[S3], symbols.download_timeout)) as source:
        source.bucket.make()
        return source.name


COMMAND = Command(
    name="setup",
    summary="Make what queues, stores and rules need.",
    description=(
        "Made are queues, buckets (of crashes, and of symbols where these are a source), schema and partitions, index "
        "template, tables of reference data. Nothing that is there is lost; run it again after each upgrade."
    ),
    exit_codes={0: "all is there", 1: "not all could be made"},
    example="socorro setup --admin.conf=config/processor-production.ini",
    run=run,
    sections=_PARTS,
)
