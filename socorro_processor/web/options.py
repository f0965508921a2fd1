"""The options of ``socorro serve``, in the section ``web``. Every command knows them; none needs the extra for that."""

from __future__ import annotations

from socorro_processor.configuration import Namespace, OneOf, Seconds, WholeNumber, size
from socorro_processor.web.report import report_options
from socorro_processor.web.symbols import symbol_options

required_config = Namespace()
required_config.update(report_options.required_config)
required_config.update(symbol_options.required_config)
required_config.add_option(
    "host",
    default="127.0.0.1",
    doc="the loopback address, or the name of one, to listen on; anyone who reaches it may see everything",
)
required_config.add_option(
    "port",
    default=8000,
    doc="the port to listen on (0: any that is free; the command prints which)",
    from_string_converter=WholeNumber(0, 65535),
)
required_config.add_option(
    "processor",
    default=True,
    doc="run a processor beside the server; no: other processors take the crashes from the queue",
)
required_config.add_option(
    "answer",
    default="lines",
    doc="the answer to a crash: lines, CrashID=bp-ID as Socorro's collector gives it; or id, the bare crash id, "
    "because Crashpad, Breakpad and Electron show the whole answer as the id",
    from_string_converter=OneOf(("lines", "id"), str.lower),
)
required_config.add_option(
    "maximum_connections",
    default=500,
    doc="connections at once; for a further one, the slowest is closed",
    from_string_converter=WholeNumber(1, 100_000),
)
required_config.add_option(
    "maximum_header_size",
    default="32k",
    doc="bytes of a request's first line and headers",
    from_string_converter=size,
)
required_config.add_option(
    "header_time",
    default=10.0,
    doc="seconds in which a client has to send them",
    from_string_converter=Seconds(above=True),
)
required_config.add_option(
    "gap_time",
    default=60.0,
    doc="seconds that a client may send nothing while it sends a crash",
    from_string_converter=Seconds(above=True),
)
required_config.add_option(
    "request_time",
    default=900.0,
    doc="seconds that a whole request may take, answer included",
    from_string_converter=Seconds(above=True),
)
required_config.add_option(
    "keep_alive_time",
    default=15.0,
    doc="seconds that a connection stays open for a next request",
    from_string_converter=Seconds(above=True),
)
required_config.add_option(
    "shutdown_time",
    default=60.0,
    doc="seconds in which requests in work are finished when the server is told to stop",
    from_string_converter=Seconds(above=True),
)
