"""Every metric is in the table of metrics, and the table is in the docs."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from socorro_processor.monitoring.metric_names import ALL_METRICS
from tests.shared import REPOSITORY

PACKAGE = REPOSITORY / "socorro_processor"
KINDS = {"increment": "counter", "gauge": "gauge", "forget": "gauge", "duration": "duration", "timer": "duration"}
OF_JOBS = {"job", "job.ended", "job.removed", "reference.changed", "verify.missing"}
"""Metrics that a processor never reports: the file of a job has only that run's."""


def calls(path: Path) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yield method, name and labels of each call of a registry in a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in {*KINDS, "expect"} or ast.unparse(node.func.value) not in ("METRICS", "self._metrics"):
            continue
        assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: a name that is no literal"
        yield node.func.attr, node.args[0].value, frozenset(str(keyword.arg) for keyword in node.keywords)


@functools.cache
def all_calls() -> set[tuple[str, str, frozenset[str]]]:
    return {each for path in PACKAGE.rglob("*.py") for each in calls(path)}


def test_the_table_has_exactly_the_metrics_and_labels_that_are_measured():
    found = {(KINDS[method], name, labels) for method, name, labels in all_calls() if method in KINDS}
    assert found == {(kind, name, frozenset(labels)) for kind, name, labels, _ in ALL_METRICS}


def test_each_counter_and_duration_of_the_processor_with_labels_is_expected_from_the_start():
    expected = {(name, labels) for method, name, labels in all_calls() if method == "expect"}
    assert expected == {
        (name, frozenset(labels))
        for kind, name, labels, _ in ALL_METRICS
        if labels and kind != "gauge" and name not in OF_JOBS
    }


def test_labels_are_in_the_order_in_which_statsd_has_them():
    assert [each.name for each in ALL_METRICS if list(each.labels) != sorted(each.labels)] == []


def test_the_docs_show_the_table():
    page = (REPOSITORY / "docs" / "metrics.rst").read_text()
    rows = re.findall(r"^(counter|gauge|duration) +``(\S+)`` +(\S+(?:, \S+)*)?  +(\S.*)$", page, re.MULTILINE)
    shown = [(kind, name, tuple(filter(None, labels.split(", "))), meaning) for kind, name, labels, meaning in rows]
    assert shown == [tuple(each) for each in ALL_METRICS]
