"""An ordered list of rules, and the ways to apply it to a crash."""

from __future__ import annotations

import time
from collections.abc import Iterable

from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.pipeline.rule import Crash, Rule


class TransformRuleSystem:
    """Rules in their order. Threads share it, so a rule must not keep anything of a crash.

    The ways to apply the rules differ in the event that ends the list early. Each returns True if that event happened
    (``apply_all_rules``: always). An error stays within its rule; only ProcessingEnvironmentError passes through, and
    then no further rule is applied.
    """

    def __init__(self, rules: Iterable[Rule], name: str = "") -> None:
        self.rules = tuple(rules)
        self.name = name
        for rule in self.rules:
            METRICS.expect("rule", rule=rule.name)
            METRICS.expect("rule.failed", rule=rule.name)

    def apply_all_rules(self, crash: Crash) -> bool:
        for rule in self.rules:
            self._act(rule, crash)
        return True

    def apply_until_action_succeeds(self, crash: Crash) -> bool:
        return any(self._act(rule, crash)[1] for rule in self.rules)

    def apply_until_action_fails(self, crash: Crash) -> bool:
        """Apply rules until an action fails. An action that was not tried, because of its predicate, did not fail."""
        outcomes = (self._act(rule, crash) for rule in self.rules)
        return any(applied and not result for applied, result in outcomes)

    def apply_until_predicate_succeeds(self, crash: Crash) -> bool:
        return any(self._act(rule, crash)[0] for rule in self.rules)

    def apply_until_predicate_fails(self, crash: Crash) -> bool:
        return any(not self._act(rule, crash)[0] for rule in self.rules)

    def close(self) -> None:
        """Close every rule, even after one that cannot be closed; then raise all errors together."""
        errors = []
        for rule in self.rules:
            try:
                rule.close()
            except Exception as error:
                error.add_note(f"while closing rule {rule.name} of {self.name or 'a rule set'}")
                errors.append(error)
        if errors:
            raise ExceptionGroup(f"rules of {self.name or 'a rule set'} could not be closed", errors)

    def _act(self, rule: Rule, crash: Crash) -> tuple[bool, bool | None]:
        start = time.perf_counter()
        try:
            return rule.act(crash)
        finally:
            METRICS.duration("rule", time.perf_counter() - start, rule=rule.name)
