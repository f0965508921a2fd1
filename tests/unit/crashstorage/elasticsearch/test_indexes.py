"""The names of indexes, which depend on the dates of crash ids."""

from __future__ import annotations

from datetime import date

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.configuration.sources import SourcedValue
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.indexes import WeeklyIndexes
from socorro_processor.errors import ConfigurationError, InvalidCrashID

TODAY = date(2016, 11, 23)


def indexes(**values):
    return WeeklyIndexes(defaults(WeeklyIndexes, **values), None, today=lambda: TODAY)


def named(pattern):
    return indexes(elasticsearch_index=pattern)


@pytest.mark.parametrize(
    ("day", "index"),
    [
        (date(2016, 11, 20), "socorro201646"),
        (date(2016, 11, 21), "socorro201647"),
        (date(2016, 11, 25), "socorro201647"),
        (date(2016, 11, 26), "socorro-other"),
        (date(2015, 10, 20), "socorro201542"),
        (date(2015, 10, 19), "socorro-other"),
        (date(2016, 1, 1), "socorro201600"),
        (date(2099, 12, 31), "socorro-other"),
        (date(2000, 1, 1), "socorro-other"),
    ],
)
def test_the_day_in_its_id_decides_the_index_of_a_crash(day, index):
    assert indexes().index_of(new_crash_id(day)) == index


def test_an_invalid_crash_id_has_no_index():
    for of in (indexes().index_of, indexes().dated_index_of):
        with pytest.raises(InvalidCrashID):
            of("x" * 36)


@pytest.mark.parametrize(
    ("pattern", "template", "patterns"),
    [
        ("socorro%Y%W", "socorro", ["socorro2*", "socorro-other"]),
        ("socorro_stage-%Y-%m-%d", "socorro_stage", ["socorro_stage-2*", "socorro_stage-other"]),
        ("crashes-%y%m.v2", "crashes", ["crashes-*.v2", "crashes-other"]),
        ("crashes%G", "crashes", ["crashes2*", "crashes-other"]),
        ("all", "all", ["all", "all-other"]),
        ("%Y%W", "crashes", ["2*", "crashes-other"]),
    ],
)
def test_names_of_template_and_indexes_follow_the_pattern(pattern, template, patterns):
    assert named(pattern).template == template
    assert named(pattern).patterns() == patterns


@pytest.mark.parametrize("pattern", ["", "Socorro%Y", "a b", "a/b", "-a%Y", "a%B", "a,b", "*", "a" * 300, "a%"])
def test_a_pattern_that_makes_no_name_of_an_index_is_refused(pattern):
    with pytest.raises(ConfigurationError, match=r"such as socorro%Y%W"):
        named(SourcedValue(pattern, "processor.ini"))
