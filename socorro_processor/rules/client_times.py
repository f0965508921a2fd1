"""The times of a crash, which each kind of client sends in another way."""

from __future__ import annotations

from socorro_processor.fields.values import NotOfType, integer, number
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.annotations import integer as whole_number
from socorro_processor.rules.dates_and_times import TIMES, DatesAndTimesRule
from socorro_processor.rules.sent_annotations import note_once, sent

_ANNOTATIONS = ("submitted_timestamp", "CrashTime", "timestamp", "StartupTime", "InstallTime")
_MILLISECONDS = "ptime"
_LONGEST_UPTIME = 2**53


class ClientTimesRule(DatesAndTimesRule):
    """Work out the times of the crash, as DatesAndTimesRule does, but the uptime from more sources.

    It is the time since ``raw.StartupTime``, else ``raw.ptime`` (milliseconds), else ``json_dump.process_uptime``, else
    0. Writes the same fields but ``last_crash``; notes the same, and a bad ``ptime``.
    """

    def action(self, crash: Crash) -> bool:
        times = Crash(crash.id, {name: sent(crash, name) for name in _ANNOTATIONS}, notes=crash.notes)
        super().action(times)
        times.processed.pop("last_crash")  # the table of fields has it
        crash.processed.update(times.processed)
        startup = whole_number(sent(crash, "StartupTime"))
        if startup is None or startup not in TIMES:
            crash.processed["uptime"] = _uptime(crash)
        return True


def _uptime(crash: Crash) -> int:
    """Return the seconds that the program ran, by its own count or the system's; 0 if they are not known."""
    if (milliseconds := sent(crash, _MILLISECONDS)) is not None:
        try:
            if 0 <= (count := number(milliseconds)) <= _LONGEST_UPTIME:
                return int(count) // 1000
        except NotOfType:
            pass
        note_once(crash, f"{_MILLISECONDS} is left out: it is not a number of milliseconds")
    json_dump = crash.processed.get("json_dump")
    seconds = json_dump.get("process_uptime") if isinstance(json_dump, dict) else None
    try:
        return 0 if seconds is None else max(0, integer(seconds))
    except NotOfType:
        return 0
