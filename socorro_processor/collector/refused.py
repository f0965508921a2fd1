"""The last uploads that were refused: the answer to *why do no reports arrive?*

A file with a JSON object a line, the newest last. It is for people: that a disk has no room for it is no reason to
refuse more, so it is then kept in memory alone.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socorro_processor.machine.regular_file import read_regular_file, replacing, write_all

logger = logging.getLogger(__name__)

_LONGEST_TEXT = 300
"""The number of characters that are kept of each text."""

_LARGEST_FILE = 10_000_000
"""Bytes. A larger file was not written by this class."""


@dataclass(frozen=True)
class RefusedUpload:
    """An upload that was refused. All texts may be a stranger's."""

    time: str
    """ISO 8601, in UTC."""
    status: int
    """The status of the HTTP answer."""
    code: str
    words: str
    size: int
    """The number of bytes that were read of it."""
    client: str
    """The sender, as far as it is known."""


def _now() -> datetime:
    return datetime.now(UTC)


class RefusedUploads:
    """The newest ``maximum`` refused uploads. May be used from any thread. Raises nothing."""

    def __init__(self, path: Path, maximum: int, now: Callable[[], datetime] = _now) -> None:
        self._path = path
        self._maximum = maximum
        self._now = now
        self._lock = threading.Lock()
        self._uploads = deque(self._read(), maximum)
        self._lines = 2 * maximum
        """The number of lines in the file; at 2 * maximum it is written anew."""

    def add(self, status: int, code: str, words: str, size: int, client: str) -> None:
        upload = RefusedUpload(
            self._now().isoformat(timespec="seconds"),
            status,
            code[:_LONGEST_TEXT],
            words[:_LONGEST_TEXT],
            size,
            client[:_LONGEST_TEXT],
        )
        with self._lock:
            self._uploads.append(upload)
            try:
                self._write(upload)
            except OSError as error:
                logger.warning("the refused uploads cannot be written into %s: %s", self._path, error.strerror)

    def newest_first(self) -> list[RefusedUpload]:
        with self._lock:
            return list(reversed(self._uploads))

    def _write(self, upload: RefusedUpload) -> None:
        if self._lines >= 2 * self._maximum:
            with replacing(self._path, 0o600, temporary=self._path.with_suffix(".new"), durable=False) as file:
                file.write(b"".join(map(_line, self._uploads)))
            self._lines = len(self._uploads)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            write_all(descriptor, _line(upload))
        finally:
            os.close(descriptor)
        self._lines += 1

    def _read(self) -> list[RefusedUpload]:
        try:
            data = read_regular_file(self._path, _LARGEST_FILE)
        except FileNotFoundError:
            return []
        except OSError as error:
            logger.warning("the refused uploads cannot be read from %s: %s", self._path, error.strerror)
            return []
        uploads = []
        for line in data.splitlines():
            # A process that was killed may have written half a line.
            with suppress(ValueError, TypeError):
                uploads.append(_upload(json.loads(line)))
        return uploads


def _line(upload: RefusedUpload) -> bytes:
    return json.dumps(asdict(upload)).encode() + b"\n"


def _upload(values: Mapping[str, Any]) -> RefusedUpload:
    upload = RefusedUpload(**values)
    if any(type(getattr(upload, field.name)) is not (int if field.type == "int" else str) for field in fields(upload)):
        raise TypeError("a value of another type")
    return upload
