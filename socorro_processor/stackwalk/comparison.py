"""Compare two walks of one dump: our stackwalker's and one as minidump-stackwalk makes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from socorro_processor.stackwalk.deep_stacks import cut_deep_stacks

OWN_KEY = "socorro_stackwalk"
"""The key of what only our stackwalker prints."""

_LONGEST_VALUE = 100
"""Characters of a value that a message quotes."""


def comparable(json_dump: Mapping[str, Any]) -> Any:
    """Return a walk's JSON without what differs from run to run or between programs; deep stacks are cut."""
    compared = json.loads(json.dumps({name: value for name, value in json_dump.items() if name != OWN_KEY}))
    cut_deep_stacks(compared)
    limits = compared.get("proc_limits")
    if isinstance(limits, dict) and isinstance(limits.get("limits"), list):
        limits["limits"].sort(key=lambda limit: json.dumps(limit, sort_keys=True))
    for module in compared.get("modules") or ():
        # If a raw crash names several signers of a module, a stackwalker may take any.
        if isinstance(module, dict):
            module.pop("cert_subject", None)
    return compared


def first_difference(reference: Any, other: Any, path: str = "") -> str | None:
    """Return the first difference of two JSON values, ``.threads[0].frames[3].line: 4 != 5``; None if equal."""
    if type(reference) is not type(other):
        return f"{path}: {_shown(reference)} != {_shown(other)}"
    if isinstance(reference, dict):
        for key in sorted(reference.keys() | other.keys()):
            place = f"{path}.{key}" if key.isidentifier() else f"{path}[{key!r}]"
            if key not in other:
                return f"{place}: {_shown(reference[key])} is missing"
            if key not in reference:
                return f"{place}: {_shown(other[key])} is not in the reference"
            if difference := first_difference(reference[key], other[key], place):
                return difference
        return None
    if isinstance(reference, list):
        for number, (one, another) in enumerate(zip(reference, other, strict=False)):
            if difference := first_difference(one, another, f"{path}[{number}]"):
                return difference
        return None if len(reference) == len(other) else f"{path}: {len(reference)} entries != {len(other)}"
    return None if reference == other else f"{path}: {_shown(reference)} != {_shown(other)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
