"""A record of crashes that were erased, or that kept their earlier result: by whom, when, where and why."""

from __future__ import annotations

import errno
import logging
import os
import pwd
import socket
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from socorro_processor.configuration import DotDict
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.machine.regular_file import write_all
from socorro_processor.monitoring.log import formatter_of

logger = logging.getLogger(__name__)

_complaints = logging.getLogger(__package__)
"""Another logger, because a problem with the file cannot be written to the file."""


Audit = Callable[[str, Mapping[str, str]], None]
"""Writes a line, as ``AuditLog.write`` does. Raises SocorroError if the file cannot be written."""


class AuditLog:
    """Writes one line for each crash: to the log, whatever its level, and to ``logging.audit_file`` if it is set."""

    def __init__(self, config: DotDict, *, needs_file: bool = True) -> None:
        """Raises ConfigurationError if the file cannot be written; without ``needs_file`` it only warns."""
        logger.setLevel(logging.INFO)
        self._handler: logging.Handler | None = None
        if config.audit_file:
            try:
                self._handler = _AuditFile(config.audit_file)
            except OSError as error:
                problem = f"cannot write logging.audit_file {config.audit_file}: {error.strerror}"
                if needs_file:
                    raise ConfigurationError(f"{problem}; nothing was done") from error
                _complaints.warning("%s; its lines are only in this log", problem)
                return
            self._handler.setFormatter(formatter_of(config))

    def write_kept(self, crash_id: str, because: str) -> None:
        """Write that a crash keeps its earlier result. Raises nothing: if the file cannot be written, it logs that."""
        try:
            self.write(f"{crash_id} keeps its earlier result", {"because": because})
        except SocorroError as error:
            _complaints.error("%s: %s", error, because)

    def write(self, message: str, fields: Mapping[str, str]) -> None:
        """Write a line. Raises SocorroError if the file cannot be written."""
        who = {"by": _user(), "host": socket.gethostname()}
        extra = {"fields": who | dict(fields)}
        # One record, so that the log and the file say the same time.
        record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, "%s", (message,), None, extra=extra)
        try:
            if self._handler is not None:
                # Not through the logger: a process may have several of these, and each writes its own lines only.
                self._handler.emit(record)
        except OSError as error:
            raise SocorroError(f"cannot write logging.audit_file: {error.strerror}: {message}") from error
        if logger.isEnabledFor(logging.INFO):
            logger.handle(record)

    def close(self) -> None:
        if self._handler is not None:
            self._handler.close()


class _AuditFile(logging.Handler):
    """Raises if a line cannot be written, unlike the handlers of ``logging``.

    Opens the file for each line: a service writes few, and is not told when the file is rotated.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path).absolute()
        os.close(self._open())

    def emit(self, record: logging.LogRecord) -> None:
        descriptor = self._open()
        try:
            write_all(descriptor, f"{self.format(record)}\n".encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        # Opening a pipe, or writing to a full one, would block.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o640)
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "a pipe is not a file")
        return descriptor


def _user() -> str:
    """Return the user, and, under sudo, the user who called it."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    sudo = os.environ.get("SUDO_USER")
    return f"{name} (sudo by {sudo})" if sudo else name
