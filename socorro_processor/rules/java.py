"""The rule for stacks of Java and Kotlin, of which everyone may see everything except the messages."""

from __future__ import annotations

from typing import Any

from socorro_processor.fields import FIELDS_BY_NAME
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.sent_annotations import first_sent
from socorro_processor.signature.java_lines import read_lines

MALFORMED = "malformed"
"""Replaces a text that is not a Java stack: any of its words may be a user's data."""
_MESSAGE = "value"
"""The key of the message in a structured exception."""


class JavaStackRule(Rule):
    """Keep the Java stack and the structured Java exception as they were sent, and without messages.

    Reads the annotations of its fields; writes ``java_stack_trace_raw``, ``java_stack_trace``, ``java_exception_raw``,
    ``java_exception``; notes what is not of its form.
    """

    def action(self, crash: Crash) -> bool:
        stack = first_sent(crash, FIELDS_BY_NAME["java_stack_trace_raw"].annotations)
        if stack is not None:
            lines = read_lines(stack)
            if lines is None:
                crash.note("the Java stack is not in the form of one")
            crash.processed["java_stack_trace_raw"] = stack
            crash.processed["java_stack_trace"] = MALFORMED if lines is None else "\n".join(map(str, lines))
        exception = first_sent(crash, FIELDS_BY_NAME["java_exception_raw"].annotations, "object")
        if exception is not None:
            crash.processed["java_exception_raw"] = exception
            if _is_structured(exception):
                crash.processed["java_exception"] = _without_values(exception)
            else:
                crash.note("JavaException is not shown to everyone: it has no exception.values, a list of objects")
        return True


def _is_structured(exception: dict[str, Any]) -> bool:
    inner = exception.get("exception")
    values = inner.get("values") if isinstance(inner, dict) else None
    return isinstance(values, list) and bool(values) and all(isinstance(value, dict) for value in values)


def _without_values(value: Any) -> Any:
    """Return a copy without messages. JSON that was read is at most 200 levels deep."""
    if isinstance(value, dict):
        return {key: _without_values(item) for key, item in value.items() if key != _MESSAGE}
    if isinstance(value, list):
        return [_without_values(item) for item in value]
    return value
