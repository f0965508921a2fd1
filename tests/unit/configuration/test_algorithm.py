"""The algorithm where the configuration does not name it: 2015 for older ones."""

from pathlib import Path

import pytest

from socorro_processor.cli.all_options import all_options
from socorro_processor.configuration import Configuration
from socorro_processor.configuration.algorithm import SECTIONS
from socorro_processor.configuration.retired import is_name_of_2016
from socorro_processor.configuration.sources import EnvironmentSource, Source, read_ini, split_command_line
from socorro_processor.pipeline.algorithm_2026 import ProcessorAlgorithm2026
from socorro_processor.pipeline.mozilla_2015 import MozillaProcessorAlgorithm2015
from socorro_processor.rules.signature import StackSignatureRule
from socorro_processor.signing.signer import signature_rules
from tests.shared import REPOSITORY

WALKER = "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.symbols_path"
CLASS_2026 = "socorro_processor.pipeline.algorithm_2026.ProcessorAlgorithm2026"

S3 = "socorro_processor.crashstorage.s3.BotoS3CrashStorage"


def configured(*sources: Source) -> Configuration:
    return Configuration(all_options(), sources)


def test_without_a_configuration_it_is_2026():
    configuration = configured()
    assert configuration.values.processor.processor_class is ProcessorAlgorithm2026
    assert configuration.algorithm.is_default


@pytest.mark.parametrize(
    "source",
    [
        Source({WALKER: "symbols"}),
        EnvironmentSource({"SOCORRO__" + WALKER.upper().replace(".", "__"): "symbols"}),
        EnvironmentSource({WALKER: "symbols"}),
        EnvironmentSource({"processor.some_option_of_2016": "1"}),
        split_command_line([f"--{WALKER}=symbols"])[0],
        Source({"resource.fs.fs_root": "crashes"}),
        Source({"resource.rabbitmq.rabbitmq_class": "x"}),
        Source({"source.crashstorage_class": "socorro.external.boto.crashstorage.BotoS3CrashStorage"}),
        Source({"resource.signature.siglists_directory": str(REPOSITORY / "siglists")}),
    ],
    ids=[
        "ini",
        "environment",
        "consul",
        "consul, unknown",
        "command line",
        "former name",
        "retired",
        "class of 2016",
        "lists",
    ],
)
def test_an_older_configuration_keeps_2015_and_says_why(source):
    configuration = configured(source)
    assert configuration.values.processor.processor_class is MozillaProcessorAlgorithm2015
    (key, value), *_ = source.given()
    assert configuration.algorithm.reason.startswith(getattr(value, "origin", key))
    assert not configuration.algorithm.is_default


def test_an_ini_file_with_an_option_of_the_rules_keeps_2015(tmp_path):
    path = tmp_path / "processor.ini"
    path.write_text("[processor]\nprocessor_name = here\n")
    configuration = configured(read_ini(path))
    assert configuration.values.processor.processor_class is MozillaProcessorAlgorithm2015
    assert str(path) in configuration.algorithm.reason


@pytest.mark.parametrize(
    "source",
    [
        Source({"resource.filesystem.root": "crashes"}),
        EnvironmentSource({"webapp.umask": "18", "PATH": "/bin"}),
        Source({"resource.boto.calling_format": "path", "source.crashstorage_class": S3}),
        split_command_line([f"--resource.signature.siglists_directory={REPOSITORY / 'siglists' / '2026'}"])[0],
    ],
    ids=[
        "options of today",
        "values of another program",
        "an option of today that others had in 2016",
        "lists to try",
    ],
)
def test_other_options_leave_2026(source):
    assert configured(source).values.processor.processor_class is ProcessorAlgorithm2026


def test_a_class_that_is_named_is_used():
    configuration = configured(
        Source({WALKER: "symbols"}), EnvironmentSource({"processor.processor_class": CLASS_2026})
    )
    assert configuration.values.processor.processor_class is ProcessorAlgorithm2026
    assert configuration.algorithm.reason == "named by environment variable processor.processor_class"


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("processor.ini", ProcessorAlgorithm2026),
        ("processor-production.ini", ProcessorAlgorithm2026),
        ("processor-2016.ini", MozillaProcessorAlgorithm2015),
    ],
)
def test_files_of_the_project_name_their_algorithm(name, algorithm):
    configuration = configured(read_ini(REPOSITORY / "config" / name))
    assert configuration.values.processor.processor_class is algorithm
    assert configuration.algorithm.reason.startswith("named by")


@pytest.mark.parametrize("name", ["processor.ini", "processor-production.ini"])
def test_no_option_of_today_counts_as_a_name_of_2016(name):
    options = configured(read_ini(REPOSITORY / "config" / name)).options()
    assert [key for key, _ in options if not key.startswith("processor.") and is_name_of_2016(key)] == []


def test_the_configuration_of_2016_is_that_of_production_but_for_rules_and_lists():
    former, today = (
        configured(read_ini(REPOSITORY / "config" / name))
        for name in ("processor-2016.ini", "processor-production.ini")
    )
    assert outside_of_rules(former) == outside_of_rules(today)
    assert lists(former) == {REPOSITORY / "siglists"}
    assert lists(today) == {REPOSITORY / "siglists" / "2026"}


def outside_of_rules(configuration: Configuration) -> dict[str, str]:
    return {key: str(option.default) for key, option in configuration.options() if not key.startswith(SECTIONS)}


def lists(configuration: Configuration) -> set[Path]:
    """Return the directories of lists that the rules read."""
    return {
        Path(config.c_signature.siglists_directory or rule.tool_class.own_lists())
        for rule, config in signature_rules(configuration.values.processor)
        if issubclass(rule, StackSignatureRule)
    }
