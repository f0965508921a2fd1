"""Rule sets from the configuration: the rules, their order, and how they are applied.

Each is a list ``[name, tag, rule system class, way to apply, "rule class, rule class, ..."]``, or the name of one that
the pipeline has by default. A plus sign before the list adds it behind the default rule sets:
``+[["lightbox", "", "", "apply_all_rules", "lightbox_rules.AlbumRule"]]``. The text may be JSON, or Python as in 2016,
with tuples, comments, and strings that continue on the next line. The options of a rule are in the section of its
set: ``processor.raw_transform.ProductRewrite``.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from socorro_processor.configuration import DotDict, Namespace, class_converter, class_name
from socorro_processor.errors import SocorroError
from socorro_processor.pipeline.rule import Rule
from socorro_processor.pipeline.rule_system import TransformRuleSystem

WAYS = (
    "apply_all_rules",
    "apply_until_action_succeeds",
    "apply_until_action_fails",
    "apply_until_predicate_succeeds",
    "apply_until_predicate_fails",
)

_RULE_CLASS_DOC = "the class that does the work of this rule: itself, or one that wraps it"

_ADDITION = "+"

_FORM = '[name, tag, rule system class, way to apply, "rule class, rule class, ..."]'
_EXPECTED = f"a list of rule sets, each {_FORM}, or {_ADDITION} and such a list"


@dataclass(frozen=True)
class RuleSet:
    name: str
    tag: str
    """A label of the processor of 2016; it is kept, but not used."""
    system_class: type[TransformRuleSystem]
    way: str
    rule_classes: tuple[type[Rule], ...]

    @classmethod
    def from_list(cls, items: object) -> RuleSet:
        """Make a rule set from a list of five strings. Raises ValueError, which says which one is wrong and why."""
        if not isinstance(items, (list, tuple)) or len(items) != 5 or not all(isinstance(item, str) for item in items):
            raise ValueError(f"a rule set is a list of five strings, {_FORM}, not {str(items)[:200]!r}")
        name, tag, system_name, way, rule_names = items
        try:
            if not name.isidentifier():
                raise ValueError("its name must consist of letters, digits and '_'")
            system_class = class_converter(system_name) or TransformRuleSystem
            if not issubclass(system_class, TransformRuleSystem):
                raise ValueError(f"{system_name!r} is not a TransformRuleSystem")
            if way not in WAYS:
                raise ValueError(f"{way!r} is not a way to apply rules; there are {', '.join(WAYS)}")
            return cls(name, tag, system_class, way, tuple(_rule_classes(rule_names)))
        except ValueError as error:
            raise ValueError(f"rule set {name!r}: {error}") from error

    def as_list(self) -> list[str]:
        rules = ", ".join(map(class_name, self.rule_classes))
        return [self.name, self.tag, class_name(self.system_class), self.way, rules]

    def build(self, config: DotDict) -> TransformRuleSystem:
        """Make the rules, each with the options of its own section in ``config``, that of the pipeline."""
        sections = [config[self.name][rule_class.__name__] for rule_class in self.rule_classes]
        return self.system_class([section.rule_class(section) for section in sections], name=self.name)


class RuleSets:
    """All rule sets of a pipeline, in order, and the options of all their rules."""

    def __init__(self, rule_sets: list[RuleSet]) -> None:
        self.rule_sets = rule_sets
        self.required_config = Namespace()
        for rule_set in rule_sets:
            namespace = self.required_config.namespace(rule_set.name)
            for rule_class in rule_set.rule_classes:
                namespace.namespace(rule_class.__name__).add_option(
                    "rule_class",
                    default=class_name(rule_class),
                    doc=_RULE_CLASS_DOC,
                    from_string_converter=_rule_class,
                )

    def problems(self, config: DotDict) -> list[str]:
        """Return the problems that keep rules from working on this machine; each rule is made and checked on its own.

        ``config`` is that of the pipeline, which must not be running: resources that rules share may be closed.
        """
        problems: dict[str, None] = {}  # in order, each once
        for rule_set in self.rule_sets:
            for rule_class in rule_set.rule_classes:
                section = config[rule_set.name][rule_class.__name__]
                try:
                    with closing(section.rule_class(section)) as rule:
                        rule.check()
                except SocorroError as error:
                    problems[str(error)] = None
        return list(problems)

    def to_str(self) -> str:
        sets = ",\n".join(json.dumps(rule_set.as_list(), indent=1) for rule_set in self.rule_sets)
        return f"[{sets}]"


def default_rule_sets(rules_by_set: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the six rule sets of an algorithm, as lists. ``rules_by_set`` names their rules, below ``rules``."""
    return [
        [
            name,
            tag,
            class_name(TransformRuleSystem),
            way,
            ", ".join(f"socorro_processor.rules.{rule}" for rule in rules_by_set[name]),
        ]
        for name, tag, way in (
            ("raw_transform", "processor.json_rewrite", "apply_all_rules"),
            ("raw_to_processed_transform", "processor.raw_to_processed", "apply_all_rules"),
            ("processed_transform", "processor.processed", "apply_all_rules"),
            ("support_classifiers", "processor.support_classifiers", "apply_until_action_succeeds"),
            ("jit_classifiers", "processor.jit_classifiers", "apply_all_rules"),
            ("skunk_classifiers", "processor.skunk_classifiers", "apply_until_action_succeeds"),
        )
    ]


