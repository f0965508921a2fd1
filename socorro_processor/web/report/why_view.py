"""Why a crash has its signature, as a page shows it, and the signature that it would get now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from socorro_processor.crashstorage.base import ProcessedCrash, RawCrash
from socorro_processor.report.signature_reasons import (
    deciding_list,
    end_of,
    reasons_for_frame,
    signed_exception,
    why,
    why_java,
)
from socorro_processor.signature.explain import Explanation, JavaExplanation
from socorro_processor.signing.signer import SignedCrash, Signer
from socorro_processor.signing.stored_crashes import crash_to_sign
from socorro_processor.untrusted import plain, text_of
from socorro_processor.web.report.stack_view import FrameName

_LONGEST_TEXT = 500  # characters
_MAXIMUM_EXCEPTIONS = 30


class WhyFrame(NamedTuple):
    anchor: str
    position: int
    part: str
    name: str
    is_signed: bool
    reasons: list[tuple[str, str]]


class BelowFrame(NamedTuple):
    """A frame below the end of the signature."""

    position: int
    name: str
    would_be: str
    """The part that the lists would give it; empty if none has it."""


class WhyRule(NamedTuple):
    rule: str
    because: str
    signature: str


class WhyView(NamedTuple):
    now: str
    """The signature by today's rules and lists."""
    is_changed: bool
    """True if that is not the stored one."""
    thread: str
    frames: list[WhyFrame]
    below: list[BelowFrame]
    exceptions: list[tuple[str, str, bool]]
    """The exceptions of a Java stack: a word, its text, and True for the one that counts."""
    sentences: list[str]
    made: str
    """The signature of the stack."""
    rules_before: list[WhyRule]
    rules: list[WhyRule]
    anchors: Mapping[FrameName, str]
    """The places on the page that explain frames."""
    signed: frozenset[FrameName]
    """The frames that the signature has."""


def why_view(signer: Signer, raw: RawCrash, processed: ProcessedCrash, *, with_facts: bool) -> WhyView:
    """Sign a crash again.

    With ``with_facts`` the rules tell the facts for which they changed the signature; these may be protected.
    """
    crash = crash_to_sign(text_of(processed, "uuid"), raw, processed)
    stored = crash.processed["signature"]
    explained = signer.explain(crash)
    now = crash.processed["signature"]
    rules = [
        WhyRule(plain(each.rule), _cut(each.reason) if with_facts else "", _cut(each.signature))
        for each in explained.rewritings
    ]
    frames = _frames(explained)
    names = [(str(place.thread), place.frame, place.inlined) for place in explained.places]
    exceptions, sentences = _java(explained.java)
    if explained.stack is not None:
        sentences = why(explained.stack)
    made_by = explained.made_by
    return WhyView(
        now=_cut(now),
        is_changed=isinstance(stored, str) and stored not in ("", now),
        thread=explained.thread,
        frames=frames,
        below=_below(explained.stack) if explained.stack is not None else [],
        exceptions=exceptions,
        sentences=[_cut(each) for each in sentences],
        made=rules[made_by].signature if made_by < len(rules) else "",
        rules_before=rules[: made_by + 1] if made_by else [],
        rules=rules[made_by + 1 :],
        anchors={name: frame.anchor for name, frame in zip(names, frames, strict=False)},
        signed=frozenset(name for name, frame in zip(names, frames, strict=False) if frame.is_signed),
    )


def _frames(explained: SignedCrash) -> list[WhyFrame]:
    stack = explained.stack
    if stack is None:
        return []
    return [
        WhyFrame(
            f"why-{position}",
            position,
            stack.frames[position].part.value,
            _cut(stack.frames[position].text or stack.frames[position].name),
            bool(stack.frames[position].text),
            [(label, _cut(text)) for label, text in reasons_for_frame(stack, position)],
        )
        for position in range(end_of(stack))
    ]


def _below(stack: Explanation) -> list[BelowFrame]:
    return [
        BelowFrame(position, _cut(stack.frames[position].name), deciding_list(stack.entries[position]))
        for position in range(end_of(stack), len(stack.frames))
    ]


def _java(java: JavaExplanation | None) -> tuple[list[tuple[str, str, bool]], list[str]]:
    """Return the exceptions of a Java stack, and the sentences about them."""
    if java is None:
        return [], []
    if java.signed is None:
        return [], ["no Java exception could be read, and there is no minidump"]
    signed = signed_exception(java)
    exceptions = [
        ("caused by" if number else "thrown", _cut(str(exception)), number == signed)
        for number, exception in enumerate(java.exceptions)
    ]
    # The last ones tell more: one of them counts.
    return exceptions[-_MAXIMUM_EXCEPTIONS:], [why_java(java)]


def _cut(text: str) -> str:
    return plain(text[:_LONGEST_TEXT]) + ("…" if len(text) > _LONGEST_TEXT else "")
