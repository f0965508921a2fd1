"""Rules of 2026 that add to a signature facts about the crash that are not in its stack.

Each rewrites ``signature`` as the rules before it left it, so their order matters.
"""

from __future__ import annotations

import json
import re

from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.annotations import as_text, integer
from socorro_processor.rules.json_dump import crashing_thread, section, thread_of
from socorro_processor.rules.signature import SignatureRule
from socorro_processor.rules.signature_rewriting import signature_of
from socorro_processor.signature.abort_message import stable_message
from socorro_processor.signature.c_signature import DELIMITER


class RewritingRule(SignatureRule):
    """The base of rules that rewrite the signature of a crash if there is a reason."""

    def predicate(self, crash: Crash) -> bool:
        return bool(self.reason(crash))


class BadHardwareSignature(RewritingRule):
    """Mark a crash whose disk or memory could not be read. Reads ``json_dump``; rewrites ``signature``."""

    def reason(self, crash: Crash) -> str:
        return _crash_reason(crash, "STATUS_DEVICE_DATA_ERROR")

    def action(self, crash: Crash) -> bool:
        return _prepend(crash, "bad hardware")


class OOMSignature2026(RewritingRule):
    """Mark a crash that ran out of memory by the size of the allocation that failed.

    If even a small allocation failed, all memory was used up, and the stack says nothing about the cause: it is left
    out. Reads ``raw.OOMAllocationSize``, ``raw.oom-size``, ``raw.JSLargeAllocationFailure``, ``json_dump``; rewrites
    ``signature``.
    """

    functions = re.compile(
        r"""::(?: NS_ABORT_OOM | mozalloc_handle_oom | CrashAtUnhandlableOOM | AutoEnterOOMUnsafeRegion
              | alloc::oom::oom | handle_alloc_error | TerminateBecauseOutOfMemory | FatalProcessOutOfMemory )::""",
        re.VERBOSE,
    )
    """Functions and classes that are called when no memory is left."""
    reasons = frozenset(("STATUS_NO_MEMORY", "STATUS_FATAL_MEMORY_EXHAUSTION", "Out of Memory"))
    last_errors = frozenset(("ERROR_COMMITMENT_LIMIT", "ERROR_NOT_ENOUGH_MEMORY"))
    small = 256 * 1024
    """Bytes; an allocation up to this size is small."""

    def reason(self, crash: Crash) -> str:
        if _failed_in_javascript(crash):
            return "JSLargeAllocationFailure is Reporting"
        if size := _allocation_size(crash):
            return f"an allocation of {size:,} bytes failed"
        reason = _reason(crash)
        if not self.reasons.isdisjoint(part.strip() for part in reason.split("/")):
            return f"the reason of the crash is {reason}"
        last_error = thread_of(crash, crashing_thread(crash)).get("last_error_value")
        if isinstance(last_error, str) and last_error in self.last_errors:
            return f"the last error of the thread is {last_error}"
        frame = next(filter(self._is_called_without_memory, signature_of(crash).split(DELIMITER)), "")
        return frame and f"the signature has {frame}"

    def action(self, crash: Crash) -> bool:
        size = _allocation_size(crash)
        if _failed_in_javascript(crash) or size > self.small:
            return _prepend(crash, "OOM | large")
        if size:
            crash.processed["signature"] = "OOM | small"
            return True
        return _prepend(crash, "OOM | unknown")

    def _is_called_without_memory(self, frame: str) -> bool:
        # Whole names of functions and classes: `app::handle_alloc_error_dialog` is not one.
        return self.functions.search(f"::{frame}::") is not None


class AbortSignature2026(RewritingRule):
    """Put the program's abort message in front of the signature. Reads ``raw.AbortMessage``; rewrites ``signature``."""

    def reason(self, crash: Crash) -> str:
        return _annotation(crash, "AbortMessage")

    def action(self, crash: Crash) -> bool:
        message = stable_message(_text(crash, "AbortMessage"))
        return _prepend(crash, f"Abort | {message}" if message else "Abort")


