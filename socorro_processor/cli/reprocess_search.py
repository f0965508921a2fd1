"""The crashes that ``socorro reprocess`` looks for in Elasticsearch."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing

from socorro_processor.configuration import Configuration, components, read_days
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.crashstorage.elasticsearch.search import CrashQuery
from socorro_processor.errors import ConfigurationError


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    search = parser.add_argument_group("crashes to look for in Elasticsearch; all that is said must hold")
    search.add_argument("--signature", metavar="TEXT", help="all of the signature, to the letter")
    search.add_argument("--product", metavar="NAME", help="the product")
    search.add_argument("--version", metavar="VERSION", help="the product's version")
    search.add_argument("--processor-version", metavar="VERSION", help="the version of the processor that made it")
    search.add_argument(
        "--date",
        metavar="DAYS",
        type=read_days,
        default=(None, None),
        help="the day (UTC) on which the crash was submitted, or the first and the last: 2016-11-20..2016-11-23; "
        "either may be left out",
    )


def query(arguments: argparse.Namespace) -> CrashQuery | None:
    """Return what ``add_search_arguments`` asked for; None where nothing is looked for."""
    since, until = arguments.date
    asked = CrashQuery(
        arguments.signature, arguments.product, arguments.version, arguments.processor_version, since, until
    )
    return None if asked == CrashQuery() else asked


def find_crash_ids(asked: CrashQuery, configuration: Configuration) -> Iterator[str]:
    """Yield the crash ids that Elasticsearch has. Raises CrashStorageError."""
    found = next(components(configuration.values.destination, ESCrashStorage), None)
    if found is None:
        raise ConfigurationError("there is no Elasticsearch to look for crashes in: no store of the destination is one")
    store_class, section = found
    with closing(store_class(section)) as store:
        yield from store.crash_ids(asked)
