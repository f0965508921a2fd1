"""Rule sets from the configuration: order, options, and messages about wrong ones."""

import json
import re
from contextlib import closing

import pytest

from socorro_processor.configuration import Namespace, class_name, defaults
from socorro_processor.configuration.sources import SourcedValue
from socorro_processor.errors import ConfigurationError
from socorro_processor.pipeline.processor_pipeline import ProcessorPipeline
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.pipeline.rule_sets import rule_sets_converter
from socorro_processor.rules.statsd_rule_benchmark import StatsdRuleBenchmarkWrapper

SYSTEM = "socorro_processor.pipeline.rule_system.TransformRuleSystem"


class Greeting(Rule):
    required_config = Namespace()
    required_config.add_option("word", default="hello", doc="what is said")

    def action(self, crash: Crash) -> bool:
        crash.processed.setdefault("said", []).append(self.config.word)
        return True


class Farewell(Greeting):
    required_config = Namespace()
    required_config.add_option("word", default="bye", doc="what is said")


GREETING = f"{__name__}.Greeting"
FAREWELL = f"{__name__}.Farewell"


def said(rule_sets, **options):
    with closing(
        ProcessorPipeline(defaults(ProcessorPipeline, rule_sets=json.dumps(rule_sets), **options))
    ) as pipeline:
        return pipeline.process_crash("00000000-0000-0000-0000-000000261123", {}, {}).processed.get("said")


def test_rules_run_in_the_order_of_the_configuration():
    assert said([["a", "", SYSTEM, "apply_all_rules", f"{FAREWELL}, {GREETING},"]]) == ["bye", "hello"]


def test_a_rule_has_its_options_in_the_section_of_its_set():
    rule_sets = [["a", "", "", "apply_all_rules", GREETING], ["b", "", "", "apply_all_rules", GREETING]]
    assert said(rule_sets, **{"b.Greeting.word": "hi"}) == ["hello", "hi"]


def test_another_class_may_do_the_work_of_a_rule_such_as_one_that_wraps_it(statsd_server):
    def wrapped(rule, word):
        return {
            f"a.{rule.__name__}.rule_class": class_name(StatsdRuleBenchmarkWrapper),
            f"a.{rule.__name__}.wrapped_object_class": class_name(rule),
            f"a.{rule.__name__}.statsd_host": "127.0.0.1",
            f"a.{rule.__name__}.statsd_port": str(statsd_server.port),
            f"a.{rule.__name__}.word": word,
        }

    rule_sets = [["a", "", "", "apply_all_rules", f"{GREETING}, {FAREWELL}"]]
    assert said(rule_sets, **wrapped(Greeting, "hi"), **wrapped(Farewell, "ciao")) == ["hi", "ciao"]
    for name in ("Greeting", "Farewell"):
        assert len(statsd_server.timings(f"processor.{name}.act")) == 1


def test_a_class_that_is_not_a_rule_cannot_replace_one():
    with pytest.raises(ConfigurationError, match=r"a\.Greeting\.rule_class: .*'json\.JSONDecoder' is not a Rule"):
        said(
            [["a", "", "", "apply_all_rules", GREETING]],
            **{"a.Greeting.rule_class": SourcedValue("json.JSONDecoder", "a.Greeting.rule_class")},
        )


def test_a_set_is_applied_in_its_way():
    assert said([["a", "", "", "apply_until_action_succeeds", f"{GREETING}, {FAREWELL}"]]) == ["hello"]


def test_the_name_of_a_default_set_stands_for_it():
    known = [["a", "", SYSTEM, "apply_all_rules", GREETING], ["b", "", SYSTEM, "apply_all_rules", FAREWELL]]
    converted = rule_sets_converter(known)('["b", "a"]')
    assert [rule_set.as_list() for rule_set in converted.rule_sets] == [known[1], known[0]]
    assert rule_sets_converter()(converted.to_str()).rule_sets == converted.rule_sets


