"""Rules for the part of the stackwalker's output that is about the crash itself."""

from __future__ import annotations

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import crashing_thread, section


class CrashingThreadRule(Rule):
    """Say which thread crashed, why and where.

    Reads ``json_dump.crash_info``, ``json_dump.crashing_thread``; writes ``crashedThread``,
    ``truncated``, ``address``, ``reason``; notes if the thread is not known.
    """

    def action(self, crash: Crash) -> bool:
        crash_info = section(crash, "crash_info")
        thread = crashing_thread(crash)
        if thread is None:
            crash.note("the stackwalker did not say which thread crashed")
        crash.processed["crashedThread"] = thread
        crash.processed["truncated"] = section(crash, "crashing_thread").get("frames_truncated") or False
        crash.processed["address"] = crash_info.get("address")
        crash.processed["reason"] = crash_info.get("type")
        return True


class ExploitablityRule(Rule):
    """Say how likely it is that the crash can be exploited, as far as the stackwalker can tell.

    Reads ``json_dump.sensitive``; writes ``exploitability``: ``unknown`` if the stackwalker does not say.
    """

    def action(self, crash: Crash) -> bool:
        exploitability = section(crash, "sensitive").get("exploitability")
        if not isinstance(exploitability, str):
            exploitability = "unknown"
        crash.processed["exploitability"] = exploitability
        return True
