"""Rules that add to a signature facts about the crash that are not in its stack.

Each rewrites ``signature`` as the rules before it left it, so their order matters.
"""

from __future__ import annotations

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import as_text, integer
from socorro_processor.signature.c_signature import truncate


class StackwalkerErrorSignatureRule(Rule):
    """Add the result of the stackwalk to an empty signature. Reads ``mdsw_status_string``; rewrites ``signature``."""

    def predicate(self, crash: Crash) -> bool:
        return _signature(crash).startswith("EMPTY")

    def action(self, crash: Crash) -> bool:
        status = crash.processed.get("mdsw_status_string")
        if not isinstance(status, str):
            return False
        crash.processed["signature"] = f"{_signature(crash)}; {status}"
        return True


class OOMSignature(Rule):
    """Mark a crash that ran out of memory by the size of the allocation that failed.

    If even a small allocation failed, all memory was used up, and the stack says nothing about the cause: it is left
    out. Reads ``raw.OOMAllocationSize``; rewrites ``signature``, and keeps the old one as ``original_signature``; a
    size that is not a number is noted, and the signature stays.
    """

    frames = ("NS_ABORT_OOM", "mozalloc_handle_oom", "CrashAtUnhandlableOOM", "AutoEnterOOMUnsafeRegion")
    """Functions that are called when no memory is left."""
    small = 256 * 1024
    """Bytes; an allocation up to this size is small."""

    def predicate(self, crash: Crash) -> bool:
        return "OOMAllocationSize" in crash.raw or any(frame in _signature(crash) for frame in self.frames)

    def action(self, crash: Crash) -> bool:
        signature = crash.processed["original_signature"] = _signature(crash)
        if "OOMAllocationSize" not in crash.raw:
            crash.processed["signature"] = f"OOM | unknown | {signature}"
            return True
        size = integer(crash.raw["OOMAllocationSize"], digits=100)
        if size is None:
            crash.note("OOMAllocationSize is not a number: the signature stays as it was")
            return False
        if size <= self.small:
            crash.processed["signature"] = "OOM | small"
        else:
            crash.processed["signature"] = f"OOM | large | {signature}"
        return True


class AbortSignature(Rule):
    """Put the program's abort message in front of the signature.

    Reads ``raw.AbortMessage``; rewrites ``signature``, and keeps the old one as ``original_signature``.
    """

    maximum = 80

    def predicate(self, crash: Crash) -> bool:
        return bool(_text(crash, "AbortMessage"))

    def action(self, crash: Crash) -> bool:
        signature = crash.processed["original_signature"] = _signature(crash)
        message = self._message(_text(crash, "AbortMessage"))
        crash.processed["signature"] = f"Abort | {signature}" if message is None else f"Abort | {message} | {signature}"
        return True

    def _message(self, message: str) -> str | None:
        """Return the message itself; None if there is only the place, which changes with every build."""
        if "###!!! ABORT: file " in message:
            return None
        # The process is in front of it: [Parent 1234] ###!!! ABORT: message: file a.cpp, line 1
        if "###!!! ABORT:" in message:
            message = message.partition("###!!! ABORT:")[2].strip()
        if ": file " in message:
            message = message.partition(": file ")[0].strip()
        return truncate(message, self.maximum)


class SignatureIPCChannelError(Rule):
    """Sign a crash that was caused on purpose, because of an IPC channel error, by that error alone.

    The stack is that of any code that was running. Reads ``raw.ipc_channel_error``, ``raw.additional_minidumps``;
    rewrites ``signature``, and notes the old one.
    """

    maximum = 100

    def predicate(self, crash: Crash) -> bool:
        return bool(_text(crash, "ipc_channel_error"))

    def action(self, crash: Crash) -> bool:
        process = "browser" if crash.raw.get("additional_minidumps") == "browser" else "content"
        error = _text(crash, "ipc_channel_error")[: self.maximum]
        crash.note(f"the signature is that of an IPC channel error; it was: {_signature(crash)}")
        crash.processed["signature"] = f"IPCError-{process} | {error}"
        return True


def _signature(crash: Crash) -> str:
    signature: str = crash.processed["signature"]
    return signature


def _text(crash: Crash, annotation: str) -> str:
    """Return the text of an annotation; empty if it is absent or has no text."""
    return as_text(crash.raw.get(annotation)) or ""
