"""Signatures of Java and Kotlin stacks.

    java.lang.IllegalStateException: Display is taken by Display@5e1f00aa
        at org.mozilla.gecko.GeckoApp.onCreate(GeckoApp.java:1234)

becomes ``java.lang.IllegalStateException: Display is taken by Display@<addr>: at
org.mozilla.gecko.GeckoApp.onCreate(GeckoApp.java)``. Details that differ between crashes or builds are left out.
"""

from __future__ import annotations

import re

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, WholeNumber, defaults
from socorro_processor.signature.c_signature import truncate

NO_STACK = "EMPTY: Java stack trace not in expected format"

_MAXIMUM_LENGTH = 100_000
"""Characters of a stack trace that are read; only its first lines count."""
_LINE_LENGTH = 4096
_OBJECT_ADDRESS = re.compile(r"@[0-9a-fA-F]{8}")
_ADDRESS = "<addr>"
_FRAME = re.compile(r"at [^\s(]+\(.*\)")
"""A frame; a line of the message may begin with `at` too."""
_LINE_NUMBER = re.compile(r":[0-9]+\)$")


class JavaSignatureTool(RequiredConfig):
    """Makes a signature from the first lines of a stack trace: the exception, its message, and the method."""

    required_config = Namespace()
    required_config.add_option(
        "signature_max_len",
        default=255,
        doc="maximum length of a signature; a longer one is made without the exception's message, and then cut",
        from_string_converter=WholeNumber(4),
        reference_value_from="resource.signature",
    )

    def __init__(self, config: DotDict | None = None) -> None:
        self.config = defaults(type(self)) if config is None else config

    def generate(self, stack_trace: object) -> tuple[str, list[str]]:
        """Return the signature, and notes for the reader of the crash."""
        if not isinstance(stack_trace, str):
            return NO_STACK, [f"the Java stack trace is not a string, but {type(stack_trace).__name__}"]
        notes: list[str] = []
        lines = [line.strip()[:_LINE_LENGTH] for line in stack_trace[:_MAXIMUM_LENGTH].splitlines()] or [""]
        exception, colon, message = (part.strip() for part in lines[0].partition(":"))
        if not colon:
            notes.append("line 1 of the Java stack trace has no message behind a colon")
        message = _OBJECT_ADDRESS.sub(f"@{_ADDRESS}", message)
        method = _LINE_NUMBER.sub(")", _method(lines))
        if not method:
            notes.append(f"line 2 of the Java stack trace is {'missing' if len(lines) < 2 else 'empty'}")
        signature = _join(exception, message, method)
        maximum = self.config.signature_max_len
        if len(signature) > maximum:
            notes.append("the message of the Java exception was left out of the signature, which was too long")
            signature = _join(exception, "", method)
        # Quotes are doubled as in the signatures of other stacks.
        signature = signature.replace("'", "''")
        if len(signature) > maximum:
            notes.append(f"signature cut to {maximum} characters")
        return truncate(signature, maximum), notes


def _method(lines: list[str]) -> str:
    """Return the first line that looks like a method; if none does, the second line."""
    return next((line for line in lines[1:] if _FRAME.match(line)), lines[1] if len(lines) > 1 else "")


def _join(exception: str, message: str, method: str) -> str:
    # There has always been a colon between message and method only if the message ends with an address, and today's
    # signatures must equal those of earlier crashes.
    separator = ": " if message.endswith(_ADDRESS) else " "
    return ": ".join(filter(None, (exception, separator.join(filter(None, (message, method))))))