KNOWN = [["a", "tag", SYSTEM, "apply_all_rules", GREETING], ["b", "", SYSTEM, "apply_all_rules", FAREWELL]]
ADDED = ["c", "", SYSTEM, "apply_all_rules", GREETING]


@pytest.mark.parametrize(
    "added",
    [
        f"+{json.dumps([ADDED])}",
        f" +\n {json.dumps([ADDED], indent=4)}\n",
        f"+{json.dumps(ADDED)}",
        f"+[('c', '', '', 'apply_all_rules',  # behind the others\n '{GREETING}',)]",
    ],
)
def test_a_list_behind_a_plus_sign_is_added_to_the_default_sets(added):
    converted = rule_sets_converter(KNOWN)(added)
    assert [rule_set.as_list() for rule_set in converted.rule_sets] == [*KNOWN, ADDED]
    assert rule_sets_converter()(converted.to_str()).rule_sets == converted.rule_sets


def test_an_empty_addition_leaves_the_default_sets():
    assert [rule_set.as_list() for rule_set in rule_sets_converter(KNOWN)("+[]").rule_sets] == KNOWN


@pytest.mark.parametrize(
    ("rule_sets", "expected"),
    [
        ("+", "or + and such a list"),
        ("++[]", "or + and such a list"),
        ("+{}", "or + and such a list"),
        ('+["c"', "'[' was never closed, in line 1"),
        ('+["c"]', "a rule set is a list of five strings"),
        ('+["a"]', "rule set 'a' is a default one, and + only adds others; to change it, list all"),
        (f'+[["b", "", "", "apply_all_rules", "{GREETING}"]]', "rule set 'b' is a default one"),
        (
            '+[["c", "", "", "apply_all_rules", ""], ["c", "", "", "apply_all_rules", ""]]',
            "two rule sets are named 'c'",
        ),
        ('+[["c", "", "", "apply_all_rules", "no.such.Rule"]]', "rule set 'c': module no.such cannot be imported"),
    ],
)
def test_an_error_behind_a_plus_sign_is_named_with_the_reason(rule_sets, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        rule_sets_converter(KNOWN)(rule_sets)


@pytest.mark.parametrize(
    ("rule_sets", "expected"),
    [
        ("", "a list of rule sets"),
        ("raw_transform", "a list of rule sets"),
        ("{}", "a list of rule sets"),
        ("'text'", "a list of rule sets"),
        ("[__import__('os').abort()]", "a list of rule sets"),
        ("[" * 1000, "a list of rule sets"),
        ('[\n["a", "b" "c"]]]\n', "unmatched ']', in line 2"),
        ('["unknown"]', "a rule set is a list of five strings"),
        ('[["a", "", "", "apply_all_rules"]]', "a rule set is a list of five strings"),
        ('[["a", "", "", "apply_some_rules", ""]]', "rule set 'a': 'apply_some_rules' is not a way to apply rules"),
        ('[["a b", "", "", "apply_all_rules", ""]]', "its name must consist of"),
        ('[["a", "", "json.JSONDecoder", "apply_all_rules", ""]]', "'json.JSONDecoder' is not a TransformRuleSystem"),
        ('[["a", "", "", "apply_all_rules", "json.JSONDecoder"]]', "'json.JSONDecoder' is not a Rule"),
        ('[["a", "", "", "apply_all_rules", "no.such.Rule"]]', "rule set 'a': module no.such cannot be imported"),
        (f'[["a", "", "", "apply_all_rules", "{GREETING}, {GREETING}"]]', "two rules are named Greeting"),
        ('[["a", "", "", "apply_all_rules", ""], ["a", "", "", "apply_all_rules", ""]]', "two rule sets are named 'a'"),
    ],
)
def test_a_rule_set_that_is_wrong_is_named_with_the_reason(rule_sets, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        rule_sets_converter()(rule_sets)


def test_a_wrong_rule_set_is_a_configuration_error():
    with pytest.raises(ConfigurationError):
        defaults(ProcessorPipeline, rule_sets="[1]")
