"""Keep crashes as files in a directory: the embedded default, for one machine or a shared file system."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from io import FileIO
from itertools import islice
from pathlib import Path

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crash_id import DAYS_AHEAD, check_crash_id, today
from socorro_processor.crashstorage.base import Dump, RawCrash
from socorro_processor.crashstorage.keys import dumps_removed_key, processed_crash_key, raw_crash_keys
from socorro_processor.crashstorage.newest import Age, CrashSummary, Newest, crash_ids_in_batches, select_summaries
from socorro_processor.crashstorage.objects import NoSuchObject, ObjectCrashStorage, ObjectTooLarge
from socorro_processor.errors import (
    CrashIDNotFound,
    CrashStorageError,
    InvalidCrashID,
    NoStoreYetError,
    PermanentStorageError,
    TransientStorageError,
)
from socorro_processor.machine.locks import FileLock, lock_open_file
from socorro_processor.machine.regular_file import write_all
from socorro_processor.machine.writable_directory import check_room, check_writable

TEMPORARY_SUFFIX = ".writing"
"""The end of the name of a file that is being written; the file is locked meanwhile."""

LEFT_OVER_AGE = 3600.0
"""Seconds since its last change after which an unlocked temporary file counts as left by a killed writer."""

_TOPS = ("v1", "v2")
"""The directories of a store."""

_CHUNK = 1 << 20

_DIRECTORY_TRIES = 100
"""Tries to put a file into a new directory, which a removal may take away while it is empty."""

_PROCESSED = "v1/processed_crash"

_LONGEST_REASON = 10_000  # bytes

_BATCH = 10_000
"""Crashes that a search has in memory at once, about 3 MB."""

_PERMANENT = frozenset((errno.ENAMETOOLONG, errno.EFBIG, errno.ELOOP))
"""The errors of a file system that are about one object; all others are about the file system."""

_ADVICE = {
    errno.EACCES: "let the processor's user read and write there",
    errno.EPERM: "let the processor's user read and write there",
    errno.ENOSPC: "free space (or inodes) on that file system",
    errno.EDQUOT: "raise the quota of the processor's user, or free space",
    errno.EROFS: "mount that file system read-write",
    errno.EIO: "check the disk: the kernel log says more",
    errno.ESTALE: "mount that file system again",
    errno.ENOENT: "check that the file system of the store is mounted",
    errno.ENOTDIR: "remove the file that is in the place of a directory",
    errno.EISDIR: "remove the directory that is in the place of a file",
    errno.EMFILE: "raise the processor's limit of open files (LimitNOFILE)",
    errno.ENFILE: "raise the system's limit of open files (fs.file-max)",
    errno.EFBIG: "it is larger than the file system, or the processor's limit on file sizes, allows",
    errno.ELOOP: "remove the symbolic link that is in the place of a crash",
}


class FileSystemCrashStorage(ObjectCrashStorage):
    """Keeps each object in a file below ``root``; its key is the path, see the module ``keys``.

    ``setup`` or the first save makes the store: ``root`` with ``v1`` in it; the first raw crash adds ``v2``. A save
    does not make them again: if they are missing later, the file system of the store is not mounted, or ``root`` is
    wrong. That is the store's fault, and does not mean that a crash does not exist.

    An object is written to another file, which is then renamed. File and directory are on the disk before a save
    returns. Only the owner and the group may read them. Files that a killed writer left are removed in ``v1`` by the
    first ``check``, and in ``v2`` by the next save of a raw crash beside them.
    """

    required_config = Namespace()
    required_config.add_option(
        "root",
        default="socorro-data/crashes",
        doc="the directory of the crashes",
        reference_value_from="resource.filesystem",
    )

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._root = Path(config.root).absolute()
        self._seen: set[str] = set()
        self._swept = False
        # `check` will report it.
        with contextlib.suppress(CrashStorageError, OSError):
            self._check_tops()

    def new_crashes(self) -> Iterator[str]:
        """Return the ids of the raw crashes here that have no processed crash."""
        with translate_errors("list the crashes in", self._root):
            self._check_tops("v2")
            for path in self._root.glob("v2/raw_crash/*/*/*"):
                # Any other file there is being written, or is not ours.
                with contextlib.suppress(InvalidCrashID):
                    if not self._path(processed_crash_key(path.name)).exists():
                        yield check_crash_id(path.name)

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[CrashSummary]:
        """Return the newest crashes; within a day, by when their files were written.

        Crashes that are not processed yet are among them, unless ``signature`` or ``product`` is given.
        """
        self._check_tops("v1")
        is_for_all = signature is None and product is None
        size = min(limit, _BATCH) if is_for_all else _BATCH
        crash_ids = crash_ids_in_batches(lambda before: self._newest_ages(size, before, with_raw=is_for_all), size)
        summaries = (summary for crash_id in crash_ids if (summary := self._summary(crash_id)))
        return islice(select_summaries(summaries, signature, product), limit)

    def save_raw_crash(self, raw_crash: RawCrash, dumps: Mapping[str, Dump], crash_id: str) -> None:
        self._make(*_TOPS)
        # If this process dies now, the dumps are missing without a reason; a wrong reason would be worse.
        self.delete(dumps_removed_key(crash_id))
        super().save_raw_crash(raw_crash, dumps, crash_id)
        # The directory has few files: those of one day with the same three digits.
        _sweep(self._path(raw_crash_keys(crash_id)[0]).parent)

    def put(self, key: str, content: Dump) -> None:
        path = self._path(key)
        self._make(self._top_of(path))
        if isinstance(content, bytes):
            with translate_errors("write", path), self._replacing(path) as target:
                write_all(target.fileno(), content)
            return
        source_path = Path(content)
        with translate_errors("read the dump", source_path):
            source = source_path.open("rb", buffering=0)
        with source, translate_errors("write", path), self._replacing(path) as target:
            _copy(source, target)

    def get(self, key: str, maximum_size: int | None = None) -> bytes:
        path = self._path(key)
        with translate_errors("read", path), self._open(path, maximum_size) as source:
            return source.read()

    def fetch(self, key: str, path: Path, maximum_size: int) -> None:
        # Copied, not linked, because the reader may change its file.
        stored = self._path(key)
        with translate_errors("read", stored):
            source = self._open(stored, maximum_size)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with source, translate_errors("write", path), os.fdopen(os.open(path, flags, 0o600), "wb", 0) as target:
            _copy(source, target)

    def delete(self, key: str) -> bool:
        path = self._path(key)
        with translate_errors("remove", path):
            try:
                path.unlink()
            except FileNotFoundError:
                self._check_tops(self._top_of(path))
                return False
            _synchronize(path.parent)
        for directory in list(path.relative_to(self._root).parents)[:-2]:
            try:
                (self._root / directory).rmdir()
            except OSError:  # other crashes are in it
                break
        return True

    def are_absent(self, keys: Iterable[str]) -> Iterator[bool]:
        for key in keys:
            path = self._path(key)
            with translate_errors("look for", path):
                try:
                    is_absent = not stat.S_ISREG(path.lstat().st_mode)
                except FileNotFoundError:
                    self._check_tops("v1")
                    is_absent = True
            yield is_absent

    def list_folder(self, folder: str) -> Iterator[str]:
        parent, wildcard, rest = folder.partition("/*/")
        self._check_tops(folder.partition("/")[0])
        if not wildcard:
            yield from self._list(folder)
            return
        for name in self._list(parent):
            yield from self._list(f"{parent}/{name}/{rest}")

    def _list(self, folder: str) -> list[str]:
        path = self._path(folder)
        with translate_errors("list", path):
            try:
                return sorted(each.name for each in path.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def _parts(self, crash_id: str) -> dict[str, str]:
        parts = super()._parts(crash_id)
        last = parts.popitem()
        return {**parts, dumps_removed_key(crash_id): "reason why its dumps were removed", last[0]: last[1]}

    def _newest_ages(self, size: int, before: Age | None, *, with_raw: bool) -> list[Age]:
        newest = Newest(size, before)
        # The age of a crash id dated further in the future is that of its file.
        ahead = f"{today() + timedelta(days=DAYS_AHEAD):%y%m%d}"
        with translate_errors("list the crashes in", self._root):
            for folder in self._folders_of_ages(newest, ahead, with_raw=with_raw):
                for entry in self._entries(folder):
                    with contextlib.suppress(InvalidCrashID, FileNotFoundError):
                        self._add_to(newest, entry, folder, ahead)
        return newest.in_order()

    def _add_to(self, newest: Newest, entry: os.DirEntry[str], folder: str, ahead: str) -> None:
        day = entry.name[-6:]
        if day <= ahead and not newest.may_take(day):
            return  # the case of nearly all crashes, so it is checked first
        check_crash_id(entry.name)
        status = entry.stat(follow_symlinks=False)
        if day > ahead:
            day = f"{datetime.fromtimestamp(status.st_mtime, UTC):%y%m%d}"
        # A processed crash is as old as its result, not as its raw crash.
        is_elsewhere = folder != _PROCESSED and self._path(processed_crash_key(entry.name)).exists()
        if stat.S_ISREG(status.st_mode) and not is_elsewhere:
            newest.add(Age(day, status.st_mtime, entry.name))

    def _folders_of_ages(self, newest: Newest, ahead: str, *, with_raw: bool) -> Iterator[str]:
        yield _PROCESSED
        if with_raw:
            yield "v1/raw_crash"
            for folder in self._dated_folders():
                day = folder[-len("yymmdd") :]
                if day > ahead or newest.may_take(day):
                    yield folder

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Yield the entries of a folder; unlike ``_list``, without all names in memory."""
        path = self._path(folder)
        with (
            translate_errors("list", path),
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(path) as entries,
        ):
            yield from entries

    def _summary(self, crash_id: str) -> CrashSummary | None:
        """Return the summary of a crash; None if it was removed since it was listed."""
        try:
            return CrashSummary.of_processed(crash_id, self.get_unredacted_processed(crash_id))
        except CrashIDNotFound:
            pass
        except PermanentStorageError:
            return CrashSummary(crash_id)
        try:
            return CrashSummary.of_raw(crash_id, self.get_raw_crash(crash_id))
        except CrashIDNotFound:
            return None
        except PermanentStorageError:
            return CrashSummary(crash_id, is_processed=False)

    def _folders(self, *, of_raw_crashes: bool = True) -> Iterator[str]:
        """Yield the folders of the objects of crashes."""
        if of_raw_crashes:
            yield from self._dated_folders()
            yield "v1/raw_crash"
        yield from (f"v1/{name}" for name in self._list("v1") if name != "raw_crash")

    def _dated_folders(self) -> Iterator[str]:
        for digits in self._list("v2/raw_crash"):
            yield from (f"v2/raw_crash/{digits}/{day}" for day in self._list(f"v2/raw_crash/{digits}"))

    def dumps_removed(self, crash_id: str) -> str:
        try:
            return self.get(dumps_removed_key(crash_id), _LONGEST_REASON).decode("utf-8", "replace")
        except NoSuchObject:
            return ""

    def setup(self) -> None:
        self._make(*_TOPS)

    def check(self) -> None:
        """Raise TransientStorageError if a save would fail. A store without a crash is fine if a save can make it."""
        with translate_errors("write in", self._root):
            self._check_tops()
            if not check_writable(self._root / "v1"):
                return
            with self._temporary_file(self._root / "v1" / "check") as (file, temporary):
                file.write(b"ok")
                temporary.unlink()
            if not self._swept:
                self._swept = True
                with contextlib.suppress(OSError):
                    for directory in (self._root / "v1", *(self._root / "v1").iterdir()):
                        _sweep(directory)

    def examine(self) -> str:
        directories = [self._root / top for top in _TOPS]
        with translate_errors("list", self._root), contextlib.suppress(FileNotFoundError):
            self._check_tops()
            directories += [path for path in (self._root / "v1").iterdir() if path.is_dir()]
        exist = []
        for directory in directories:
            with translate_errors("write in", directory):
                exist.append(check_writable(directory))
                check_room(directory)
        return "" if any(exist) else f"{self._root} will be made"

    def object_keys(self) -> Iterator[str]:
        """Yield the keys of all objects of crashes, those of raw crashes first."""
        self._check_tops("v1")
        for folder in self._folders():
            for name in self._list(folder):
                # Any other file there is being written, or is not ours.
                with contextlib.suppress(InvalidCrashID):
                    yield f"{folder}/{check_crash_id(name)}"

    def processed_ids(self) -> Iterator[str]:
        """Yield the ids of all processed crashes, in the order of the directory."""
        for entry in self._entries(_PROCESSED):
            # Any other file there is being written, or is not ours.
            with contextlib.suppress(InvalidCrashID):
                yield check_crash_id(entry.name)

    def files_of(self, crash_id: str) -> dict[str, float]:
        """Return the time of the last change (as ``time.time``) of each file of a crash, by its key.

        They are in the order of ``object_keys``, and include dumps that are in no list of dump names.
        """
        keys = [*raw_crash_keys(crash_id), *(f"{folder}/{crash_id}" for folder in self._folders(of_raw_crashes=False))]
        times = {}
        for key in keys:
            with (
                translate_errors("look for", self._path(key)),
                contextlib.suppress(FileNotFoundError, NotADirectoryError),
            ):
                times[key] = self._path(key).lstat().st_mtime
        return times

    def sweep(self) -> int:
        """Remove the files that killed writers left an hour or more ago. Return their number."""
        return sum(_sweep(self._path(folder)) for folder in ("v1", *self._folders()))

    def places(self) -> set[str]:
        return {f"{type(self).__name__} in {os.path.realpath(self._root)}"}

    def __str__(self) -> str:
        return f"{type(self).__name__} in {self._root}"

    def _make(self, *tops: str) -> None:
        """Make these directories of a new store.

        If one that existed is missing, its file system is not mounted any more: nothing may be written in its place.
        """
        with translate_errors("make the store in", self._root):
            self._check_tops()
            for top in tops:
                if top not in self._seen:
                    (self._root / top).mkdir(parents=True, exist_ok=True, mode=0o750)
                    _synchronize(self._root)
                    _synchronize(self._root.parent)

    def _check_tops(self, *needed: str) -> None:
        """Raise TransientStorageError if a directory of the store is missing that is needed, or was there before."""
        for top in _TOPS:
            # Before the look: another thread may make the directory, and see it, right after it.
            was_seen = top in self._seen
            if (self._root / top).is_dir():
                self._seen.add(top)
            elif was_seen:
                raise TransientStorageError(
                    f"there is no directory {self._root / top} any more: check that the file system of the store is "
                    "mounted (or, for a new store, make the directory)"
                )
            elif top in needed and not self._root.parent.exists():
                raise NoStoreYetError(
                    f"no crashes are here yet: {self._root} does not exist; is this the right directory? (`socorro "
                    "submit` makes a new store)"
                )
            elif top in needed:
                raise NoStoreYetError(
                    f"there is no directory {self._root / top}: check that this is the right place, and that the file "
                    "system of the store is mounted (a new store is made by the first crash that is saved there, or by "
                    "`socorro setup`)"
                )

    def _path(self, key: str) -> Path:
        return self._root / key

    def _top_of(self, path: Path) -> str:
        return path.relative_to(self._root).parts[0]

    def _open(self, path: Path, maximum_size: int | None) -> FileIO:
        # Follow no link, and wait for no pipe or device, whoever put it there.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            self._check_tops(self._top_of(path))
            raise NoSuchObject(path) from None
        self._seen.add(self._top_of(path))
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and (maximum_size is None or status.st_size <= maximum_size):
            return os.fdopen(descriptor, "rb", 0)
        os.close(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise PermanentStorageError(f"{path} is not a regular file: remove it")
        raise ObjectTooLarge(f"{status.st_size} bytes, more than {maximum_size}")

    @contextlib.contextmanager
    def _replacing(self, path: Path) -> Iterator[FileIO]:
        """Yield a file that replaces ``path`` after the block, or is removed if the block fails."""
        with self._temporary_file(path) as (file, temporary):
            yield file
            os.fsync(file.fileno())
            temporary.replace(path)
        _synchronize(path.parent)

    @contextlib.contextmanager
    def _temporary_file(self, path: Path) -> Iterator[tuple[FileIO, Path]]:
        """Yield a new file beside ``path``, and its own path; it is removed if the block fails."""
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        for tries_left in reversed(range(_DIRECTORY_TRIES)):
            self._check_tops(self._top_of(path))
            self._make_directory(path.parent)
            try:
                descriptor = os.open(temporary, flags, 0o640)
                break
            except FileNotFoundError:
                if not tries_left:
                    raise
        try:
            with os.fdopen(descriptor, "wb", 0) as file:
                # Where files cannot be locked, none is swept either.
                with contextlib.suppress(OSError):
                    lock_open_file(file.fileno())
                yield file, temporary
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def _make_directory(self, directory: Path) -> None:
        if not directory.exists():
            self._make_directory(directory.parent)
            # Another writer may have been first, or the parent was removed again, which the caller notices.
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                directory.mkdir(mode=0o750)
                _synchronize(directory.parent)


def _copy(source: FileIO, target: FileIO) -> None:
    """Copy from the present positions to the end: within the kernel if possible, otherwise in chunks."""
    with contextlib.suppress(OSError):
        while os.copy_file_range(source.fileno(), target.fileno(), _CHUNK * 64):
            pass
    # Copy what the kernel could not copy. If it failed for a more serious reason, this raises the error again.
    while chunk := source.read(_CHUNK):
        write_all(target.fileno(), chunk)


def _synchronize(directory: Path) -> None:
    """Write the names in a directory to the disk, unless the directory has been removed."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep(directory: Path) -> int:
    """Remove the files that killed writers left in a directory. Return their number.

    A later sweep may remove what cannot be removed now.
    """
    removed = 0
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(TEMPORARY_SUFFIX):
                removed += _remove_left_over(Path(entry.path))
    return removed


def _remove_left_over(path: Path) -> bool:
    with contextlib.suppress(OSError):
        # It is locked only if it is old, so that a writer that has just begun does not find it locked.
        if time.time() - path.lstat().st_mtime > LEFT_OVER_AGE:
            # A writer that is still alive has the lock.
            with FileLock(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK):
                path.unlink()
            return True
    return False


@contextlib.contextmanager
def translate_errors(doing: str, path: Path) -> Iterator[None]:
    """Raise an OSError as a CrashStorageError: nearly always the file system is at fault, not the crash."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        kind = PermanentStorageError if number in _PERMANENT else TransientStorageError
        advice = f": {_ADVICE[number]}" if number in _ADVICE else ""
        raise kind(f"cannot {doing} {path}: {error.strerror or error}{advice}") from error
