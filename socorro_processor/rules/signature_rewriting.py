"""Rules that add to a signature facts about the crash that are not in its stack.

Each rewrites ``signature`` as the rules before it left it, so their order matters.
"""

from __future__ import annotations

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import as_text, integer
from socorro_processor.signature.abort_message import without_place
from socorro_processor.signature.c_signature import DELIMITER, truncate


class StackwalkerErrorSignatureRule(Rule):
    """Add the result of the stackwalk to an empty signature. Reads ``mdsw_status_string``; rewrites ``signature``."""

    def predicate(self, crash: Crash) -> bool:
        return signature_of(crash).startswith("EMPTY")

    def action(self, crash: Crash) -> bool:
        status = crash.processed.get("mdsw_status_string")
        if not isinstance(status, str):
            return False
        crash.processed["signature"] = f"{signature_of(crash)}; {status}"
        return True


class OOMSignature(Rule):
    """Mark the signature of a crash that ran out of memory with the size of the allocation that failed.

    If even a small allocation failed, all memory was used up, and the stack, which says nothing about the cause, is
    left out. Reads ``raw.OOMAllocationSize``; rewrites ``signature``, and keeps the old one as ``original_signature``;
    notes a size that is not a number, and keeps the signature.
    """

    frames = ("NS_ABORT_OOM", "mozalloc_handle_oom", "CrashAtUnhandlableOOM", "AutoEnterOOMUnsafeRegion")
    """Functions that are called when no memory is left."""
    small = 256 * 1024
    """Bytes; an allocation up to this size is small."""

    def predicate(self, crash: Crash) -> bool:
        return "OOMAllocationSize" in crash.raw or any(frame in signature_of(crash) for frame in self.frames)

    def action(self, crash: Crash) -> bool:
        signature = crash.processed["original_signature"] = signature_of(crash)
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
        signature = crash.processed["original_signature"] = signature_of(crash)
        message = without_place(_text(crash, "AbortMessage"))
        parts = ("Abort", signature) if message is None else ("Abort", truncate(message, self.maximum), signature)
        crash.processed["signature"] = DELIMITER.join(parts)
        return True


class SignatureIPCChannelError(Rule):
    """Sign a crash that was caused on purpose, because of an IPC channel error, by that error alone.

    The stack is that of whatever code was running. Reads ``raw.ipc_channel_error``, ``raw.additional_minidumps``;
    rewrites ``signature``, and notes the old one.
    """

    maximum = 100

    def predicate(self, crash: Crash) -> bool:
        return bool(_text(crash, "ipc_channel_error"))

    def action(self, crash: Crash) -> bool:
        process = "browser" if crash.raw.get("additional_minidumps") == "browser" else "content"
        error = _text(crash, "ipc_channel_error")[: self.maximum]
        crash.note(f"the signature is that of an IPC channel error; it was: {signature_of(crash)}")
        crash.processed["signature"] = f"IPCError-{process} | {error}"
        return True


def signature_of(crash: Crash) -> str:
    """Return the signature as the rules before left it."""
    signature: str = crash.processed["signature"]
    return signature


def _text(crash: Crash, annotation: str) -> str:
    """Return the text of an annotation; empty if it is absent or has no text."""
    return as_text(crash.raw.get(annotation)) or ""
