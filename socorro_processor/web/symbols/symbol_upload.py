"""Take symbols that are uploaded: ``.sym`` files, zip files of them, or binaries with debug information.

    upload = uploads.begin(content_type)
    upload.feed(data)                       # as it comes; for a thread
    for each in upload.finish():            # checks and converts, as ``socorro symbols add`` does
        print(each.name, each.result, each.words)

The files are in a directory below the symbol store, which is removed at the end. Walks see a symbol file at once.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

from socorro_processor.collector.header_parameters import read_header
from socorro_processor.collector.multipart import MultipartReader
from socorro_processor.collector.refusal import Refused, malformed
from socorro_processor.configuration import DotDict
from socorro_processor.errors import SocorroError
from socorro_processor.layout import counted
from socorro_processor.stackwalk.local_symbols import REFUSED, LocalSymbols
from socorro_processor.stackwalk.new_symbols import SymbolFileMaker, find_symbols
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.web.symbols.zip_upload import MAGIC, NotUnpacked, file_name, unpack

logger = logging.getLogger(__name__)

LEFT_OUT = "left out"
INCOMING = ".incoming"
"""The directory of uploads below the store, which no symbol file's name begins with."""
_MOST_UPLOADS = 8
"""Uploads at once."""
_OLD = 86400.0
"""Seconds after which the files of an upload are those of a server that was killed."""
_NOT_SYMBOLS = "it is neither a symbol file, nor a binary (ELF, PE, PDB or Mach-O), nor a zip file of these"
_TOO_LATE = "it was not looked at: the time of this upload was over (web.symbol_time); send the rest again"
_LONGEST_NAME = 300
"""Characters of a name in the answer."""


@dataclass(frozen=True)
class UploadLimits:
    size: int
    decoded: int
    files: int
    seconds: float

    @classmethod
    def of(cls, config: DotDict) -> UploadLimits:
        """Return the limits in the section ``web``."""
        return cls(
            config.maximum_symbols, config.maximum_symbols_decoded, config.maximum_symbol_files, config.symbol_time
        )


class UploadedSymbols(NamedTuple):
    """The outcome for a file of an upload, or for the files of one build."""

    name: str
    """As it was sent."""
    result: str
    """A word: added, replaced, already there, left out, or refused."""
    identity: SymbolFileID | None
    words: str = ""
    """A reason, or a note."""

    @property
    def is_well(self) -> bool:
        return self.result != REFUSED


