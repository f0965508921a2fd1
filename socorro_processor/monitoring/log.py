"""The log on standard error: plain lines for people, or one JSON object per line for machines.

In a service, logging never blocks (see ``line_writer``).

Nothing personal is ever logged: no URL, e-mail, comment or other annotation of a crash.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from socorro_processor.configuration import DotDict, Namespace, OneOf
from socorro_processor.monitoring.line_writer import LineStream, LineWriter
from socorro_processor.monitoring.metrics import METRICS

_LIBRARIES = ("boto3", "botocore", "elastic_transport", "elasticsearch", "pika", "s3transfer", "urllib3")

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
FORMATS = ("plain", "json")


required_config = Namespace()
required_config.add_option(
    "level",
    default="INFO",
    doc=f"the lowest level that is logged: {', '.join(LEVELS)}",
    from_string_converter=OneOf(LEVELS, str.upper),
)
required_config.add_option(
    "format",
    default="plain",
    doc="plain: lines for people; json: one object per line, for machines",
    from_string_converter=OneOf(FORMATS, str.lower),
)


required_config.add_option(
    "audit_file",
    default="",
    doc="file for lines, also in the log, about who removed which crash or purged which queue, and which crashes kept "
    "an earlier, better result (empty: none)",
)


def formatter_of(config: DotDict) -> logging.Formatter:
    """Return the formatter of ``logging.format``."""
    return JSONFormatter() if config.format == "json" else PlainFormatter()


def set_up_logging(config: DotDict) -> None:
    """Send all logs to standard error, as ``logging.level`` and ``logging.format`` say."""
    stream = sys.stderr
    handler = _QueueingHandler(stream.lines) if isinstance(stream, LineStream) else logging.StreamHandler(stream)
    handler.setFormatter(formatter_of(config))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.level)
    # At DEBUG, libraries log each request with the signature that authorizes it.
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(max(logging.getLogger(library).level, logging.INFO))


class _QueueingHandler(logging.Handler):
    """Passes lines to a LineWriter. Dropped lines are counted, and a line tells their number once there is room.

    A record with ``extra=LAST_WORDS`` is never dropped.
    """

    def __init__(self, lines: LineWriter) -> None:
        super().__init__()
        self._lines = lines
        lines.notice = self._notice
        lines.on_drop = lambda: METRICS.increment("log.dropped")

    def handle(self, record: logging.LogRecord) -> bool:
        # Without the handler's lock, because a thread that hangs in formatting a line must not block the others.
        if accepted := bool(self.filter(record)):
            self.emit(record)
        return accepted

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put(self.format(record) + "\n", always=getattr(record, "last_words", False))
        except Exception:
            self.handleError(record)

    def _notice(self, count: int) -> str:
        arguments = (count, "line is" if count == 1 else "lines are")
        message = "%d %s missing here: the log was not read, or could not be written"
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, arguments, None)
        return self.format(record) + "\n"


LAST_WORDS = {"last_words": True}
"""``extra`` of a record that is logged just before the process ends."""

_crash_id: ContextVar[str | None] = ContextVar("crash_id", default=None)


@contextmanager
def crash_context(crash_id: str) -> Iterator[None]:
    """Add the crash id to the JSON lines that this thread logs within the block."""
    token = _crash_id.set(crash_id)
    try:
        yield
    finally:
        _crash_id.reset(token)


def stack_of(error: BaseException) -> str:
    """Return the type of an error and its traceback, without its message, which may quote a crash."""
    return f"{type(error).__name__} at\n{''.join(traceback.format_tb(error.__traceback__))}".rstrip()


class PlainFormatter(logging.Formatter):
    """Formats a record as ``2016-11-23T12:34:56.789Z INFO what happened key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={_plain(value)}" for key, value in _fields(record).items())
        # Continuation lines are indented: a message that quotes input cannot forge a record, nor steer a terminal.
        message = _escape(record.getMessage(), keep="\n\t").replace("\n", "\n    ")
        text = f"{_time(record)} {record.levelname} {message}{fields}"
        if record.exc_info:
            # This ends with the message of the exception, which may quote input too.
            text += "\n    " + _escape(self.formatException(record.exc_info), keep="\n\t").replace("\n", "\n    ")
        return text


class JSONFormatter(logging.Formatter):
    """Formats a record as an object with ``time``, ``level``, ``logger``, ``message``, the record's own fields, and
    ``crash_id`` if a crash is in work."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **({} if (crash_id := _crash_id.get()) is None else {"crash_id": crash_id}),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _time(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that the caller passed as ``extra={"fields": {...}}``."""
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields


def _plain(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return json.dumps(text) if not text or not text.isprintable() or any(c in ' "=' for c in text) else text


def _escape(text: str, keep: str) -> str:
    """Return the text with unprintable characters, except those in ``keep``, escaped as ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
