"""A journal of the crashes that were queued for reprocessing, so that an interrupted command can go on.

The file begins with a line that identifies it. Then follows a line for each crash, written once the queue has confirmed
it. Only the few crashes that were on their way to the queue when the process died or lost it (``SUBMITTED_AHEAD``) may
be queued without a line; those are queued twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from socorro_processor.crash_id import check_crash_id
from socorro_processor.errors import ConfigurationError, InvalidCrashID, SocorroError
from socorro_processor.machine.locks import FileLock
from socorro_processor.machine.regular_file import write_all

_HEADING = b'"a journal of socorro reprocess"\n'
_LONGEST_NAME = 100  # bytes of a file name


@dataclass(frozen=True)
class Queued:
    """A crash that was queued, with time and signature of its earlier result."""

    crash_id: str
    time: datetime
    completed: str | None = None
    """When the earlier result was completed; empty if there was none, None if it was not looked up."""
    signature: str = ""


class Journal:
    """The crashes that were ``queued``, by crash id. One process writes the file at a time; another one is refused."""

    def __init__(self, path: Path | None, queued: Mapping[str, Queued] | None = None) -> None:
        """Open the file; without a ``path``, keep the crashes in memory only, beginning with ``queued``.

        Raises SocorroError if another process has the file, ConfigurationError if it cannot be used.
        """
        self.path = path and path.absolute()
        self.queued = dict(queued or {})
        self._lock = self.path and self._open(self.path)

    def add(self, queued: Queued) -> None:
        """Add a crash that the queue has confirmed."""
        entry = [queued.crash_id, queued.time.isoformat()]
        if queued.completed is not None:
            entry += [queued.completed, queued.signature]
        if self._lock:
            _write(self._lock, json.dumps(entry).encode() + b"\n")
        self.queued[queued.crash_id] = queued

    def clear(self) -> None:
        """Forget all crashes."""
        self.queued.clear()
        if self._lock:
            os.ftruncate(self._lock.descriptor, len(_HEADING))

    def remove(self) -> None:
        """Remove the file."""
        if self._lock:
            self._lock.remove()

    def close(self) -> None:
        if self._lock:
            self._lock.close()

    def _open(self, path: Path) -> FileLock:
        """Lock the file, read it, and remove a last line that was cut off."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Links are followed: an operator may have made one.
            lock = FileLock(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        except BlockingIOError:
            raise SocorroError(f"another socorro reprocess is at work with the journal {path}") from None
        except OSError as error:
            raise ConfigurationError(f"cannot write the journal {path}: {error.strerror}") from error
        try:
            with os.fdopen(os.dup(lock.descriptor), "rb") as file:
                content = file.read()
            self.queued = _entries(content, path)
            whole = content.rfind(b"\n") + 1
            os.ftruncate(lock.descriptor, whole)
            if not whole:
                _write(lock, _HEADING)
        except BaseException:
            lock.close()
            raise
        return lock


def journal_name(request: Iterable[str]) -> str:
    """Return the name of the journal's file, readable and the same for the same request."""
    words = "\n".join(request).encode("utf-8", "backslashreplace")
    readable = re.sub(rb"[^\w.=-]+", b"_", words).decode()[:_LONGEST_NAME]
    return f"reprocess-{readable}-{hashlib.sha256(words).hexdigest()[:8]}.journal"


def read_journal(path: Path) -> dict[str, Queued]:
    """Return the crashes in a journal, which another process may be writing; none if there is no file."""
    try:
        return _entries(path.read_bytes(), path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"cannot read the journal {path}: {error.strerror}") from error


def _write(lock: FileLock, data: bytes) -> None:
    try:
        write_all(lock.descriptor, data)
    except OSError as error:
        raise SocorroError(f"cannot write the journal {lock.path}: {error.strerror}") from error


def _entries(content: bytes, path: Path) -> dict[str, Queued]:
    """Return the entries by crash id, without a last line that was cut off.

    Raises ConfigurationError if the file is not a journal, or is damaged.
    """
    if not (content.startswith(_HEADING) or _HEADING.startswith(content)):
        raise ConfigurationError(f"{path} is not a journal of socorro reprocess: name another file")
    lines = content.removeprefix(_HEADING).split(b"\n")[:-1]
    try:
        return {queued.crash_id: queued for queued in map(_entry, lines)}
    except (ValueError, TypeError, InvalidCrashID) as error:
        raise ConfigurationError(f"the journal {path} is damaged: {error}; name another file, or remove it") from error


def _entry(line: bytes) -> Queued:
    crash_id, time, *before = json.loads(line)
    return Queued(check_crash_id(crash_id), datetime.fromisoformat(time), *before)
