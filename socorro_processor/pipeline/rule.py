"""The base class of rules, and the crash that they read and change."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, defaults
from socorro_processor.errors import raise_if_of_this_machine
from socorro_processor.monitoring.log import stack_of
from socorro_processor.monitoring.metrics import METRICS

logger = logging.getLogger(__name__)


@dataclass
class Crash:
    """One crash on its way through the rules."""

    id: str
    raw: dict[str, Any]
    """The annotations that the client sent; none of them can be trusted."""
    dumps: Mapping[str, Path] = field(default_factory=dict)
    """The files of the dumps, by dump name; they exist while the rules run."""
    processed: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """The notes that become ``processor_notes``, for people who read the crash."""
    stackwalker_logs: dict[str, str] = field(default_factory=dict)
    """The end of what the stackwalker logged, by the names of the dumps that were walked."""
    temporary_directory: Path | None = None
    """A directory for files of rules; it is removed, with its content, once the crash is done."""

    def note(self, text: str) -> None:
        """Add a note for the reader of the crash."""
        self.notes.append(text)


class Rule(RequiredConfig):
    """The base of all rules: override ``action``, and ``predicate`` if the rule is not for every crash."""

    required_config = Namespace()
    version = "1.0"

    def __init__(self, config: DotDict | None = None) -> None:
        """``config`` has the values of ``required_config``; None stands for its defaults."""
        self.config = defaults(type(self)) if config is None else config

    @property
    def name(self) -> str:
        return type(self).__name__

    def predicate(self, crash: Crash) -> bool:
        """Return True if this rule has something to do for ``crash``."""
        return True

    def action(self, crash: Crash) -> bool | None:
        """Do the work of the rule. Return True if it succeeded, for rule sets that end with the first success."""
        raise NotImplementedError(f"{self.name} has no action")

    def act(self, crash: Crash) -> tuple[bool, bool | None]:
        """Run the rule. Return ``(False, None)`` if the predicate is false, or ``(True, result of the action)``.

        An error of the rule is logged and noted, and counts as a false predicate or a failed action. Only an error
        that is not the fault of the crash, such as a lack of memory or space, is raised, as
        ProcessingEnvironmentError; otherwise one bad machine would make many bad processed crashes.
        """
        try:
            if not self.predicate(crash):
                return (False, None)
        except Exception as error:
            self._record_failure(crash, "predicate", error)
            return (False, None)
        try:
            return (True, self.action(crash))
        except Exception as error:
            self._record_failure(crash, "action", error)
            return (True, False)

    def prepare(self, threads: int) -> str:
        """Prepare for ``threads`` crashes in work at once. Called once, before the first crash.

        Returns the consequences that an operator should know, or an empty text.
        """
        return ""

    def clean_up(self) -> None:
        """Remove the files that a killed process left. Called once, before the first crash."""

    def check(self) -> None:
        """Raise ProcessingEnvironmentError if this machine lacks what the rule needs."""

    def examine(self) -> str:
        """Return, for ``socorro doctor``, how well the rule can work on this machine, or an empty text.

        It logs a warning for each problem, and changes nothing.
        """
        return ""

    def reload(self) -> None:
        """Read again what an operator may have changed (SIGHUP), while crashes are processed."""

    def close(self) -> None:
        """Release the resources of the rule. Called once, when no crash is processed any more."""

    def _record_failure(self, crash: Crash, step: str, error: Exception) -> None:
        raise_if_of_this_machine(error, f"rule {self.name}")
        METRICS.increment("rule.failed", rule=self.name)
        logger.error("%s: rule %s failed in its %s: %s", crash.id, self.name, step, stack_of(error))
        crash.note(f"rule {self.name} failed in its {step}: {type(error).__name__}")
