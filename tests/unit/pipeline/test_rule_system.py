"""The five ways to apply rules, and what happens if a rule fails."""

from __future__ import annotations

import pytest

from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.monitoring.metrics import METRICS, Durations
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.pipeline.rule_system import TransformRuleSystem


class Told(Rule):
    """Does what it is told, and records the call."""

    def __init__(self, name: str, predicate: bool | Exception = True, action: bool | Exception | None = True) -> None:
        super().__init__()
        self.label, self.says, self.does = name, predicate, action
        self.closed = False

    def predicate(self, crash: Crash) -> bool:
        crash.note(self.label)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def action(self, crash: Crash) -> bool | None:
        if isinstance(self.does, Exception):
            raise self.does
        return self.does

    def close(self) -> None:
        self.closed = True


class CannotBeClosed(Told):
    def close(self) -> None:
        raise OSError("busy")


@pytest.fixture
def crash() -> Crash:
    return Crash(id="00000000-0000-4000-8000-000000161123", raw={})


NO = {"predicate": False}
FAILS = {"action": False}
BROKEN_PREDICATE = {"predicate": ValueError()}
BROKEN_ACTION = {"action": ValueError()}
SUCCEEDS: dict[str, object] = {}


@pytest.mark.parametrize(
    ("way", "rules", "applied", "result"),
    [
        ("apply_all_rules", [NO, FAILS, BROKEN_PREDICATE, BROKEN_ACTION, SUCCEEDS], "abcde", True),
        ("apply_all_rules", [], "", True),
        ("apply_until_action_succeeds", [NO, FAILS, SUCCEEDS, SUCCEEDS], "abc", True),
        ("apply_until_action_succeeds", [BROKEN_PREDICATE, BROKEN_ACTION, NO], "abc", False),
        ("apply_until_action_fails", [SUCCEEDS, NO, FAILS, SUCCEEDS], "abc", True),
        ("apply_until_action_fails", [SUCCEEDS, BROKEN_ACTION, SUCCEEDS], "ab", True),
        ("apply_until_action_fails", [SUCCEEDS, BROKEN_PREDICATE, SUCCEEDS], "abc", False),
        ("apply_until_action_fails", [{"action": None}, SUCCEEDS], "a", True),
        ("apply_until_predicate_succeeds", [NO, BROKEN_PREDICATE, FAILS, SUCCEEDS], "abc", True),
        ("apply_until_predicate_succeeds", [NO, NO], "ab", False),
        ("apply_until_predicate_fails", [SUCCEEDS, FAILS, NO, SUCCEEDS], "abc", True),
        ("apply_until_predicate_fails", [SUCCEEDS, BROKEN_PREDICATE, SUCCEEDS], "ab", True),
        ("apply_until_predicate_fails", [SUCCEEDS, BROKEN_ACTION], "ab", False),
    ],
)
def test_a_way_of_applying_rules_stops_as_its_name_says_and_returns_its_success(way, rules, applied, result, crash):
    system = TransformRuleSystem(Told(name, **rule) for name, rule in zip("abcdefg"[: len(rules)], rules, strict=True))

    assert getattr(system, way)(crash) is result
    assert "".join(note for note in crash.notes if len(note) == 1) == applied


@pytest.mark.parametrize(
    "rule", [{"predicate": ProcessingEnvironmentError()}, {"action": ProcessingEnvironmentError()}]
)
def test_an_error_of_the_machine_passes_through_and_ends_the_list(rule, crash):
    system = TransformRuleSystem([Told("a", **rule), Told("b")])

    with pytest.raises(ProcessingEnvironmentError):
        system.apply_all_rules(crash)
    assert crash.notes == ["a"]


def test_each_applied_rule_is_timed_even_if_it_raises(crash):
    class Raises(Told): ...

    class Later(Told): ...

    def times(rule: type[Rule]) -> int:
        return METRICS.snapshot().durations.get(("rule", (("rule", rule.__name__),)), Durations()).count

    rules = [Told, Raises, Later]
    before = [times(rule) for rule in rules]
    system = TransformRuleSystem([Told("a", **NO), Raises("b", action=ProcessingEnvironmentError()), Later("c")])

    with pytest.raises(ProcessingEnvironmentError):
        system.apply_all_rules(crash)
    assert [times(rule) - count for rule, count in zip(rules, before, strict=True)] == [1, 1, 0]


def test_all_rules_are_closed_even_after_one_that_cannot_be():
    rules = [Told("a"), CannotBeClosed("b"), Told("c")]
    system = TransformRuleSystem(rules, name="support")

    with pytest.raises(ExceptionGroup, match="rules of support could not be closed") as raised:
        system.close()
    assert [rule.closed for rule in rules] == [True, False, True]
    assert raised.value.exceptions[0].__notes__ == ["while closing rule CannotBeClosed of support"]