class SymbolUploads:
    """The uploads into one store. Threads may share it."""

    def __init__(
        self,
        store: Path,
        maker: SymbolFileMaker,
        limits: UploadLimits,
        forget: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``forget`` is told the path of each new symbol file: sources may have been found to lack it."""
        self.limits = limits
        self.forget = forget
        self.clock = clock
        self.symbols = LocalSymbols(store, maker)
        self.converting = threading.Lock()
        """Conversions take much memory: one upload after the other."""
        self._incoming = store / INCOMING
        self._lock = threading.Lock()
        self._open = 0

    def begin(self, content_type: str, length: int | None) -> SymbolUpload:
        """Begin an upload. Raises Refused."""
        kind, parameters = read_header(content_type)
        if kind != "multipart/form-data" or not (boundary := parameters.get("boundary", "")):
            raise malformed(
                "content_type",
                "send the files as a form: curl --fail-with-body -F symbols=@FILE, or from the page /symbols",
            )
        if length is not None and length > self.limits.size:
            raise _too_large("maximum_symbols", "bytes of an upload", self.limits.size)
        with self._lock:
            if self._open >= _MOST_UPLOADS:
                raise Refused(503, "too_many", f"{_MOST_UPLOADS} uploads of symbols are in work: try again later")
            self._open += 1
        try:
            self._remove_left_overs()
            directory = self._incoming / secrets.token_hex(8)
            directory.mkdir(parents=True)
        except OSError as error:
            self.end()
            raise Refused(503, "store", f"cannot write below the symbol store: {error.strerror}") from error
        return SymbolUpload(self, boundary, directory)

    def end(self) -> None:
        """Note that an upload has ended."""
        with self._lock:
            self._open -= 1

    def _remove_left_overs(self) -> None:
        if not self._incoming.is_dir():
            return
        for left in self._incoming.iterdir():
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _OLD:
                    shutil.rmtree(left)


class SymbolUpload:
    """One upload. Its methods wait for the disk, and ``finish`` for conversions: they are for threads, one at a time.

    After Refused, or at a broken connection, call ``discard``.
    """

    def __init__(self, uploads: SymbolUploads, boundary: str, directory: Path) -> None:
        self._uploads = uploads
        self._directory = directory
        self._reader = MultipartReader(boundary.encode("utf-8", "replace"), self)
        self._numbers = count()
        self._received = self._written = 0
        self._names: dict[Path, str] = {}
        """The names of the files as they were sent."""
        self._zipped: set[Path] = set()
        """The files that came in zip files."""
        self._file: BinaryIO | None = None
        self._is_over = False

    def feed(self, data: bytes) -> None:
        """Read more of the body. Raises Refused."""
        self._received += len(data)
        if self._received > self._uploads.limits.size:
            raise _too_large("maximum_symbols", "bytes of an upload", self._uploads.limits.size)
        try:
            self._reader.feed(data)
        except OSError as error:
            raise self._no_disk(error) from error

    def finish(self) -> list[UploadedSymbols]:
        """Add the symbols to the store; return what became of each file. Raises Refused if the body was cut."""
        try:
            if not self._reader.is_complete:
                raise malformed("cut", "the upload ends before its closing boundary")
            if not self._names:
                raise malformed("empty", "no file was chosen")
            with self._uploads.converting:
                return list(self._results())
        except OSError as error:
            raise self._no_disk(error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove the files of the upload."""
        if self._is_over:
            return
        self._is_over = True
        if self._file is not None:
            self._file.close()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._uploads.end()

    # For MultipartReader

    def begin_part(self, headers: Mapping[str, str]) -> None:
        _, parameters = read_header(headers.get("content-disposition", ""))
        name = parameters.get("filename", "")
        if not name:
            return  # a field, or a file that was not chosen
        path = next(self._places()) / file_name(name)
        self._names[path] = name
        self._file = path.open("xb")

    def part_data(self, data: bytes) -> None:
        if self._file is not None:
            self._count(len(data))
            self._file.write(data)

    def end_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _results(self) -> Iterator[UploadedSymbols]:
        limits = self._uploads.limits
        end = self._uploads.clock() + limits.seconds
        yield from self._unpack()
        left = dict(self._names)
        try:
            found = find_symbols([str(self._directory)]) if left else []
        except SocorroError:  # there are none
            found = []
        for each in found:
            name = ", ".join(filter(None, (left.pop(file, "") for file in each.files)))[:_LONGEST_NAME]
            if self._uploads.clock() > end:
                yield UploadedSymbols(name, REFUSED, None, _TOO_LATE)
                continue
            try:
                addition = self._uploads.symbols.add(each)
            except SocorroError as error:  # this machine's fault, such as a missing dump_syms
                yield UploadedSymbols(name, REFUSED, None, self._without_places(str(error)))
                continue
            if addition.wanted is not None:
                self._uploads.forget(addition.wanted.path)
            yield UploadedSymbols(name, addition.result, addition.wanted, self._without_places(addition.reason))
        # A zip file of a build holds all sorts of files; one that holds no symbols at all was a mistake.
        others = [path for path in left if path in self._zipped] if found else []
        if others:
            yield UploadedSymbols(f"{counted(len(others), 'other file')} in zip files", LEFT_OUT, None)
        for path, name in left.items():
            if path not in others:
                yield UploadedSymbols(name[:_LONGEST_NAME], REFUSED, None, _NOT_SYMBOLS)

    def _unpack(self) -> Iterator[UploadedSymbols]:
        """Put the files of zip files in the place of these; yield those that cannot be unpacked."""
        for path, name in list(self._names.items()):
            with path.open("rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    continue
            del self._names[path]
            room = self._uploads.limits.files - len(self._names)
            try:
                for each in unpack(path, self._places(), room, self._count):
                    shown = f"{name}: {each.name}"
                    if each.path is None:
                        yield UploadedSymbols(shown[:_LONGEST_NAME], REFUSED, None, each.reason)
                    else:
                        self._names[each.path] = shown
                        self._zipped.add(each.path)
            except NotUnpacked as error:
                yield UploadedSymbols(name[:_LONGEST_NAME], REFUSED, None, str(error))
            path.unlink()

    def _places(self) -> Iterator[Path]:
        """Yield new directories. Two files of an upload may have the same name."""
        while True:
            number = next(self._numbers)
            if number >= 2 * self._uploads.limits.files:
                raise _too_large("maximum_symbol_files", "files of an upload", self._uploads.limits.files)
            # Deeper than a symbol file is in a store, for which it would be taken otherwise.
            place = self._directory / "files" / str(number)
            place.mkdir(parents=True)
            yield place

    def _count(self, size: int) -> None:
        self._written += size
        if self._written > self._uploads.limits.decoded:
            raise _too_large("maximum_symbols_decoded", "bytes of the files of an upload", self._uploads.limits.decoded)

    def _without_places(self, words: str) -> str:
        """Return a reason without the directories, which say nothing to the sender."""
        return words.replace(f"{self._directory}/files/", "")

    def _no_disk(self, error: OSError) -> Refused:
        logger.error("symbols that were uploaded cannot be written: %s", error)
        return Refused(503, "store", f"the symbols cannot be written into their store: {error.strerror}")


def _too_large(option: str, what: str, maximum: int) -> Refused:
    return Refused(413, f"too_large_{option}", f"at most {maximum:,} {what} are taken (web.{option})")
