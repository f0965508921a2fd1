"""Rules of 2026 that make the signature from a stack: of Java, or of the thread that crashed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from socorro_processor.configuration import Namespace
from socorro_processor.fields import FIELDS_BY_NAME
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.json_dump import thread_frames
from socorro_processor.rules.signature import SignatureRule, StackSignatureRule, WatchDogSignatureRule
from socorro_processor.signature.c_signature import NO_FRAMES, truncate
from socorro_processor.signature.c_signature_2026 import CSignatureTool2026, frames_of_calls, holders_of
from socorro_processor.signature.explain import JavaExplanation, WalkedFrame
from socorro_processor.signature.frames import MAXIMUM_NAME_LENGTH
from socorro_processor.signature.java_signature import NO_STACK
from socorro_processor.signature.java_stack import (
    JavaException,
    read_exception_object,
    read_printed_exceptions,
    read_printed_stack,
)
from socorro_processor.signature.normal_form import FILE_AND_LINE, one_line
from socorro_processor.stackwalk.result import UNKNOWN_ERROR

NO_EXCEPTION = "EMPTY: Java exception not in expected format"
_OBJECT = "JavaException"
"""The annotation that has an exception as an object."""
_OF_JAVA = (*FIELDS_BY_NAME["java_stack_trace_raw"].annotations, _OBJECT)


class SignatureGenerationRule2026(StackSignatureRule):
    """Make the signature from a Java stack, a Java exception, or the thread that crashed, the first that can be read.

    If no thread is known to have crashed, that is taken to be thread 0. Reads ``raw.JavaStackTrace``,
    ``raw.exception_info``, ``raw.JavaException``, ``json_dump``, ``mdsw_status_string``; writes ``signature``,
    ``processing.siglists_version``, and, except for Java, ``proto_signature`` and ``normalized`` in each frame and
    inlined function; notes what cannot be read.
    """

    required_config = Namespace()
    required_config.namespace("c_signature")
    required_config.c_signature.update(CSignatureTool2026.get_required_config())

    tool_class = CSignatureTool2026

    def java_signature_of(self, crash: Crash) -> tuple[str, list[str]]:
        signature, notes = "", list[str]()
        if crash.raw.keys().isdisjoint(_OF_JAVA):
            return signature, notes
        for (annotation, exception), unreadable in (
            (_java_stack(crash.raw), NO_STACK),
            (_java_exception(crash.raw), NO_EXCEPTION),
        ):
            if exception is not None:
                return str(exception), notes
            if annotation:
                signature = unreadable
                notes.append(f"{annotation} is not in the expected format")
        return ("" if _was_walked(crash) else signature), notes

    def explain_java(self, crash: Crash) -> JavaExplanation:
        for annotation, exception in (_java_stack(crash.raw), _java_exception(crash.raw)):
            if exception is not None:
                printed = crash.raw[annotation] if annotation != _OBJECT else None
                exceptions = read_printed_exceptions(printed) if printed else [exception]
                return JavaExplanation(annotation, tuple(exceptions), exception)
        return JavaExplanation("", (), None)

    def sign_native_stack(self, crash: Crash, thread: int | None) -> str:
        signature = super().sign_native_stack(crash, thread)
        status = crash.processed.get("mdsw_status_string")
        return f"{signature}; {status}" if signature == NO_FRAMES and isinstance(status, str) else signature

    def frames_to_sign(self, crash: Crash, thread: int | None) -> list[dict[str, Any]]:
        frames = frames_of_calls(thread_frames(crash, thread or 0))
        return list(islice(frames, self.c_signature.config.maximum_frames_to_consider))

    def walked_frames(self, crash: Crash, thread: int | None) -> list[WalkedFrame]:
        frames = self.frames_to_sign(crash, thread)
        holders = holders_of(thread_frames(crash, thread or 0))
        return [
            replace(each, text=_as_walked(frame, each), inlined_into=holder)
            for each, frame, holder in zip(super().walked_frames(crash, thread), frames, holders, strict=False)
        ]


class SignatureRunWatchDog2026(WatchDogSignatureRule, SignatureGenerationRule2026):
    """Sign a crash of the watchdog by thread 0, for which it waited.

    Reads ``signature``, and reads and writes the fields that SignatureGenerationRule2026 reads and writes.
    """

    watchdog = "RunWatchdog"


class SigTrunc2026(SignatureRule):
    """Make a signature safe to store and read, whichever rules made it. Reads and writes ``signature``.

    White space becomes one space, control and format characters go, and more than 255 characters are cut.
    """

    maximum = 255

    def reason(self, crash: Crash) -> str:
        if len(one_line(crash.processed["signature"])) > self.maximum:
            return f"it has more than {self.maximum} characters"
        return "it has white space, or characters that cannot be seen"

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = truncate(one_line(crash.processed["signature"]), self.maximum)
        return True


def _was_walked(crash: Crash) -> bool:
    """Return True if there was a minidump, even one that could not be walked."""
    status = crash.processed.get("mdsw_status_string", UNKNOWN_ERROR)
    return crash.processed.get("mdsw_return_code") is not None or status != UNKNOWN_ERROR


def _as_walked(frame: Mapping[str, Any], walked: WalkedFrame) -> str:
    """Return the text of the stackwalker for a frame: where file and line name it, these."""
    is_place = walked.steps[:1] and walked.steps[0].name == FILE_AND_LINE
    return f"{frame['file'][-MAXIMUM_NAME_LENGTH:]}:{frame['line']}" if is_place else walked.text


def _java_stack(raw: Mapping[str, Any]) -> tuple[str, JavaException | None]:
    """Return the name of the annotation with a printed Java stack, empty if there is none, and the exception in it."""
    for annotation in FIELDS_BY_NAME["java_stack_trace_raw"].annotations:
        value = raw.get(annotation)
        if isinstance(value, str):
            if value.strip():
                return annotation, read_printed_stack(value)
        elif value:
            return annotation, None
    return "", None


def _java_exception(raw: Mapping[str, Any]) -> tuple[str, JavaException | None]:
    """Return the name of the annotation with a Java exception as an object, as for a stack."""
    value = raw.get(_OBJECT)
    if isinstance(value, str):
        if not value.strip():
            return "", None
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return _OBJECT, None
    elif not value:
        return "", None
    return _OBJECT, read_exception_object(value)
