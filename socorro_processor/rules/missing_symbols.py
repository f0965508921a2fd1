"""The rule that lists the symbols that the stackwalker looked for and did not find."""

from __future__ import annotations

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import has_modules, modules


class MissingSymbolsRule(Rule):
    """List the modules whose symbols were missing, so that somebody can get them.

    Reads ``json_dump.modules``; writes ``processing.missing_symbols``: for each module a row ``[debug_file, debug_id,
    filename, code_id]``, of which the last two may be None. The date of all rows is the crash's ``date_processed``.
    Fails with a note if there is no list of modules.
    """

    def action(self, crash: Crash) -> bool:
        rows = [
            [module["debug_file"], module["debug_id"], _text(module.get("filename")), _text(module.get("code_id"))]
            for module in modules(crash)
            if module.get("missing_symbols") and _text(module.get("debug_file")) and _text(module.get("debug_id"))
        ]
        crash.processed.setdefault("processing", {})["missing_symbols"] = rows
        if not has_modules(crash):
            crash.note("no missing symbols: there is no list of modules")
            return False
        return True


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
