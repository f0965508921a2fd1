"""A record of what is done to crashes beyond saving them: erased, or left with their earlier result; by whom, when,
where and why."""

from __future__ import annotations

import errno
import logging
import os
import pwd
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from socorro_processor.configuration import DotDict
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.machine.regular_file import write_all
from socorro_processor.monitoring.log import formatter_of

logger = logging.getLogger(__name__)

_complaints = logging.getLogger(__package__)
"""Another logger: what is wrong with the file cannot be written to it."""


class AuditLog:
    """A line a crash: in the log, whatever its level, and in ``logging.audit_file`` where there is one."""

    def __init__(self, config: DotDict, *, needs_file: bool = True) -> None:
        """Raises ConfigurationError where the file cannot be written, but where the log is enough."""
        logger.setLevel(logging.INFO)
        self._handler: logging.Handler | None = None
        if config.audit_file:
            try:
                self._handler = _AuditFile(config.audit_file)
            except OSError as error:
                mistake = f"cannot write logging.audit_file {config.audit_file}: {error.strerror}"
                if needs_file:
                    raise ConfigurationError(f"{mistake}; nothing was done") from error
                _complaints.warning("%s; this log has its lines", mistake)
                return
            self._handler.setFormatter(formatter_of(config))
            logger.addHandler(self._handler)

    def write_kept(self, crash_id: str, because: str) -> None:
        """A crash keeps its earlier result. Raises nothing: where the file cannot be written, the log says so."""
        try:
            self.write(f"{crash_id} keeps its earlier result", {"because": because})
        except SocorroError as error:
            _complaints.error("%s: %s", error, because)

    def write(self, message: str, fields: Mapping[str, str]) -> None:
        """Raises SocorroError where it cannot be written to the file."""
        who = {"by": _user(), "host": socket.gethostname()}
        try:
            logger.info("%s", message, extra={"fields": who | dict(fields)})
        except OSError as error:
            raise SocorroError(f"cannot write logging.audit_file: {error.strerror}: {message}") from error

    def close(self) -> None:
        if self._handler is not None:
            logger.removeHandler(self._handler)
            self._handler.close()


class _AuditFile(logging.Handler):
    """Raises where a line cannot be written: logging's own would go on.

    Opened for each line: a service has few of them, and is not told when the file is rotated.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path).absolute()
        os.close(self._opened())

    def emit(self, record: logging.LogRecord) -> None:
        descriptor = self._opened()
        try:
            write_all(descriptor, f"{self.format(record)}\n".encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)

    def _opened(self) -> int:
        # A pipe would be waited for, now or when it is full.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o640)
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "a pipe is not a file")
        return descriptor


def _user() -> str:
    """Who runs this, and who became that by sudo."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    sudo = os.environ.get("SUDO_USER")
    return f"{name} (sudo by {sudo})" if sudo else name
