"""Rules about the report as it was sent: its names, what the collector added, and what the client said of itself."""

from __future__ import annotations

import re

from socorro_processor.configuration import Namespace
from socorro_processor.fields import FIELDS_BY_NAME
from socorro_processor.fields.values import NotOfType, boolean
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.addons import AddonsRule
from socorro_processor.rules.sent_annotations import first_sent, sent

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_LOG_LENGTH = 4096
_LOG_LINES = 20
_MAY_HOLD_DATA = ("Failed to load module", "byte index", "do not use eval with system privileges")
"""Beginnings of reasons that go on with a text of the user."""
SANITIZED = "sanitized--see moz_crash_reason_raw"


class CrashReportRule(Rule):
    """Say what the report consists of, and what is known of the main dump.

    Reads the names of annotations and dumps, ``raw.metadata``, and the log of the stackwalker; writes
    ``crash_report_keys``, ``collector_metadata``, ``minidump_sha256_hash``, ``mdsw_stderr``; notes names that are left
    out, because they are of other than letters, digits, ``_`` and ``-``.
    """

    required_config = Namespace()
    required_config.add_option("dump_field", default="upload_file_minidump", doc="name of the main minidump")

    def action(self, crash: Crash) -> bool:
        names = {name for name, value in crash.raw.items() if value is not None} | crash.dumps.keys()
        is_good = "" not in names and _NAME.fullmatch("".join(names))
        good = names if is_good else {name for name in names if _NAME.fullmatch(name)}
        if len(good) < len(names):
            crash.note(f"{len(names) - len(good)} names of annotations or dumps are not fit for crash_report_keys")
        crash.processed["crash_report_keys"] = sorted(good)
        metadata = crash.raw.get("metadata")
        if isinstance(metadata, dict):
            crash.processed["collector_metadata"] = metadata
            checksums = metadata.get("dump_checksums")
            checksum = checksums.get(self.config.dump_field) if isinstance(checksums, dict) else None
            if isinstance(checksum, str) and checksum:
                crash.processed["minidump_sha256_hash"] = checksum
        elif metadata is not None:
            crash.note("metadata is left out: it is not an object")
        log = crash.stackwalker_logs.get(self.config.dump_field, "").replace("\0", "").strip()
        if log:
            crash.processed["mdsw_stderr"] = "\n".join(log[-_LOG_LENGTH:].splitlines()[-_LOG_LINES:])
        return True


class MozCrashReasonRule(Rule):
    """Keep the reason that the program gave, and show it to everyone if it holds nothing of a user's.

    Reads ``raw.MozCrashReason``; writes ``moz_crash_reason_raw``, ``moz_crash_reason``.
    """

    def action(self, crash: Crash) -> bool:
        reason = first_sent(crash, FIELDS_BY_NAME["moz_crash_reason_raw"].annotations)
        if reason is None:
            return False
        crash.processed["moz_crash_reason_raw"] = reason
        crash.processed["moz_crash_reason"] = SANITIZED if reason.lstrip().startswith(_MAY_HOLD_DATA) else reason
        return True


class InstalledAddonsRule(AddonsRule):
    """List the add-ons if the client named them, and say whether their compatibility was checked if it said so.

    As AddonsRule, but it writes nothing for an annotation that was not sent; a boolean that is not one is noted.
    """

    def action(self, crash: Crash) -> bool:
        checked = sent(crash, "EMCheckCompatibility")
        if checked is not None:
            try:
                crash.processed["addons_checked"] = boolean(checked)
            except NotOfType as error:
                crash.note(f"EMCheckCompatibility is left out: {error}")
        if self.config.collect_addon and sent(crash, "Add-ons") is not None:
            crash.processed["addons"] = self._addons(crash)
        return True
