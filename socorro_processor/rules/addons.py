"""The add-ons that were installed."""

from __future__ import annotations

import re

from socorro_processor.configuration import Namespace
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import text

_TOLD = 5
_ENCODED = re.compile("(?:%[0-9A-Fa-f]{2})+")


class AddonsRule(Rule):
    """List the add-ons, each with its version, and say whether their compatibility was checked.

    Reads ``raw.EMCheckCompatibility``, ``raw.Add-ons``; writes ``addons_checked``, ``addons``; notes add-ons
    without a version, and how many are left out if there are very many.
    """

    required_config = Namespace()
    required_config.add_option("collect_addon", default=True, doc="list the add-ons")

    maximum = 1000
    """The number of add-ons that are kept. People have some dozens; a crash that claims 100,000 would burden stores."""

    def action(self, crash: Crash) -> bool:
        checked = text(crash, "EMCheckCompatibility")
        crash.processed["addons_checked"] = None if checked is None else checked.lower() == "true"
        if self.config.collect_addon:
            crash.processed["addons"] = self._addons(crash)
        return True

    def _addons(self, crash: Crash) -> list[list[str]]:
        annotation = text(crash, "Add-ons")
        # One split more than wanted: the rest behind it is counted, not read.
        items = annotation.split(",", self.maximum) if annotation else []
        if len(items) > self.maximum:
            left_out = items.pop().count(",") + 1
            crash.note(f"of the add-ons the first {self.maximum} are kept, {left_out} left out")
        without_version = [item for item in items if ":" not in item]
        if without_version:
            names = ", ".join(f'"{_decoded(item)[:60]}"' for item in without_version[:_TOLD])
            more = f" and {len(without_version) - _TOLD} more" if len(without_version) > _TOLD else ""
            crash.note(f"add-ons without a version: {names}{more}")
        return [[_decoded(part) for part in item.partition(":")[::2]] for item in items]


def _decoded(text: str) -> str:
    """Percent-decode a text; ``+`` becomes a space. urllib's function takes a second for a megabyte of ``%``."""
    return _ENCODED.sub(_decoded_run, text.replace("+", " "))


def _decoded_run(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace")
