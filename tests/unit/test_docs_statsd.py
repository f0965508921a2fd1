"""The examples of docs/statsd.rst are configurations."""

import re
import textwrap

import pytest

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, read_ini
from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs" / "statsd.rst").read_text()


def example(name, directory):
    block = re.search(rf"    :caption: {name}\n\n((?:    .*\n|\n)+)", PAGE)[1]
    (directory / name).write_text(textwrap.dedent(block))
    return Configuration(ProcessorApp.get_required_config(), [read_ini(directory / name)]).values


def test_every_metric_can_be_sent_to_statsd(tmp_path):
    assert example("metrics.ini", tmp_path).metrics.statsd_host == "statsd.example.com"


@pytest.mark.parametrize("part", ["destination", "processor"])
def test_stores_and_rules_of_the_example_can_be_built_and_tell_statsd(tmp_path, monkeypatch, part):
    monkeypatch.chdir(tmp_path)
    values = example("calls.ini", tmp_path)
    assert values.destination.storage1.statsd_host == "statsd.example.com"
    assert values.destination.storage1.statsd_prefix == "stage.processor"
    values.destination.storage0.statsd_host = values.destination.storage1.statsd_host = ""  # it is not a real one
    walker = values.processor.raw_to_processed_transform.BreakpadStackwalkerRule2015
    walker.statsd_host = ""
    name = "crashstorage_class" if part == "destination" else "processor_class"
    values[part][name](values[part]).close()
