"""Turn a stackwalker's run into fields of the processed crash. Every run has a result."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field
from typing import Any

from socorro_processor.machine.bounded_program import SIGNAL_BASE, Outcome
from socorro_processor.serialization import Note, decode, ignore

OK = "OK"
UNKNOWN_ERROR = "unknown error"
OUTPUT_TOO_LARGE = "OutputTooLarge"
TIMED_OUT = "TimedOut"
EMPTY_MINIDUMP = "EmptyMinidump"
"""The status of an empty dump, which is not walked."""
NO_MINIDUMP = "there is no minidump"
"""The beginning of the note on a crash that came without its main dump; its status is ``UNKNOWN_ERROR``."""

_MINIDUMP_STACKWALK_ERRORS = (
    "CodeViewReadFailure DataError FileNotFound HeaderMismatch IoError MemoryReadFailure MinidumpReadError "
    "MissingDirectory MissingHeader MissingSystemInfo MissingThreadList ModuleReadFailure StreamNotFound "
    "StreamReadFailure StreamSizeMismatch UnknownElementType UnknownError VersionMismatch"
)
PANIC = "Panic"
"""The status if our stackwalker has a bug."""
KILLED = "Killed"
OTHER_OUTCOME = "other"
OUTCOMES = (
    OK, TIMED_OUT, OUTPUT_TOO_LARGE, EMPTY_MINIDUMP, KILLED, PANIC, UNKNOWN_ERROR, *_MINIDUMP_STACKWALK_ERRORS.split(),
    OTHER_OUTCOME,
)  # fmt: skip
"""Ends of walks that are counted: statuses, ``Killed`` if a signal ended the stackwalker before it printed a status
(its memory or CPU time was used up, or it has a bug), and ``other`` for unknown statuses."""

_TIMED_OUT_CODE = 124
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_LOGGED_ERROR = re.compile(r"^ERROR +([A-Z][A-Za-z]{1,39}) - ", re.MULTILINE)
"""``ERROR HeaderMismatch - Error reading dump: Header mismatch``"""


@dataclass(frozen=True)
class StackwalkResult:
    """The result for one dump, with notes on it."""

    json_dump: dict[str, Any] = field(default_factory=dict)
    """The stackwalker's JSON as it printed it, whichever stackwalker that was; empty if it is unusable."""
    return_code: int | None = None
    """Its exit code; 124 if it ran out of time; 128 plus the number of the signal that it died of; None if not run.

    A shell and ``timeout`` give the same codes, so the number is the same with a sandbox in
    between, and the same as in the crashes of 2016.
    """
    status: str = UNKNOWN_ERROR
    notes: tuple[str, ...] = ()

    @property
    def success(self) -> bool:
        return self.status == OK

    @property
    def counted_as(self) -> str:
        """The outcome, one of ``OUTCOMES``."""
        if self.status == UNKNOWN_ERROR and SIGNAL_BASE < (self.return_code or 0) < SIGNAL_BASE + signal.NSIG:
            return KILLED
        return self.status if self.status in OUTCOMES else OTHER_OUTCOME

    def as_processed(self) -> dict[str, Any]:
        """The fields of the processed crash."""
        return {
            "json_dump": self.json_dump,
            "mdsw_return_code": self.return_code,
            "mdsw_status_string": self.status,
            "success": self.success,
        }


def stackwalk_result(dump_name: str, outcome: Outcome) -> StackwalkResult:
    """Read what the stackwalker printed for a dump. Never raises, whatever that is."""
    notes = [f"stackwalk of {dump_name}: {end}" for end in _abnormal_end(outcome)]
    json_dump = _read(outcome, lambda fact: notes.append(f"stackwalk of {dump_name}: {fact}")) or {}
    status = json_dump.get("status")
    if not isinstance(status, str):
        status = _status(outcome)
    code = exit_code(outcome)
    if status != OK or code != 0:
        notes.append(f"stackwalk of {dump_name} failed: {status}, exit code {code}")
    return StackwalkResult(json_dump, code, status, tuple(notes))


def empty_minidump_result(dump_name: str) -> StackwalkResult:
    """Return the result for an empty dump, which is not walked."""
    note = f"stackwalk of {dump_name} failed: {EMPTY_MINIDUMP}, the dump has no bytes"
    return StackwalkResult(status=EMPTY_MINIDUMP, notes=(note,))


def prints_an_object(outcome: Outcome) -> bool:
    """Return True if the program printed a JSON object, as a stackwalker does for every dump that it can read."""
    return _read(outcome) is not None


def limit_reached(outcome: Outcome) -> str:
    """Return the limit that ended the program, as a text; empty if none did."""
    if outcome.timed_out:
        return f"killed: not done after {outcome.wall_seconds:.1f} s"
    if outcome.output_too_large:
        return "killed: its output was too large (output_limit)"
    return "it wanted more memory than it may use (memory_limit)" if outcome.memory_too_large else ""


def _abnormal_end(outcome: Outcome) -> list[str]:
    """Return how the program ended, if it did not end on its own."""
    if limit := limit_reached(outcome):
        return [limit]
    if outcome.return_code == -signal.SIGXCPU:
        return [f"killed: it used more than its CPU time ({outcome.cpu_seconds:.1f} s)"]
    if outcome.return_code < 0:
        return [f"died of signal {-outcome.return_code} ({signal.strsignal(-outcome.return_code)})"]
    return []


def _status(outcome: Outcome) -> str:
    """Return the status of a walk that printed none: from the limit that ended it, or from the error that it logged."""
    if outcome.timed_out:
        return TIMED_OUT
    if outcome.output_too_large:
        return OUTPUT_TOO_LARGE
    logged = _LOGGED_ERROR.search(_COLOR.sub("", outcome.stderr))
    return logged[1] if logged else UNKNOWN_ERROR


def _read(outcome: Outcome, note: Note = ignore) -> dict[str, Any] | None:
    if outcome.timed_out or outcome.output_too_large:
        return None
    if not outcome.output or outcome.output.isspace():
        note("it printed nothing")
        return None
    try:
        printed = decode(outcome.output, note)
    except ValueError:
        note("its output is not JSON")
        return None
    if not isinstance(printed, dict):
        note("its output is JSON, but not an object")
        return None
    return printed


def exit_code(outcome: Outcome) -> int:
    """Return the exit code as a shell has it: 124 if it ran out of time, 128 plus the signal that it died of."""
    if outcome.timed_out:
        return _TIMED_OUT_CODE
    return outcome.return_code if outcome.return_code >= 0 else SIGNAL_BASE - outcome.return_code
