"""The table of rules that accept, defer, reject and share."""

from __future__ import annotations

import json

import pytest

from socorro_processor.collector.throttling import Decision, ThrottleRules, read_rules

RULES = [
    {"name": "old", "when": {"version": ["102.*", "91.0"]}, "then": "reject"},
    {"name": "release", "when": {"product": "Browser", "release_channel": "release"}, "then": "share", "percent": 10},
    {"name": "no product", "when": {"product": None}, "then": "defer"},
    {"name": "noise", "when": {"Own": "*"}, "then": "share", "percent": 50, "rest": "reject"},
    {"name": "all others", "then": "accept"},
]


@pytest.mark.parametrize(
    ("annotations", "draw", "decision"),
    [
        ({"ProductName": "Browser", "Version": "102.15"}, 0, Decision("reject", "old")),
        ({"ProductName": "Browser", "ver": "91.0"}, 0, Decision("reject", "old")),
        ({"ProductName": "Browser", "Version": "91.01"}, 0, Decision("accept", "all others")),
        ({"prod": "Browser", "channel": "release"}, 9.9, Decision("accept", "release")),
        ({"prod": "Browser", "channel": "release"}, 10, Decision("defer", "release")),
        ({"prod": "Browser", "channel": "beta"}, 99, Decision("accept", "all others")),
        ({}, 0, Decision("defer", "no product")),
        ({"ProductName": " "}, 0, Decision("defer", "no product")),
        ({"prod": "x", "Own": "1"}, 49, Decision("accept", "noise")),
        ({"prod": "x", "Own": "1"}, 51, Decision("reject", "noise")),
        ({"prod": "x", "Own": ""}, 51, Decision("accept", "all others")),
        ({"prod": "x", "Own": {"a": 1}}, 51, Decision("accept", "all others")),
        ({"prod": "x", "Own": 5}, 51, Decision("reject", "noise")),
    ],
)
def test_the_first_rule_that_fits_decides(annotations, draw, decision):
    assert read_rules(json.dumps(RULES)).decide(annotations, draw) == decision


def test_without_rules_everything_is_accepted():
    assert ThrottleRules().decide({}, 99) == read_rules("").decide({}, 99) == Decision("accept", "accept_all")


@pytest.mark.parametrize(
    ("annotations", "rule"),
    [
        ({"Throttleable": "0"}, "throttleable_0"),
        ({"Throttleable": 0}, "throttleable_0"),
        ({"Comments": "it broke"}, "has_comments"),
        ({"comments": "it broke"}, "has_comments"),
        ({"comments_": "it broke"}, "has_comments"),
        ({"Throttleable": "1"}, ""),
        ({"Comments": " "}, ""),
    ],
)
def test_what_says_so_and_what_has_a_comment_passes_all_rules(annotations, rule):
    rules = read_rules('[{"name": "none", "then": "reject"}]')
    assert rules.decide(annotations, 0) == (Decision("accept", rule) if rule else Decision("reject", "none"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "a JSON array of rules"),
        ("{}", "a JSON array of rules"),
        ("[1]", "an array of JSON objects: rule 1 is none"),
        ('[{"name": "a", "then": "accept"}, {"name": "a", "then": "defer"}]', "names that are all different"),
        ('[{"then": "accept"}]', "rule 1: a name of"),
        ('[{"name": "a\\nb", "then": "accept"}]', "rule 1: a name of"),
        ('[{"name": "a"}]', "rule a: 'then' is one of accept, defer, reject, share"),
        ('[{"name": "a", "then": []}]', "rule a: 'then' is one of"),
        ('[{"name": "a", "then": "share"}]', "rule a: 'percent' belongs to 'share'"),
        ('[{"name": "a", "then": "accept", "percent": 5}]', "rule a: 'percent' belongs to 'share'"),
        ('[{"name": "a", "then": "share", "percent": 101}]', "rule a: 'percent' is a number from 0 to 100"),
        ('[{"name": "a", "then": "share", "percent": true}]', "rule a: 'percent' is a number from 0 to 100"),
        ('[{"name": "a", "then": "share", "percent": 5, "rest": "accept"}]', "rule a: 'rest' is defer or reject"),
        ('[{"name": "a", "then": "accept", "when": []}]', "rule a: 'when' is an object"),
        ('[{"name": "a", "then": "accept", "when": {"b": 1}}]', "rule a: 'b' is a text, null, or a list of these"),
        ('[{"name": "a", "then": "accept", "when": {"b": []}}]', "rule a: 'b' is a text, null, or a list of these"),
        ('[{"name": "a", "then": "accept", "if": {}}]', "rule 1: there is no 'if'"),
    ],
)
def test_a_table_that_cannot_be_meant_says_which_rule_and_why(text, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        read_rules(text)
    assert words in str(error.value)
