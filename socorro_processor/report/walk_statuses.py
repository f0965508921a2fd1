"""The status of a walk in words, for readers who know nothing of stackwalkers.

    "the file is not a minidump (HeaderMismatch)"

The stackwalker's own word stands behind, because logs, metrics and signatures have it.
"""

from __future__ import annotations

from collections.abc import Iterable

from socorro_processor.stackwalk.result import (
    EMPTY_MINIDUMP,
    NO_MINIDUMP,
    OK,
    OUTPUT_TOO_LARGE,
    PANIC,
    TIMED_OUT,
    UNKNOWN_ERROR,
)

_NOT_A_MINIDUMP = "the file is not a minidump"
_CUT_OFF = "the minidump is cut off"
_DAMAGED = "the minidump is damaged"
_WORDS = {
    EMPTY_MINIDUMP: "the minidump is empty: it has no bytes",
    OUTPUT_TOO_LARGE: "the stackwalker printed more than it may (output_limit)",
    PANIC: "the stackwalker has a bug; the notes and its log say more",
    TIMED_OUT: "the stackwalker was not done in time (kill_timeout)",
    UNKNOWN_ERROR: "the stackwalker ended without a result; the notes say how",
    # The errors of the crates minidump and minidump-processor.
    "CodeViewReadFailure": f"{_DAMAGED}: the id of a module cannot be read",
    "DataError": f"{_DAMAGED}: a part of it makes no sense",
    "FileNotFound": "the minidump's file was gone before it was read",
    "HeaderMismatch": _NOT_A_MINIDUMP,
    "IoError": "the minidump's file could not be read",
    "MemoryReadFailure": f"{_DAMAGED}: its copy of the memory cannot be read",
    "MissingDirectory": f"{_CUT_OFF}: its list of parts is missing",
    "MissingHeader": f"{_NOT_A_MINIDUMP}, or it is cut off: it is shorter than a minidump's header",
    "MissingSystemInfo": "the minidump does not say on which system it was written",
    "MissingThreadList": "the minidump has no threads",
    "ModuleReadFailure": f"{_DAMAGED}: a module cannot be read",
    "StreamNotFound": "the minidump lacks a part that is needed",
    "StreamReadFailure": f"{_CUT_OFF}, or damaged: a part of it cannot be read",
    "StreamSizeMismatch": f"{_CUT_OFF}, or damaged: a part of it has the wrong size",
    "UnknownElementType": f"{_DAMAGED}: a part of it is of an unknown type",
    "VersionMismatch": "the minidump is of an unknown version",
    # Those of Breakpad's stackwalker, in crashes of 2016.
    "ERROR_MINIDUMP_NOT_FOUND": "the minidump's file was gone before it was read",
    "ERROR_NO_MINIDUMP_HEADER": f"{_NOT_A_MINIDUMP}, or it is cut off",
    "ERROR_NO_THREAD_LIST": "the minidump has no threads",
    "ERROR_GETTING_THREAD": f"{_DAMAGED}: a thread cannot be read",
    "ERROR_GETTING_THREAD_ID": f"{_DAMAGED}: a thread has no id",
    "ERROR_DUPLICATE_REQUESTING_THREADS": f"{_DAMAGED}: two threads wrote it",
    "ERROR_NO_DUMP_FOR_THREAD": f"{_DAMAGED}: the thread that crashed is missing",
}
_WITHOUT_A_DUMP = "the upload had no minidump"


def was_without_dump(status: str, notes: Iterable[object]) -> bool:
    """Return True if a main dump has this status because the crash came without one, as the notes then say."""
    return status == UNKNOWN_ERROR and any(isinstance(note, str) and note.startswith(NO_MINIDUMP) for note in notes)


def walk_problem(status: str, *, without_dump: bool = False) -> str:
    """Return why a walk failed; empty if it did not, or has no status."""
    if status in ("", OK):
        return ""
    if without_dump:
        return _WITHOUT_A_DUMP
    words = _WORDS.get(status)
    return f"{words} ({status})" if words else f"the stackwalker reports {status}"
