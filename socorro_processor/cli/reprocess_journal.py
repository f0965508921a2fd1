"""The crashes that ``socorro reprocess`` has queued, so that after an interruption it goes on where it was.

A file: a line that says what it is, then one for each crash, written once the queue has confirmed it. So what
is in it was queued; what was queued is in it, but for the few that were on their way to the queue when the process
died or lost it (``SUBMITTED_AHEAD``), and those are queued twice.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from socorro_processor.crash_id import check_crash_id
from socorro_processor.errors import ConfigurationError, InvalidCrashID, SocorroError
from socorro_processor.machine.locks import FileLock
from socorro_processor.machine.regular_file import write_all

_HEADING = b'"a journal of socorro reprocess"\n'


@dataclass(frozen=True)
class Before:
    """A processed crash before it was queued again; empty where there was none."""

    completed: str = ""
    signature: str = ""


@dataclass(frozen=True)
class Queued:
    """A crash that was queued."""

    crash_id: str
    time: datetime
    before: Before | None = None
    """None: it was not looked for."""


class Journal:
    """One process writes it at a time; another one is refused."""

    def __init__(self, path: Path) -> None:
        """Raises SocorroError where another process has it, ConfigurationError where it cannot be used."""
        self.path = path.absolute()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # An operator may have put a link there.
            self._lock = FileLock(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        except BlockingIOError:
            raise SocorroError(f"another socorro reprocess is at work with the journal {self.path}") from None
        except OSError as error:
            raise ConfigurationError(f"cannot write the journal {self.path}: {error.strerror}") from error
        try:
            with os.fdopen(os.dup(self._lock.descriptor), "rb") as file:
                content = file.read()
            self.queued = _entries(content, self.path)
            self._mend(content)
        except BaseException:
            self.close()
            raise

    def add(self, queued: Queued) -> None:
        """Write down what the queue has confirmed."""
        entry = [queued.crash_id, queued.time.isoformat()]
        if queued.before is not None:
            entry += [queued.before.completed, queued.before.signature]
        self._write(json.dumps(entry).encode() + b"\n")
        self.queued[queued.crash_id] = queued

    def clear(self) -> None:
        """Begin anew."""
        self.queued.clear()
        os.ftruncate(self._lock.descriptor, len(_HEADING))

    def remove(self) -> None:
        """Remove the file."""
        self._lock.remove()

    def close(self) -> None:
        self._lock.close()

    def __str__(self) -> str:
        return f"the journal {self.path}"

    def _mend(self, content: bytes) -> None:
        """Take away what is no whole line."""
        whole = content.rfind(b"\n") + 1
        os.ftruncate(self._lock.descriptor, whole)
        if not whole:
            self._write(_HEADING)

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._lock.descriptor, data)
        except OSError as error:
            raise SocorroError(f"cannot write the journal {self.path}: {error.strerror}") from error


class JournalInMemory(Journal):
    """A journal where no file can be written."""

    def __init__(self) -> None:
        self.queued = {}

    def clear(self) -> None:
        """There is nothing in it."""

    def remove(self) -> None:
        """There is no file."""

    def close(self) -> None:
        """There is no file."""

    def __str__(self) -> str:
        return "nothing, because there is no journal"

    def _write(self, data: bytes) -> None:
        """There is no file."""


def read_journal(path: Path) -> dict[str, Queued]:
    """Return what was queued, by a journal that another process may be writing; nothing where there is none."""
    try:
        return _entries(path.read_bytes(), path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"cannot read the journal {path}: {error.strerror}") from error


def _entries(content: bytes, path: Path) -> dict[str, Queued]:
    """Return the entries by crash id, without a last line that was cut off. Raises ConfigurationError where there is no
    journal."""
    if not (content.startswith(_HEADING) or _HEADING.startswith(content)):
        raise ConfigurationError(f"{path} is not a journal of socorro reprocess: name another file")
    lines = content.removeprefix(_HEADING).split(b"\n")[:-1]
    try:
        return {queued.crash_id: queued for queued in map(_entry, lines)}
    except (ValueError, TypeError, InvalidCrashID) as error:
        raise ConfigurationError(f"the journal {path} is damaged: {error}; name another file, or remove it") from error


def _entry(line: bytes) -> Queued:
    crash_id, time, *before = json.loads(line)
    return Queued(check_crash_id(crash_id), datetime.fromisoformat(time), Before(*before) if before else None)