def rule_sets_converter(known: Sequence[Sequence[str]] = ()) -> Callable[[str], RuleSets]:
    """Return a converter for a list of rule sets, or of names of ``known`` rule sets, which are the default.

    A list with a plus sign before it is added to the default. The converter raises ValueError.
    """
    by_name = {each[0]: list(each) for each in known}

    def converter(text: str) -> RuleSets:
        text = text.strip()
        is_addition = text.startswith(_ADDITION)
        items = _literal(text.removeprefix(_ADDITION))
        if len(items) == 5 and items[3] in WAYS:
            items = [items]  # a single rule set
        rule_sets = [RuleSet.from_list(by_name.get(item, item) if isinstance(item, str) else item) for item in items]
        names = [rule_set.name for rule_set in rule_sets]
        if is_addition:
            if taken := next((name for name in names if name in by_name), ""):
                raise ValueError(
                    f"rule set {taken!r} is a default one, and {_ADDITION} only adds others; "
                    f"to change it, list all rule sets, without {_ADDITION}"
                )
            rule_sets = [*map(RuleSet.from_list, by_name.values()), *rule_sets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rule sets are named {name!r}")
        return RuleSets(rule_sets)

    return converter


def _literal(text: str) -> Sequence[Any]:
    """Parse a list in Python or JSON. Raises ValueError."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        try:
            # It may be several rule sets without a list around them.
            tree = ast.parse(f"({text}\n)", mode="eval")
        except SyntaxError:
            raise ValueError(f"{_EXPECTED}: {error.msg}, in line {error.lineno}") from error
    try:
        value = ast.literal_eval(tree)
    except (ValueError, TypeError):
        value = None
    if not isinstance(value, (list, tuple)) or not text.strip():
        raise ValueError(_EXPECTED)
    return value


def _rule_class(name: str) -> type[Rule]:
    rule_class = class_converter(name)
    if rule_class is None or not issubclass(rule_class, Rule):
        raise ValueError(f"{name.strip()!r} is not a Rule")
    return rule_class


def _rule_classes(names: str) -> list[type[Rule]]:
    classes: list[type[Rule]] = []
    for name in names.split(","):
        if not name.strip():
            continue  # after a last comma
        rule_class = _rule_class(name)
        if any(other.__name__ == rule_class.__name__ for other in classes):
            raise ValueError(f"two rules are named {rule_class.__name__}")
        classes.append(rule_class)
    return classes
