"""A record of what is done to crashes beyond processing: erased, or kept as they were; by whom, when, where and why."""

from __future__ import annotations

import logging
import os
import pwd
import socket
from collections.abc import Mapping

from socorro_processor.configuration import DotDict
from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.log import formatter_of
from socorro_processor.regular_file import write_all

logger = logging.getLogger(__name__)


class AuditLog:
    """A line a crash: in the log, whatever its level, and in ``logging.audit_file`` where there is one."""

    def __init__(self, config: DotDict, *, with_file: bool = True) -> None:
        """Raises ConfigurationError where the file cannot be written."""
        logger.setLevel(logging.INFO)
        self._handler: logging.Handler | None = None
        if config.audit_file and with_file:
            try:
                self._handler = _AuditFile(config.audit_file)
            except OSError as error:
                raise ConfigurationError(
                    f"cannot write logging.audit_file {config.audit_file}: {error.strerror}; nothing was done"
                ) from error
            self._handler.setFormatter(formatter_of(config))
            logger.addHandler(self._handler)

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
    """Raises where a line cannot be written: logging's own would go on."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def emit(self, record: logging.LogRecord) -> None:
        write_all(self._descriptor, f"{self.format(record)}\n".encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        os.close(self._descriptor)
        super().close()


def _user() -> str:
    """Who runs this, and who became that by sudo."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    sudo = os.environ.get("SUDO_USER")
    return f"{name} (sudo by {sudo})" if sudo else name
