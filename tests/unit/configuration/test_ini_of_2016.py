"""A configuration of the 2016 processor starts this one, or says what it cannot do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from socorro_processor.app.store_queue import StoreCrashQueue
from socorro_processor.app.threaded_task_manager import ThreadedTaskManager
from socorro_processor.cli.all_options import all_options
from socorro_processor.cli.main import main
from socorro_processor.configuration import (
    Configuration,
    EnvironmentSource,
    Source,
    as_ini,
    class_converter,
    class_name,
    read_ini,
)
from socorro_processor.configuration.retired import RETIRED
from socorro_processor.crashstorage.filesystem import FileSystemCrashStorage
from socorro_processor.crashstorage.poly import PolyCrashStorage
from socorro_processor.crashstorage.statsd import StatsdBenchmarkingWrapper, StatsdCounter
from socorro_processor.errors import ConfigurationError
from socorro_processor.pipeline.mozilla_2015 import MozillaProcessorAlgorithm2015
from socorro_processor.pipeline.rule_sets import rule_sets_converter
from socorro_processor.rules.raw_transform import ProductRewrite
from socorro_processor.rules.statsd_rule_benchmark import StatsdRuleBenchmarkWrapper
from tests.shared import shared

INI = Path(__file__).parent / "ini_of_2016" / "processor.ini"


def configuration(*sources: Source) -> Configuration:
    return Configuration(all_options(), sources)


@pytest.fixture(scope="module")
def of_2016() -> Configuration:
    return configuration(read_ini(INI))


def test_its_stores_are_found_in_this_processor(of_2016):
    source, destination = of_2016.values.source, of_2016.values.destination
    assert source.crashstorage_class is StatsdBenchmarkingWrapper
    assert source.wrapped_crashstore is FileSystemCrashStorage
    assert destination.crashstorage_class is PolyCrashStorage
    assert destination.storage0.crashstorage_class is StatsdBenchmarkingWrapper
    assert destination.storage0.wrapped_crashstore is FileSystemCrashStorage
    assert destination.storage1.crashstorage_class is StatsdCounter


def test_former_names_of_options_still_work(of_2016):
    storage = of_2016.values.destination.storage0
    assert storage.root == "./processed"
    assert storage.forbidden_keys == "url, email, user_id"
    assert storage.statsd_prefix == "processor.fs"
    assert of_2016.values.destination.storage1.statsd_host == "127.0.0.1"


def test_forbidden_keys_are_configured_once_for_all_stores():
    values = configuration(
        Source({"resource.redactor.forbidden_keys": "url, secret", "destination.forbidden_keys": "url"})
    ).values
    assert (values.source.forbidden_keys, values.destination.forbidden_keys) == ("url, secret", "url")


def test_its_number_of_threads_is_used(of_2016):
    producer_consumer = of_2016.values.producer_consumer
    assert producer_consumer.producer_consumer_class is ThreadedTaskManager
    assert producer_consumer.number_of_threads == 12


def test_its_rule_sets_are_read_as_they_were_written(of_2016):
    assert of_2016.values.processor.processor_class is MozillaProcessorAlgorithm2015
    rule_sets = of_2016.values.processor.rule_sets.rule_sets
    assert [(each.name, len(each.rule_classes)) for each in rule_sets] == [
        ("raw_transform", 2),
        ("raw_to_processed_transform", 4),
        ("processed_transform", 16),
    ]
    assert rule_sets[0].rule_classes[0] is ProductRewrite


def test_a_benchmarked_rule_is_benchmarked_here_with_its_options(of_2016):
    processor = of_2016.values.processor
    walker = processor.raw_to_processed_transform.BreakpadStackwalkerRule2015
    assert walker.rule_class is StatsdRuleBenchmarkWrapper
    assert (walker.kill_timeout, walker.symbol_cache_path) == (600, "/mnt/socorro/symbols")
    built = processor.rule_sets.rule_sets[1].build(processor)
    assert [type(rule) for rule in built.rules][1] is StatsdRuleBenchmarkWrapper
    assert [rule.name for rule in built.rules][1] == "BreakpadStackwalkerRule2015"
    built.close()


def test_each_option_without_use_is_a_warning_that_says_where_it_is_and_what_became_of_it(of_2016):
    named = sorted(
        ".".join(re.search(r"(?:\[(\S+)\], )?(\w+): an option of the 2016 processor", each).groups("")).lstrip(".")
        for each in of_2016.warnings
    )
    assert named == sorted(
        [
            "application",
            "destination.storage0.benchmark_tag",
            "destination.storage0.dump_file_suffix",
            "destination.storage0.json_file_suffix",
            "destination.storage0.umask",
            "logging.stderr_error_logging_level",
            "logging.syslog_host",
            "logging.syslog_line_format_string",
            "processor.database_class",
            "processor.database_hostname",
            "processor.processed_transform.SignatureGenerationRule.c_signature.c_signature_tool_class",
            "processor.raw_transform.ProductRewrite.chatty",
            "processor.raw_transform.ProductRewrite.database_hostname",
            "processor.raw_transform.tag",
            "processor.transaction_executor_class",
            "resource.statsd.statsd_class",
            "source.benchmark_tag",
        ]
    )
    (umask,) = [each for each in of_2016.warnings if "umask" in each]
    assert umask == (
        f"{INI}, section [destination.storage0], umask: an option of the 2016 processor, without effect here: "
        "the umask is that of the process"
    )


@pytest.mark.parametrize(
    "command", [["processor", "--admin.print_conf=ini"], ["submit", "--help-config"], ["doctor"], ["doctor", "--json"]]
)
def test_printing_the_configuration_names_retired_options(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    main([*command, f"--admin.conf={INI}"], environ={})
    printed = capsys.readouterr()
    assert "[destination.storage0], umask: an option of the 2016 processor" in printed.err
    assert "option of the 2016 processor" not in printed.out


def test_the_written_file_means_the_same_without_retired_options(tmp_path, of_2016):
    assert main(["processor", f"--admin.conf={INI}", f"--admin.dump_conf={tmp_path / 'new.ini'}"], environ={}) == 0
    again = configuration(read_ini(tmp_path / "new.ini"))
    assert again.warnings == []
    assert as_ini(again) == as_ini(of_2016) == (tmp_path / "new.ini").read_text()


def test_the_rule_sets_of_the_document_are_the_default_ones_of_2015():
    document = (shared("spec") / "document.rst").read_text()
    blocks = re.findall(r"^::\n\n((?: {4}.*\n|\n)+)", document, re.MULTILINE)
    blocks = [block for block in blocks if "apply_" in block]
    assert len(blocks) == 6
    named = Source({"processor.processor_class": class_name(MozillaProcessorAlgorithm2015)})
    default = configuration(named).values.processor.rule_sets.rule_sets
    for text in ("".join(blocks), f"[\n{''.join(blocks)}\n]"):
        written = rule_sets_converter()(text).rule_sets
        assert [each.rule_classes for each in written] == [each.rule_classes for each in default]
        assert [(each.name, each.way) for each in written] == [(each.name, each.way) for each in default]
    assert [each.tag for each in written if "processer." in each.tag]


@pytest.mark.parametrize("pattern", RETIRED)
def test_every_retired_option_is_a_warning_and_not_an_error(pattern):
    key = pattern.replace("*", "x") if "." in pattern else f"destination.{pattern.replace('*', 'x')}"
    (warning,) = configuration(Source({key: "x"})).warnings
    assert warning.endswith(RETIRED[pattern])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("processor.raw_transform.rules_list", "set processor.rule_sets"),
        ("processor.jit_classifiers.action", "set processor.rule_sets"),
        ("destination.storage_namespaces", "set storage_classes"),
        ("destination.storage2.es_redactor.forbidden_keys", "set forbidden_keys of the store itself"),
        ("destination.fs_rot", "there is no option destination.fs_rot"),
        ("producer_consumer.number_of_thread", "did you mean producer_consumer.number_of_threads?"),
        ("logging.levl", "did you mean logging.level?"),
        ("admin.config", "there is no option admin.config"),
        ("transaction_executor_klass", "there is no option transaction_executor_klass"),
    ],
)
def test_an_option_whose_loss_would_change_results_is_an_error(key, expected):
    with pytest.raises(ConfigurationError, match=re.escape(expected)):
        configuration(Source({key: "x"}))


def test_an_unknown_option_beside_retired_ones_is_still_an_error(tmp_path):
    (tmp_path / "a.ini").write_text("[source]\nbenchmark_tag = x\nrot = y\n")
    with pytest.raises(ConfigurationError, match=r"source\.rot; did you mean source\.root\?") as raised:
        configuration(read_ini(tmp_path / "a.ini"))
    assert "benchmark_tag" not in str(raised.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"resource.fs.fs_root": "a"}, "a"),
        ({"resource.fs.fs_root": "a", "source.fs_root": "b"}, "b"),
        ({"resource.fs.fs_root": "a", "resource.filesystem.root": "c"}, "c"),
    ],
)
def test_an_option_with_another_name_now_has_the_former_one_too(values, expected):
    loaded = configuration(Source(values))
    assert loaded.values.source.root == expected
    assert loaded.warnings == []


def test_a_queue_that_is_named_as_a_store_of_crash_ids_is_the_queue():
    loaded = configuration(Source({"new_crash_source.crashstorage_class": class_name(StoreCrashQueue)}))
    assert loaded.values.new_crash_source.new_crash_source_class is StoreCrashQueue


def test_a_former_name_in_a_later_source_wins_over_the_new_one_in_an_earlier():
    environment = EnvironmentSource({"SOCORRO__SOURCE__FS_ROOT": "later"})
    assert configuration(Source({"source.root": "earlier"}), environment).values.source.root == "later"


def test_names_with_dots_from_a_shared_store_are_a_complete_configuration():
    loaded = configuration(
        EnvironmentSource(
            {
                "source.crashstorage_class": "socorro.external.crashstorage_base.BenchmarkingCrashStorage",
                "source.wrapped_crashstore": "socorro.external.fs.crashstorage.FSPermanentStorage",
                "resource.fs.fs_root": "/mnt/crashes",
                "resource.rabbitmq.filter_on_legacy_processing": "True",
                "companion_process.symbol_cache_size": "40G",
                "destination.crashstorage_class": "socorro.external.crashstorage_base.PolyCrashStorage",
                "destination.storage_classes": "socorro.external.fs.crashstorage.FSPermanentStorage, "
                "socorro.external.statsd.statsd_base.StatsdCounter",
                "destination.storage1.statsd_prefix": "processor",
                "resource.statsd.statsd_host": "statsd.example.com",
                "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.kill_timeout": "600",
                "collector.throttler.throttler_class": "socorro.collector.throttler.LegacyThrottler",
            }
        )
    )
    assert loaded.values.source.root == loaded.values.destination.storage0.root == "/mnt/crashes"
    assert loaded.values.companion_process.symbol_cache_size == 40 << 30
    assert loaded.values.destination.storage1.statsd_host == "statsd.example.com"
    assert loaded.values.processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.kill_timeout == 600


@pytest.mark.parametrize(
    "name",
    [
        "socorro.processer.mozilla_transform_rules.ProductRewrite",
        "socorro.processor.mozilla_transform_rules.ProductRewrite",
    ],
)
def test_modules_are_found_as_the_document_spells_them(name):
    assert class_converter(name) is ProductRewrite
