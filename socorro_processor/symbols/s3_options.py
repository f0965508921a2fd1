"""The options of a bucket of symbols."""

from __future__ import annotations

from socorro_processor.configuration import Namespace
from socorro_processor.crashstorage.s3_options import bucket_options

_DEFAULTS = {"bucket_name": "symbols", "number_of_tries": 1}
"""Defaults that differ from those of the crash store."""


def s3_options() -> Namespace:
    """Return the options of the bucket of symbols. If unset, server and keys are those of ``resource.boto``."""
    options = Namespace()
    for name, option in bucket_options().items():
        options.add_option(
            name,
            default=_DEFAULTS.get(name, option.default),
            doc=option.doc,
            from_string_converter=option.from_string_converter,
            secret=option.secret,
            reference_value_from="secrets.symbols" if option.secret else "resource.symbols.s3",
        )
    return options
