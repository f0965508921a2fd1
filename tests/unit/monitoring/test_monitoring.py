"""The dashboard and the alerts name only what exists."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from socorro_processor.monitoring.metric_names import ALL_METRICS
from socorro_processor.monitoring.prometheus import prometheus_name
from tests.shared import REPOSITORY

DASHBOARDS = [json.loads(path.read_text()) for path in sorted((REPOSITORY / "config" / "grafana").iterdir())]
DASHBOARD = next(dashboard for dashboard in DASHBOARDS if dashboard["uid"] == "socorro-processor")
(GROUP,) = yaml.safe_load((REPOSITORY / "config" / "prometheus" / "alerts.yaml").read_text())["groups"]
PAGE = (REPOSITORY / "docs" / "monitoring.rst").read_text()

LABELS = {
    name: {*measured.labels, *(["le"] if ending == "_bucket" else [])}
    for measured in ALL_METRICS
    for ending in (["_bucket", "_sum", "_count"] if measured.kind == "duration" else [""])
    for name in [prometheus_name(measured) + ending]
} | {"up": {"job"}}
EXPRESSIONS = sorted(
    {target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
    | {alert["expr"] for alert in GROUP["rules"]}
)


def labels_in(expression: str) -> Iterator[str]:
    for names in re.findall(r"\bby \(([^)]*)\)", expression):
        yield from names.split(", ")
    for matchers in re.findall(r"{([^}]*)}", expression):
        yield from re.findall(r"(\w+)\s*[=!]", matchers)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_metric_and_label_is_measured(expression):
    names = re.findall(r"\b(?:processor_\w+|up\b)", expression)
    assert names
    assert [name for name in names if name not in LABELS] == []
    assert {*labels_in(expression)} <= set[str]().union(*(LABELS[name] for name in names))


def test_a_legend_shows_labels_of_its_expression():
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert {*re.findall(r"{{(\w+)}}", target["legendFormat"])} <= {*labels_in(target["expr"])}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard["uid"])
def test_panels_lie_beside_each_other_and_have_names_of_their_own(dashboard):
    panels = dashboard["panels"]
    covered = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len({*covered}) == len(covered)
    assert max(x for x, _ in covered) == 23
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("alert", GROUP["rules"], ids=lambda alert: alert["alert"])
def test_each_alert_says_what_is_wrong_and_names_the_page_that_says_what_to_do(alert):
    assert alert["annotations"]["summary"]
    assert alert["labels"]["severity"] in ("page", "ticket")
    page, section = alert["annotations"]["runbook"].split(", ")
    assert page == "docs/monitoring.rst"
    assert f"\n{section}\n{'-' * len(section)}\n\n" in PAGE


def test_no_section_is_left_for_an_alert_that_no_longer_exists():
    sections = re.findall(r"\n(\w+)\n-+\n", PAGE)
    assert sections == [alert["alert"] for alert in GROUP["rules"]]
