"""The options of symbols that are uploaded to the server, in the section ``web``."""

from __future__ import annotations

from socorro_processor.configuration import Namespace, Seconds, WholeNumber, size

required_config = Namespace()
required_config.add_option(
    "maximum_symbols",
    default="2G",
    doc="bytes of an upload to /symbols",
    from_string_converter=size,
)
required_config.add_option(
    "maximum_symbols_decoded",
    default="8G",
    doc="bytes of the files of such an upload, once zip files are unpacked; they are on the disk of the symbol store",
    from_string_converter=size,
)
required_config.add_option(
    "maximum_symbol_files",
    default=2000,
    doc="files of such an upload, those in zip files among them",
    from_string_converter=WholeNumber(1, 100_000),
)
required_config.add_option(
    "symbol_time",
    default=600.0,
    doc="seconds in which the files of an upload are checked and converted; the rest is not taken, and the answer says "
    "so",
    from_string_converter=Seconds(above=True),
)
