"""Turn a stackwalker's run into fields of the processed crash. There is a result whatever it did."""

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
"""The status of a dump without a byte, which is not walked."""

_OF_MINIDUMP_STACKWALK = (
    "CodeViewReadFailure DataError FileNotFound HeaderMismatch IoError MemoryReadFailure MinidumpReadError "
    "MissingDirectory MissingHeader MissingSystemInfo MissingThreadList ModuleReadFailure StreamNotFound "
    "StreamReadFailure StreamSizeMismatch UnknownElementType UnknownError VersionMismatch"
)
PANIC = "Panic"
"""The status where the project's own stackwalker met a fault of its own."""
KILLED = "Killed"
OTHER_OUTCOME = "other"
OUTCOMES = (
    OK, TIMED_OUT, OUTPUT_TOO_LARGE, EMPTY_MINIDUMP, KILLED, PANIC, UNKNOWN_ERROR, *_OF_MINIDUMP_STACKWALK.split(),
    OTHER_OUTCOME,
)  # fmt: skip
"""Ends of walks that are counted: statuses, but ``Killed`` where a signal ended the stackwalker before it said why
(its memory or CPU time was used up, or it has a bug), and ``other`` for statuses that come from who knows where."""

_TIMED_OUT_CODE = 124
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_LOGGED_ERROR = re.compile(r"^ERROR +([A-Z][A-Za-z]{1,39}) - ", re.MULTILINE)
"""``ERROR HeaderMismatch - Error reading dump: Header mismatch``"""


@dataclass(frozen=True)
class StackwalkResult:
    """The result for one dump, with what there is to tell of it."""

    json_dump: dict[str, Any] = field(default_factory=dict)
    """The stackwalker's JSON as it printed it, whichever stackwalker that was; empty where it is no use."""
    return_code: int | None = None
    """Its exit code; 124 where it ran out of time, 128 and the number of the signal that it died of.

    That is how a shell and `timeout` put it, so that the figure is the same with a sandbox in
    between, and the same as in the crashes of 2016. None where it was not run.
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
    """Read what the stackwalker printed for a dump. Never raises for what that is."""
    notes = [f"stackwalk of {dump_name}: {fact}" for fact in _facts(outcome)]
    json_dump = _read(outcome, lambda fact: notes.append(f"stackwalk of {dump_name}: {fact}")) or {}
    status = json_dump.get("status")
    if not isinstance(status, str):
        status = _status(outcome)
    code = _return_code(outcome)
    if status != OK or code != 0:
        notes.append(f"stackwalk of {dump_name} failed: {status}, exit code {code}")
    return StackwalkResult(json_dump, code, status, tuple(notes))


def empty_minidump_result(dump_name: str) -> StackwalkResult:
    """Return the result for a dump without a byte: there is nothing to walk."""
    note = f"stackwalk of {dump_name} failed: {EMPTY_MINIDUMP}, there is not a byte in the dump"
    return StackwalkResult(status=EMPTY_MINIDUMP, notes=(note,))


def prints_an_object(outcome: Outcome) -> bool:
    """Return True if it printed a JSON object, as a stackwalker does for every dump that it can read."""
    return _read(outcome) is not None


def _facts(outcome: Outcome) -> list[str]:
    """Say how it ended where it did not end on its own."""
    if outcome.timed_out:
        return [f"killed, it was not done after {outcome.wall_seconds:.1f} s"]
    if outcome.output_too_large:
        return ["killed, its output was too large (output_limit)"]
    if outcome.memory_too_large:
        return ["it wanted more memory than it may use (memory_limit)"]
    if outcome.return_code == -signal.SIGXCPU:
        return [f"killed, it used more than its CPU time ({outcome.cpu_seconds:.1f} s)"]
    if outcome.return_code < 0:
        return [f"died of signal {-outcome.return_code} ({signal.strsignal(-outcome.return_code)})"]
    return []


def _status(outcome: Outcome) -> str:
    """Name what went wrong in a walk that printed no status: by our limits, else by the error that it logged."""
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
        note("what it printed is no JSON")
        return None
    if not isinstance(printed, dict):
        note("what it printed is JSON, but no object")
        return None
    return printed


def _return_code(outcome: Outcome) -> int:
    if outcome.timed_out:
        return _TIMED_OUT_CODE
    return outcome.return_code if outcome.return_code >= 0 else SIGNAL_BASE - outcome.return_code
