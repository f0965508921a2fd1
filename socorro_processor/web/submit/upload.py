"""One upload, from its first byte to the promise. Its methods wait for disk and store: they are for threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from socorro_processor.collector.acceptance import Answer
from socorro_processor.collector.collector import Collector
from socorro_processor.collector.limits import Limits
from socorro_processor.collector.refusal import Refused
from socorro_processor.collector.spool import SpoolFile
from socorro_processor.collector.submission_reader import SubmissionReader, SubmissionRequest


class Upload:
    """An upload that is written while it arrives. Methods may be called by any thread, and wait for one another."""

    def __init__(self, collector: Collector, limits: Limits, request: SubmissionRequest, key: str) -> None:
        self.size = 0
        """The number of bytes that came."""
        self.is_received = False
        """True once the whole body came."""
        self._collector = collector
        self._limits = limits
        self._request = request
        self._key = key
        self._lock = threading.Lock()
        self._reader: SubmissionReader | None = None
        self._file: SpoolFile | None = None
        self._is_over = False

    def begin(self) -> None:
        """Read the headers; waits for nothing. Raises Refused if they alone tell that the upload cannot be taken."""
        self._reader = SubmissionReader(self._request, _FileWhenNeeded(self), self._limits)

    def feed(self, pieces: Iterable[bytes]) -> None:
        """Read the next bytes of the body. Raises Refused, SpoolFull, SpoolFailing."""
        with self._lock:
            self._feed(pieces)

    def finish(self, pieces: Iterable[bytes], moment: datetime) -> Answer:
        """Read the last bytes, and keep the upload. Raises Refused, SpoolFull, SpoolFailing."""
        with self._lock:
            submission = self._feed(pieces).finish()
            self._is_over = True
            return self._collector.accept(submission, self.file, moment, self._key)

    def discard(self) -> None:
        """Forget the upload, unless it has been kept."""
        with self._lock:
            self._is_over = True
            if self._file is not None:
                self._collector.discard(self._file)

    def refuse(self, refused: Refused, client: str) -> None:
        """Forget the upload, and note why it was refused."""
        self.discard()
        self._collector.refuse(refused, self.size, client)

    @property
    def file(self) -> SpoolFile:
        """The file in the spool. Raises SpoolFull, SpoolFailing if it cannot be made."""
        if self._file is None:
            self._file = self._collector.begin()
        return self._file

    def _feed(self, pieces: Iterable[bytes]) -> SubmissionReader:
        assert self._reader is not None, "begin comes first"
        if self._is_over:
            raise RuntimeError("the upload is over")
        for piece in pieces:
            self._reader.feed(piece)
        return self._reader


class _FileWhenNeeded:
    """Writes into the file of an upload, which is made when a first byte of a dump comes."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def write(self, data: bytes) -> None:
        self._upload.file.write(data)