class AsyncShutdownTimeoutSignature(RewritingRule):
    """Sign a shutdown that took too long by what it waited for: the stack is the watchdog's.

    Reads ``raw.AsyncShutdownTimeout``, ``{"phase": ..., "conditions": [{"name": ...}, ...]}`` as JSON; rewrites
    ``signature``, and notes the old one.
    """

    def reason(self, crash: Crash) -> str:
        return _annotation(crash, "AsyncShutdownTimeout")

    def action(self, crash: Crash) -> bool:
        crash.note(f"the signature is that of a shutdown that timed out; it was: {signature_of(crash)}")
        parts = ("AsyncShutdownTimeout", *self._read(_text(crash, "AsyncShutdownTimeout")))
        crash.processed["signature"] = DELIMITER.join(parts)
        return True

    def _read(self, text: str) -> tuple[str, ...]:
        """Return phase and conditions."""
        try:
            timeout = json.loads(text)
        except (ValueError, RecursionError):
            return ("UNKNOWN",)
        if not isinstance(timeout, dict):
            return ("UNKNOWN",)
        phase = as_text(timeout.get("phase")) or "(unknown)"
        conditions = timeout.get("conditions")
        if not isinstance(conditions, list):
            conditions = [] if conditions is None else [conditions]
        names = (as_text(each.get("name") if isinstance(each, dict) else each) for each in conditions)
        return phase, ",".join(sorted(name or "(unknown)" for name in names)) or "(none)"


class SignatureIPCChannelError2026(RewritingRule):
    """Sign a crash that was caused on purpose, because of an IPC channel error, by that error alone.

    The stack is that of whatever code was running. Reads ``raw.ipc_channel_error``, ``additional_minidumps``;
    rewrites ``signature``, and notes the old one.
    """

    maximum = 100
    browser_dump = "upload_file_minidump_browser"

    def reason(self, crash: Crash) -> str:
        return _annotation(crash, "ipc_channel_error")

    def action(self, crash: Crash) -> bool:
        dumps = crash.processed.get("additional_minidumps")
        process = "browser" if isinstance(dumps, list) and self.browser_dump in dumps else "content"
        crash.note(f"the signature is that of an IPC channel error; it was: {signature_of(crash)}")
        error = _text(crash, "ipc_channel_error")[: self.maximum]
        crash.processed["signature"] = f"IPCError-{process} | {error}"
        return True


class SignatureIPCMessageName(RewritingRule):
    """Add the name of the message that was being sent. Reads ``raw.IPCMessageName``; rewrites ``signature``."""

    def reason(self, crash: Crash) -> str:
        return _annotation(crash, "IPCMessageName")

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = f"{signature_of(crash)} | IPC_Message_Name={_text(crash, 'IPCMessageName')}"
        return True


class StackOverflowSignature(RewritingRule):
    """Mark a crash whose stack overflowed. Reads ``json_dump``; rewrites ``signature``."""

    def reason(self, crash: Crash) -> str:
        return _crash_reason(crash, "EXCEPTION_STACK_OVERFLOW")

    def action(self, crash: Crash) -> bool:
        return _prepend(crash, "stackoverflow")


class HangSignature(RewritingRule):
    """Mark a hang by what the client says hung. Reads ``raw.Hang``; rewrites ``signature``."""

    def reason(self, crash: Crash) -> str:
        return "" if _text(crash, "Hang") == "0" else _annotation(crash, "Hang")

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = f"hang: {_text(crash, 'Hang')} | {signature_of(crash)}"
        return True


def _prepend(crash: Crash, text: str) -> bool:
    crash.processed["signature"] = f"{text} | {signature_of(crash)}"
    return True


def _crash_reason(crash: Crash, part: str) -> str:
    """Return, for people, that the reason of the crash has this part; empty if it has not."""
    reason = _reason(crash)
    return f"the reason of the crash is {reason}" if part in reason else ""


def _annotation(crash: Crash, name: str) -> str:
    """Return, for people, what an annotation says; empty if it says nothing."""
    text = _text(crash, name)
    return f"{name} is {text}" if text else ""


def _failed_in_javascript(crash: Crash) -> bool:
    return _text(crash, "JSLargeAllocationFailure") == "Reporting"


def _reason(crash: Crash) -> str:
    return as_text(section(crash, "crash_info").get("type")) or ""


def _allocation_size(crash: Crash) -> int:
    """Return the bytes that could not be allocated; 0 if that is not known."""
    for name in ("OOMAllocationSize", "oom-size"):
        if _text(crash, name):
            return max(0, integer(crash.raw[name], digits=100) or 0)
    return 0


def _text(crash: Crash, annotation: str) -> str:
    """Return the text of an annotation without white space at its ends; empty if it is absent or has no text."""
    value = crash.raw.get(annotation)
    return "" if value is None else (as_text(value) or "").strip()
