"""Every name in the tables can be used."""

import pytest

from socorro_processor.configuration import class_converter
from socorro_processor.configuration.class_names import FORMER_NAMES, OLD_NAMES
from socorro_processor.pipeline.mozilla_2015 import RULE_SETS
from socorro_processor.pipeline.rule_sets import rule_sets_converter


@pytest.mark.parametrize("name", OLD_NAMES)
def test_a_name_of_2016_is_a_class_here(name):
    assert isinstance(class_converter(name), type)


@pytest.mark.parametrize("name", FORMER_NAMES)
def test_a_name_of_an_earlier_version_is_a_class_today(name):
    assert isinstance(class_converter(name), type)


def test_the_default_rule_sets_are_rule_sets():
    assert [each.name for each in rule_sets_converter(RULE_SETS)('["processed_transform"]').rule_sets] == [
        "processed_transform"
    ]
