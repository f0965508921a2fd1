"""The audit has each deed once, whoever else in the process has an audit of its own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from socorro_processor.configuration import RequiredConfig, defaults
from socorro_processor.monitoring import log
from socorro_processor.monitoring.audit import AuditLog


class Logging(RequiredConfig):
    required_config = log.required_config


def test_with_two_audits_of_one_file_each_line_is_written_once(tmp_path: Path) -> None:
    config = defaults(Logging, audit_file=str(tmp_path / "audit"))
    with closing(AuditLog(config)) as first, closing(AuditLog(config)) as second:
        first.write("one", {})
        second.write("two", {})
        first.write("three", {})
    words = [line.split()[2] for line in (tmp_path / "audit").read_text().splitlines()]
    assert words == ["one", "two", "three"]
