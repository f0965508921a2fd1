"""The options of all jobs, in ``[cron]``. They are here so that the processor need not import the jobs."""

from __future__ import annotations

from socorro_processor.configuration import Namespace, WholeNumber, class_converter

_SHORTEST = 7  # days


def parse_retention(text: str) -> int:
    """Convert a number of days: 0, or enough that a typing error does not remove everything. Raises ValueError."""
    days = WholeNumber(0)(text)
    if 0 < days < _SHORTEST:
        raise ValueError(f"0, or a number of days of at least {_SHORTEST}")
    return days


def _add_retention(job: str, what: str) -> None:
    required_config.namespace(job)
    required_config[job].add_option(
        "retention_days",
        default=0,
        doc=f"days after which {what} are removed, counted from their last day (0: never)",
        from_string_converter=parse_retention,
    )


required_config = Namespace()
required_config.add_option(
    "directory",
    default="socorro-data/jobs",
    doc="directory for the journals of `socorro reprocess` and, if the configuration has no PostgreSQL, for the "
    "records of jobs",
)

_add_retention("partitions", "the partitions of a week")
required_config.partitions.add_option(
    "weeks_ahead",
    default=2,
    doc="number of weeks after this one for which partitions are made",
    from_string_converter=WholeNumber(0, 52),
)

_add_retention("elasticsearch_cleanup", "indexes")

_add_retention("filesystem_cleanup", "the crashes of a day")

required_config.namespace("missing_symbols")
required_config.missing_symbols.add_option(
    "target_class",
    default="socorro_processor.jobs.csv_directory.CSVDirectory",
    doc="where each day's missing symbols are written: CSVDirectory, or "
    "socorro_processor.crashstorage.s3_bucket.S3Bucket, whose options are then here (and in resource.boto)",
    from_string_converter=class_converter,
)

required_config.namespace("reference_data")
required_config.reference_data.add_option(
    "origin",
    default="",
    doc="the file or address (https://HOST/PATH) of new reference data",
)
required_config.reference_data.add_option(
    "maximum_size",
    default=20_000_000,
    doc="largest number of bytes of new reference data",
    from_string_converter=WholeNumber(1),
)
required_config.reference_data.add_option(
    "maximum_time",
    default=120,
    doc="seconds within which an address must send the whole reference data",
    from_string_converter=WholeNumber(1),
)
