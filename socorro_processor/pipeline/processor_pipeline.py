"""The pipeline: it turns a raw crash and its dumps into a processed crash, whatever the rules do."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import socorro_processor
from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError, raise_if_of_this_machine
from socorro_processor.monitoring.log import stack_of
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.pipeline.rule_sets import RuleSets, rule_sets_converter
from socorro_processor.stackwalk.deep_stacks import cut_deep_stacks

logger = logging.getLogger(__name__)

FAILED_SIGNATURE = "EMPTY: crash failed to process"
_EARLIER_NOTES_LIMIT = 10_000  # characters
_EARLIER_NOTES_MARK = ">>> "


def _now() -> datetime:
    return datetime.now(UTC)


class ProcessorPipeline(RequiredConfig):
    """Applies the configured rule sets in order. Threads may share it."""

    required_config = Namespace()
    required_config.add_option(
        "rule_sets",
        default="[]",
        doc="the rule sets, in order: a list, in JSON or Python, of names of default rule sets, or of "
        "[name, tag, rule system class, way to apply, rule classes]; +[...] adds a list to the default one",
        from_string_converter=rule_sets_converter(),
    )
    required_config.add_option(
        "processor_name",
        default="",
        doc="name at the beginning of each crash's notes, to tell where it was processed (empty: host name and pid)",
    )

    algorithm: int | None = None
    """The year in ``processing.algorithm``, which tells the fields of a processed crash; None for those of 2015."""

    def __init__(self, config: DotDict, now: Callable[[], datetime] = _now) -> None:
        self.name = config.processor_name or f"{socket.gethostname()}:{os.getpid()}"
        self._now = now
        rule_sets: RuleSets = config.rule_sets
        self._systems = [(rule_set.way, rule_set.build(config)) for rule_set in rule_sets.rule_sets]

    def process_crash(
        self,
        crash_id: str,
        raw_crash: dict[str, Any],
        dumps: Mapping[str, Path],
        *,
        earlier: Mapping[str, Any] | None = None,
        notes: list[str] | None = None,
        attempt: int = 1,
        temporary_directory: Path | None = None,
    ) -> Crash:
        """Run all rule sets on a crash. They change ``raw_crash`` itself.

        ``earlier`` is the earlier result; ``notes`` are about the fetching of the crash. Raises only
        ProcessingEnvironmentError.
        """
        # A stranger's annotation of that name must not decide under which id the crash is saved.
        raw_crash["uuid"] = crash_id
        crash = Crash(crash_id, raw_crash, dumps, temporary_directory=temporary_directory)
        crash.notes += [self.name, type(self).__name__, *(notes or [])]
        if earlier:
            crash.note(f"earlier processing: {earlier.get('started_datetime')}")
        started = self._now().isoformat()
        crash.processed.update(
            uuid=crash_id,
            success=False,
            started_datetime=started,
            startedDateTime=started,
            signature=FAILED_SIGNATURE,
        )
        crash.processed["processing"] = {
            "processor_version": socorro_processor.__version__,
            "missing_symbols": [],
            "durations": {},
            "attempt": attempt,
            **({"algorithm": self.algorithm} if self.algorithm else {}),
        }
        crash.processed["success"] = self._apply(crash) and self.is_success(crash)
        _cut_deep_stacks(crash.processed)
        completed = self._now().isoformat()
        crash.processed.update(uuid=crash_id, completed_datetime=completed, completeddatetime=completed)
        crash.processed["processor_notes"] = "; ".join(crash.notes) + _earlier_notes(earlier)
        return crash

    def is_success(self, crash: Crash) -> bool:
        """Return True if a crash whose rule sets all ran counts as processed with success."""
        return True

    def prepare(self, threads: int) -> list[str]:
        """Tell every rule how many crashes are in work at once. Return the consequences that rules report."""
        return [report for rule in self._rules() if (report := rule.prepare(threads))]

    def clean_up(self) -> None:
        """Have every rule remove the files that a killed process left."""
        for rule in self._rules():
            rule.clean_up()

    def check(self) -> None:
        """Raise ProcessingEnvironmentError, with the messages of all rules, if this machine lacks what they need."""
        problems: dict[str, None] = {}  # in order, each once
        for rule in self._rules():
            try:
                rule.check()
            except ProcessingEnvironmentError as error:
                problems[str(error)] = None
        if problems:
            raise ProcessingEnvironmentError("; ".join(problems))

    def examine(self) -> list[str]:
        """Return what the rules report about their work on this machine; problems are logged as warnings."""
        return [report for rule in self._rules() if (report := rule.examine())]

    def reload(self) -> bool:
        """Have every rule read again what an operator may have changed: signature lists, reference data.

        A rule that cannot use it keeps what it had; the error is logged. Return True if there was none.
        """
        succeeded = True
        for rule in self._rules():
            try:
                rule.reload()
            except (ConfigurationError, ProcessingEnvironmentError) as error:
                succeeded = False
                logger.error("rule %s keeps what it had: %s", rule.name, error)
            except Exception:
                succeeded = False
                logger.exception("rule %s keeps what it had", rule.name)
        return succeeded

    def close(self) -> None:
        """Close every rule; errors are logged."""
        for _, system in self._systems:
            try:
                system.close()
            except Exception:
                logger.exception("rule set %s could not be closed", system.name)

    def _rules(self) -> Iterator[Rule]:
        return (rule for _, system in self._systems for rule in system.rules)

    def _apply(self, crash: Crash) -> bool:
        for way, system in self._systems:
            try:
                getattr(system, way)(crash)
            except Exception as error:
                raise_if_of_this_machine(error, f"rule set {system.name}")
                logger.error("%s: rule set %s failed: %s", crash.id, system.name, stack_of(error))
                crash.note(f"rule set {system.name} failed: {type(error).__name__}")
                return False
        return True


def _cut_deep_stacks(processed: Mapping[str, Any]) -> None:
    """Cut the deep stacks of all minidumps. Called after all rules: signatures may need any number of frames."""
    for result in (processed, *processed.values()):
        if isinstance(result, Mapping):
            cut_deep_stacks(result.get("json_dump"))


def _earlier_notes(earlier: Mapping[str, Any] | None) -> str:
    """Return the last run's own notes, to put behind this run's, without those of the runs before it."""
    text = str((earlier or {}).get("processor_notes") or "").split(_EARLIER_NOTES_MARK)[0]
    return f"; {_EARLIER_NOTES_MARK}{text[:_EARLIER_NOTES_LIMIT]}" if text else ""
