"""Rules whose times go to statsd, read from a real socket."""

from __future__ import annotations

import pytest

from socorro_processor.configuration import Namespace, class_name, defaults
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.statsd_rule_benchmark import StatsdRuleBenchmarkWrapper


class Greeting(Rule):
    required_config = Namespace()
    required_config.add_option("word", default="hello", doc="what is said")

    def predicate(self, crash):
        return "silent" not in crash.raw

    def action(self, crash):
        if "fails" in crash.raw:
            raise ValueError("fails")
        crash.processed["said"] = self.config.word
        return True

    def prepare(self, threads):
        return f"{self.name} in {threads} threads"

    def check(self):
        raise ProcessingEnvironmentError("cannot speak")

    def examine(self):
        return "Greeting is well"

    def clean_up(self):
        self.config.word = "all clean"

    def reload(self):
        self.config.word = "hello again"

    def close(self):
        self.config.word = "bye"


@pytest.fixture
def rule(statsd_server):
    made = []

    def rule(**options):
        options = {
            "wrapped_object_class": class_name(Greeting),
            "statsd_host": "127.0.0.1",
            "statsd_port": str(statsd_server.port),
            **options,
        }
        made.append(StatsdRuleBenchmarkWrapper(defaults(StatsdRuleBenchmarkWrapper, **options)))
        return made[-1]

    yield rule
    for each in made:
        each.close()


def crash(**annotations):
    return Crash("00000000-0000-0000-0000-000000261123", annotations)


def test_the_wrapped_rule_does_its_work_with_its_options_under_its_name(rule):
    wrapped, seen = rule(word="hi"), crash()
    assert wrapped.act(seen) == (True, True)
    assert seen.processed == {"said": "hi"}
    assert wrapped.name == "Greeting"
    assert wrapped.predicate(crash(silent=1)) is False


def test_acting_is_timed_whether_the_rule_acts_or_not(rule, statsd_server):
    wrapped = rule()
    assert wrapped.act(crash()) == (True, True)
    assert wrapped.act(crash(silent=1)) == (False, None)
    assert len(statsd_server.timings("processor.Greeting.act")) == len(statsd_server.lines()) == 2


def test_predicate_and_action_can_be_timed_separately(rule, statsd_server):
    wrapped = rule(active_list="predicate, action", statsd_prefix="p")
    wrapped.act(crash())
    wrapped.act(crash(silent=1))
    names = [line.partition(":")[0] for line in statsd_server.lines()]
    assert names == ["p.Greeting.predicate", "p.Greeting.action", "p.Greeting.predicate"]


def test_a_rule_that_fails_is_noted_and_timed_as_usual(rule, statsd_server):
    seen = crash(fails=1)
    assert rule(active_list="act, action").act(seen) == (True, False)
    assert seen.notes == ["rule Greeting failed in its action: ValueError"]
    assert len(statsd_server.lines()) == 2


def test_the_rule_is_checked_reloaded_and_closed_through_the_wrapper(rule):
    wrapped = rule()
    assert wrapped.prepare(3) == "Greeting in 3 threads"
    assert wrapped.examine() == "Greeting is well"
    with pytest.raises(ProcessingEnvironmentError, match="cannot speak"):
        wrapped.check()
    seen = crash()
    wrapped.clean_up()
    wrapped.act(seen)
    assert seen.processed == {"said": "all clean"}
    wrapped.reload()
    wrapped.act(seen)
    assert seen.processed == {"said": "hello again"}
    wrapped.close()
    wrapped.act(seen)
    assert seen.processed == {"said": "bye"}


@pytest.mark.parametrize("named", ["", "json.JSONDecoder"])
def test_a_wrapper_around_no_rule_is_a_configuration_error(rule, named):
    with pytest.raises(ConfigurationError, match=r"wrapped_object_class .* is not the class of a rule"):
        rule(wrapped_object_class=named)
