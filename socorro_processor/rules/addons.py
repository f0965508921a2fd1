"""The rule that lists the installed add-ons."""

from __future__ import annotations

import re

from socorro_processor.configuration import Namespace
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import text

_NAMES_IN_NOTE = 5
_ENCODED = re.compile("(?:%[0-9A-Fa-f]{2})+")


class AddonsRule(Rule):
    """List the add-ons, each with its version, and say whether their compatibility was checked.

    Reads ``raw.EMCheckCompatibility``, ``raw.Add-ons``; writes ``addons_checked``, ``addons``; notes add-ons
    without a version, and how many are left out if there are very many.
    """

    required_config = Namespace()
    required_config.add_option("collect_addon", default=True, doc="list the add-ons")

    maximum = 1000
    """Add-ons that are kept. People have a few dozen; a crash that claims 100,000 would burden stores."""

    def action(self, crash: Crash) -> bool:
        check = text(crash, "EMCheckCompatibility")
        crash.processed["addons_checked"] = None if check is None else check.lower() == "true"
        if self.config.collect_addon:
            crash.processed["addons"] = self._addons(crash)
        return True

    def _addons(self, crash: Crash) -> list[list[str]]:
        annotation = text(crash, "Add-ons")
        # The last item is the rest of the text, in which add-ons are counted, not read.
        items = annotation.split(",", self.maximum) if annotation else []
        if len(items) > self.maximum:
            left_out = items.pop().count(",") + 1
            crash.note(f"only the first {self.maximum} add-ons are kept, of {self.maximum + left_out}")
        without_version = [item for item in items if ":" not in item]
        if without_version:
            names = ", ".join(f'"{_percent_decode(item)[:60]}"' for item in without_version[:_NAMES_IN_NOTE])
            more = f" and {len(without_version) - _NAMES_IN_NOTE} more" if len(without_version) > _NAMES_IN_NOTE else ""
            crash.note(f"add-ons without a version: {names}{more}")
        return [[_percent_decode(part) for part in item.partition(":")[::2]] for item in items]


def _percent_decode(value: str) -> str:
    """Percent-decode a text; ``+`` becomes a space. urllib's function takes a second for a megabyte of ``%``."""
    return _ENCODED.sub(_decode_run, value.replace("+", " "))


def _decode_run(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace")
