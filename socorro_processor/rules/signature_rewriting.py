"""Rules that put into a signature what is known of the crash besides its stack.

Each rewrites ``signature`` as the rules before it left it, so that their order matters.
"""

from __future__ import annotations

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import as_text, integer
from socorro_processor.signature.c_signature import truncate


class StackwalkerErrorSignatureRule(Rule):
    """Say in an empty signature what came of the stackwalk. Reads ``mdsw_status_string``; rewrites ``signature``."""

    def predicate(self, crash: Crash) -> bool:
        return _signature(crash).startswith("EMPTY")

    def action(self, crash: Crash) -> bool:
        status = crash.processed.get("mdsw_status_string")
        if not isinstance(status, str):
            return False
        crash.processed["signature"] = f"{_signature(crash)}; {status}"
        return True


class OOMSignature(Rule):
    """Mark a crash that ran out of memory, by how much it wanted.

    Where even a small allocation failed, memory was used up, and it says nothing whose turn it was:
    the stack is left out. Reads ``raw.OOMAllocationSize``; rewrites ``signature``, but where the size is
    no number, and keeps the old one as ``original_signature``; notes a size that is no number.
    """

    frames = ("NS_ABORT_OOM", "mozalloc_handle_oom", "CrashAtUnhandlableOOM", "AutoEnterOOMUnsafeRegion")
    """Functions that are called where no memory was left."""
    small = 256 * 1024
    """Bytes, as many as count as few."""

    def predicate(self, crash: Crash) -> bool:
        return "OOMAllocationSize" in crash.raw or any(frame in _signature(crash) for frame in self.frames)

    def action(self, crash: Crash) -> bool:
        signature = crash.processed["original_signature"] = _signature(crash)
        if "OOMAllocationSize" not in crash.raw:
            crash.processed["signature"] = f"OOM | unknown | {signature}"
            return True
        size = integer(crash.raw["OOMAllocationSize"], digits=100)
        if size is None:
            crash.note("OOMAllocationSize is no number: the signature stays as it was")
            return False
        if size <= self.small:
            crash.processed["signature"] = "OOM | small"
        else:
            crash.processed["signature"] = f"OOM | large | {signature}"
        return True


class AbortSignature(Rule):
    """Put the message with which the program aborted in front.

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
        """The message itself; None where there is none but the place, which changes with every build."""
        if "###!!! ABORT: file " in message:
            return None
        # In front of it stands the process: [Parent 1234] ###!!! ABORT: message: file a.cpp, line 1
        if "###!!! ABORT:" in message:
            message = message.partition("###!!! ABORT:")[2].strip()
        if ": file " in message:
            message = message.partition(": file ")[0].strip()
        return truncate(message, self.maximum)


class SignatureIPCChannelError(Rule):
    """Sign a crash that was brought about because a process could not be talked to by that error alone.

    The stack is that of whoever was running. Reads ``raw.ipc_channel_error``,
    ``raw.additional_minidumps``; rewrites ``signature``, and notes the old one.
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
    """An annotation; empty where it is absent, or is nothing that has a text."""
    return as_text(crash.raw.get(annotation)) or ""
