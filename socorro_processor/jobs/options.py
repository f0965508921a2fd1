"""The options of all jobs, in ``[cron]``; apart from the jobs, so that the processor need not load those."""

from __future__ import annotations

from socorro_processor.configuration import Namespace, WholeNumber, class_converter

_SHORTEST = 7


def parse_retention(text: str) -> int:
    """Convert a number of days: 0, or enough that a typing mistake does not remove everything. Raises ValueError."""
    days = WholeNumber(0)(text)
    if 0 < days < _SHORTEST:
        raise ValueError(f"0, or a number of days of at least {_SHORTEST}")
    return days


def _add_retention(job: str, what: str) -> None:
    required_config.namespace(job)
    required_config[job].add_option(
        "retention_days",
        default=0,
        doc=f"{what} are removed once their last day is as many days ago; 0: none ever",
        from_string_converter=parse_retention,
    )


required_config = Namespace()
required_config.add_option(
    "directory",
    default="socorro-data/jobs",
    doc="where journals of `socorro reprocess` are kept and, when the configuration has no PostgreSQL, how each job "
    "ended",
)

_add_retention("partitions", "the partitions of a week")
required_config.partitions.add_option(
    "weeks_ahead",
    default=2,
    doc="partitions are made of this week and of so many after it",
    from_string_converter=WholeNumber(0, 52),
)

_add_retention("elasticsearch_cleanup", "indexes")

_add_retention("filesystem_cleanup", "the crashes of a day")

required_config.namespace("missing_symbols")
required_config.missing_symbols.add_option(
    "target_class",
    default="socorro_processor.jobs.csv_directory.CSVDirectory",
    doc="where the day's missing symbols are written: CSVDirectory, or "
    "socorro_processor.crashstorage.s3_bucket.S3Bucket, whose options are then here (and those of resource.boto)",
    from_string_converter=class_converter,
)

required_config.namespace("reference_data")
required_config.reference_data.add_option(
    "origin",
    default="",
    doc="the file, or the address (https://HOST/PATH), that the reference data come from",
)
required_config.reference_data.add_option(
    "maximum_size",
    default=20_000_000,
    doc="bytes; a larger answer is refused",
    from_string_converter=WholeNumber(1),
)
required_config.reference_data.add_option(
    "maximum_time",
    default=120,
    doc="seconds after which an answer that is not done is refused",
    from_string_converter=WholeNumber(1),
)
