"""The contract of every rule: an exception in it does not leave it."""

from __future__ import annotations

import errno

import pytest

from socorro_processor.configuration import Namespace, defaults
from socorro_processor.errors import ProcessingEnvironmentError
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.pipeline.rule import Crash, Rule

CRASH_ID = "00000000-0000-4000-8000-000000161123"


@pytest.fixture
def crash() -> Crash:
    return Crash(id=CRASH_ID, raw={"Email": "someone@example.org"})


class Greets(Rule):
    required_config = Namespace()
    required_config.add_option("greeting", default="hello", doc="what is said")

    def predicate(self, crash: Crash) -> bool:
        return "silent" not in crash.raw

    def action(self, crash: Crash) -> bool:
        crash.processed["greeting"] = self.config.greeting
        return True


class TripsInPredicate(Rule):
    def predicate(self, crash: Crash) -> bool:
        raise KeyError(crash.raw["Email"])


class TripsInAction(Rule):
    def action(self, crash: Crash) -> bool:
        raise KeyError(crash.raw["Email"])


def test_a_rule_without_configuration_has_its_defaults(crash):
    assert Greets().act(crash) == (True, True)
    assert crash.processed == {"greeting": "hello"}


def test_a_rule_is_given_the_values_of_its_options(crash):
    Greets(defaults(Greets, greeting="good evening")).act(crash)

    assert crash.processed == {"greeting": "good evening"}


def test_an_action_is_not_taken_if_the_predicate_is_false(crash):
    crash.raw["silent"] = "1"

    assert Greets().act(crash) == (False, None)
    assert crash.processed == {}


@pytest.mark.parametrize(
    ("rule", "outcome", "step"),
    [(TripsInPredicate(), (False, None), "predicate"), (TripsInAction(), (True, False), "action")],
    ids=["predicate", "action"],
)
class TestARuleThatRaises:
    def test_has_said_no_or_failed(self, rule, outcome, step, crash):
        assert rule.act(crash) == outcome

    def test_is_noted_with_its_name_and_the_kind_of_error(self, rule, outcome, step, crash):
        rule.act(crash)

        assert crash.notes == [f"rule {rule.name} failed in its {step}: KeyError"]

    def test_is_counted_by_its_name(self, rule, outcome, step, crash):
        before = METRICS.snapshot().counter("rule.failed", rule=rule.name)
        rule.act(crash)
        assert METRICS.snapshot().counter("rule.failed", rule=rule.name) == before + 1

    def test_is_logged_with_the_crash_id_but_without_anything_of_the_crash(self, rule, outcome, step, crash, caplog):
        rule.act(crash)

        assert CRASH_ID in caplog.text
        assert rule.name in caplog.text
        assert "someone@example.org" not in caplog.text


@pytest.mark.parametrize("step", ["predicate", "action"])
def test_an_error_of_the_machine_leaves_the_rule(step, crash):
    class NoSpace(Rule):
        def action(self, crash: Crash) -> bool:
            return True

    def fail(crash: Crash) -> bool:
        raise ProcessingEnvironmentError("no space left")

    rule = NoSpace()
    setattr(rule, step, fail)
    with pytest.raises(ProcessingEnvironmentError):
        rule.act(crash)
    assert crash.notes == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOSPC, "No space"),
        OSError(errno.EMFILE, "Too many"),
    ],
)
def test_a_lack_of_this_machine_is_not_the_crashs_fault(error):
    class Hungry(Rule):
        def action(self, crash: Crash) -> bool:
            raise error

    with pytest.raises(ProcessingEnvironmentError, match="rule Hungry"):
        Hungry().act(Crash("id", {}))


def test_an_error_of_the_system_that_the_crash_may_cause_is_a_note():
    class Curious(Rule):
        def action(self, crash: Crash) -> bool:
            raise FileNotFoundError(errno.ENOENT, "No such file")

    crash = Crash("id", {})
    assert Curious().act(crash) == (True, False)
    assert crash.notes == ["rule Curious failed in its action: FileNotFoundError"]
