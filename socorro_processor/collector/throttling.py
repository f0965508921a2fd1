"""Rules that say which crashes are processed, kept for later, or not taken at all; all are processed by default.

The option ``collector.throttle_rules`` is a table in JSON. The first rule that fits a crash decides::

    [
      {"name": "old versions",  "when": {"version": ["102.*", "91.*"]},     "then": "reject"},
      {"name": "release",       "when": {"product": "Browser",
                                         "release_channel": "release"},     "then": "share", "percent": 10},
      {"name": "no product",    "when": {"product": null},                  "then": "defer"}
    ]

- ``when``: annotations, or fields of the table of fields that come from annotations, and their values: one text or a
  list of texts. A text that ends with ``*`` fits each value that begins so; ``null`` fits where there is no value. All
  must fit; a rule without ``when`` fits every crash.
- ``then``: ``accept``; ``defer``: stored, but processed only when somebody asks for it; ``reject``: the client is told
  so, and nothing is kept; ``share``: ``percent`` of 100 crashes are accepted, and of the others happens what ``rest``
  says, ``defer`` (the default) or ``reject``.

Two crashes pass whatever the rules say: one that says ``Throttleable=0``, and one in which a user wrote a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from socorro_processor.crash_id import ACCEPTED, DEFERRED
from socorro_processor.fields import FIELDS_BY_NAME

Result = Literal["accept", "defer", "reject"]
Then = Literal["accept", "defer", "reject", "share"]

DIGITS: Mapping[Result, str] = {"accept": ACCEPTED, "defer": DEFERRED}
"""The throttle digit of the crash id by the decision; a rejected upload has no id."""

_COMMENTS = (*FIELDS_BY_NAME["user_comments"].annotations, "comments_")
"""The annotations that hold a user's comment; the last is that of Breakpad on Linux."""

_KEYS = frozenset(("name", "when", "then", "percent", "rest"))
_NAME = re.compile(r"[A-Za-z0-9_. -]{1,60}", re.ASCII)


@dataclass(frozen=True)
class Decision:
    """The fate of a crash, and the rule that says so."""

    result: Result
    rule: str


@dataclass(frozen=True)
class ThrottleRule:
    """A row of the table."""

    name: str
    when: Mapping[str, tuple[str | None, ...]]
    then: Then
    percent: float = 100.0
    rest: Result = "defer"

    def fits(self, annotations: Mapping[str, Any]) -> bool:
        return all(_fits(_value(annotations, name), patterns) for name, patterns in self.when.items())

    def result(self, draw: float) -> Result:
        if self.then != "share":
            return self.then
        return "accept" if draw < self.percent else self.rest

    @property
    def results(self) -> set[Result]:
        """The decisions that the rule can make."""
        return {"accept", self.rest} if self.then == "share" else {self.then}


@dataclass(frozen=True)
class ThrottleRules:
    """The table of rules. It never changes: threads may share it."""

    rules: tuple[ThrottleRule, ...] = ()

    def decide(self, annotations: Mapping[str, Any], draw: float) -> Decision:
        """Return what becomes of a crash. ``draw`` is its lot, from 0 to below 100."""
        if _value(annotations, "Throttleable").strip() == "0":
            return Decision("accept", "throttleable_0")
        if any(_value(annotations, name).strip() for name in _COMMENTS):
            return Decision("accept", "has_comments")
        for rule in self.rules:
            if rule.fits(annotations):
                return Decision(rule.result(draw), rule.name)
        return Decision("accept", "accept_all")

    @property
    def rejecting(self) -> list[str]:
        """The names of the rules that reject crashes."""
        return [rule.name for rule in self.rules if "reject" in rule.results]


def read_rules(text: str) -> ThrottleRules:
    """Read the table. Raises ValueError, which says what is wrong with which rule."""
    try:
        rows = json.loads(text or "[]")
    except ValueError as error:
        raise ValueError(f"a JSON array of rules: {error}") from None
    if not isinstance(rows, list):
        raise ValueError("a JSON array of rules")
    rules = tuple(_rule(row, f"rule {number}") for number, row in enumerate(rows, 1))
    if len({rule.name for rule in rules}) < len(rules):
        raise ValueError("rules with names that are all different")
    return ThrottleRules(rules)


def _rule(row: object, where: str) -> ThrottleRule:
    if not isinstance(row, dict):
        raise ValueError(f"an array of JSON objects: {where} is none")
    if unknown := sorted(row.keys() - _KEYS):
        raise ValueError(f"{where}: there is no {unknown[0]!r}, only {', '.join(sorted(_KEYS))}")
    then: Any = row.get("then")
    name, when = row.get("name"), row.get("when", {})
    percent, rest = row.get("percent", 100), row.get("rest", "defer")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{where}: a name of up to 60 letters, digits, spaces, '_', '.' and '-'")
    if then not in get_args(Then):
        raise ValueError(f"rule {name}: 'then' is one of {', '.join(get_args(Then))}")
    if ("percent" in row) != (then == "share") or ("rest" in row and then != "share"):
        raise ValueError(f"rule {name}: 'percent' belongs to 'share', and so does 'rest'")
    if not isinstance(percent, int | float) or isinstance(percent, bool) or not 0 <= percent <= 100:
        raise ValueError(f"rule {name}: 'percent' is a number from 0 to 100")
    if rest not in ("defer", "reject"):
        raise ValueError(f"rule {name}: 'rest' is defer or reject")
    if not isinstance(when, dict):
        raise ValueError(f"rule {name}: 'when' is an object of names and values")
    return ThrottleRule(
        name, {key: _patterns(value, f"rule {name}: {key!r}") for key, value in when.items()}, then, percent, rest
    )


def _patterns(value: object, where: str) -> tuple[str | None, ...]:
    patterns = value if isinstance(value, list) else [value]
    if not patterns or not all(isinstance(each, str | None) for each in patterns):
        raise ValueError(f"{where} is a text, null, or a list of these")
    return tuple(patterns)


def _fits(value: str, patterns: tuple[str | None, ...]) -> bool:
    for pattern in patterns:
        if pattern is None:
            if not value:
                return True
        elif pattern.endswith("*"):
            if value.startswith(pattern[:-1]) and value:
                return True
        elif value == pattern:
            return True
    return False


def _value(annotations: Mapping[str, Any], name: str) -> str:
    """Return the value of an annotation, or of a field: the first of its annotations that is not empty."""
    field = FIELDS_BY_NAME.get(name)
    for annotation in field.annotations if field and field.annotations else (name,):
        value = annotations.get(annotation)
        if value is not None and not isinstance(value, dict | list) and (text := str(value).strip()):
            return text
    return ""
