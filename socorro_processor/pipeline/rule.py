"""A rule looks at one crash and changes its raw or its processed crash."""

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
    """The annotations that the client sent; nothing of them is to be trusted."""
    dumps: Mapping[str, Path] = field(default_factory=dict)
    """Name of each dump, to the file that holds it for as long as the rules run."""
    processed: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What ends up in ``processor_notes``: for people who read the crash."""
    temporary_directory: Path | None = None
    """Where a rule may put files; removed with all that is in it once the crash is done."""

    def note(self, text: str) -> None:
        """Tell the reader of the crash something about how it was processed."""
        self.notes.append(text)


class Rule(RequiredConfig):
    """The base of all rules: override ``action``, and ``predicate`` where it is not for every crash."""

    required_config = Namespace()
    version = "1.0"

    def __init__(self, config: DotDict | None = None) -> None:
        """``config`` holds the values of ``required_config``; None stands for its defaults."""
        self.config = defaults(type(self)) if config is None else config

    @property
    def name(self) -> str:
        return type(self).__name__

    def predicate(self, crash: Crash) -> bool:
        """Whether this rule has something to do with ``crash``."""
        return True

    def action(self, crash: Crash) -> bool | None:
        """Do it. True says that it succeeded, to a rule set that goes on until one does."""
        raise NotImplementedError(f"{self.name} has no action")

    def act(self, crash: Crash) -> tuple[bool, bool | None]:
        """``(False, None)`` where the predicate said no, else ``(True, what the action returned)``.

        Whatever the rule raises is logged and noted, and counts as a no or as an action that
        failed. What is no fault of the crash, memory or space that this machine lacks, leaves it as
        ProcessingEnvironmentError: else one bad machine would make many bad processed crashes.
        """
        try:
            if not self.predicate(crash):
                return (False, None)
        except Exception as error:
            self._failed(crash, "predicate", error)
            return (False, None)
        try:
            return (True, self.action(crash))
        except Exception as error:
            self._failed(crash, "action", error)
            return (True, False)

    def prepare(self, threads: int) -> str:
        """Be told, once and before the first crash, how many crashes are in work at once.

        Returns what an operator should know of what follows from it, or nothing.
        """
        return ""

    def clean_up(self) -> None:
        """Remove what a killed process left. Called once, before the first crash."""

    def check(self) -> None:
        """Raise ProcessingEnvironmentError where this machine lacks what the rule needs."""

    def examine(self) -> str:
        """Tell ``socorro doctor`` how well the rule can work on this machine; log a warning of what is amiss.

        Nothing is changed. Returns nothing where there is nothing to tell.
        """
        return ""

    def reload(self) -> None:
        """Read again what an operator may have changed (SIGHUP), while crashes are processed."""

    def close(self) -> None:
        """Release what the rule holds. Called once, when no crash is processed any more."""

    def _failed(self, crash: Crash, step: str, error: Exception) -> None:
        raise_if_of_this_machine(error, f"rule {self.name}")
        METRICS.increment("rule.failed", rule=self.name)
        logger.error("%s: rule %s failed in its %s: %s", crash.id, self.name, step, stack_of(error))
        crash.note(f"rule {self.name} failed in its {step}: {type(error).__name__}")
