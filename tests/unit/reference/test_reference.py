"""Reference data: the content of a file, and one provider for all rules that share it."""

from __future__ import annotations

import gc
import json
import os
import threading

import pytest

from socorro_processor.configuration import Configuration, Namespace, Source, defaults
from socorro_processor.configuration.sources import SourcedValue
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.reference.file import FileReferenceData, default_file
from socorro_processor.reference.provider import ReferenceDataProvider, provider_for, refresh_providers
from socorro_processor.reference.tables import ReferenceData
from socorro_processor.rules.raw_transform import ProductRewrite
from socorro_processor.rules.releases import BetaVersionRule, OSPrettyVersionRule

DATA = {
    "product_productid_map": [
        {"product_name": "Firefox", "productid": "{firefox}", "rewrite": False},
        {"product_name": "Fennec", "productid": "{fennec}", "rewrite": True, "comment": "for people"},
    ],
    "windows_versions": [{"name": "Windows 7", "major": 6, "minor": 1}],
    "product_versions": [
        {
            "product": "Firefox",
            "release_version": "48.0",
            "build_type": "Beta",
            "build_id": 20160726073904,
            "version_string": "48.0b10",
        }
    ],
    "about": "for people",
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "reference.json"
    path.write_text(json.dumps(DATA))
    return path


def provider(file) -> FileReferenceData:
    return FileReferenceData(defaults(FileReferenceData, reference_file=str(file)))


class TestFile:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("{", "is not JSON"),
            ("[]", "is not a JSON object with the tables product_productid_map"),
            ("{}", "windows_versions is missing, or is not a list of rows"),
            (json.dumps(DATA | {"windows_versions": {}}), "windows_versions is missing, or is not a list of rows"),
            (json.dumps(DATA | {"windows_versions": ["x"]}), "windows_versions, row 1: name is missing"),
            (
                json.dumps(DATA | {"windows_versions": [{"name": "Windows 7", "major": "6", "minor": 1}]}),
                "windows_versions, row 1: major is missing, or is not a whole number",
            ),
            (
                json.dumps(DATA | {"windows_versions": [{"name": "Windows 7", "major": True, "minor": 1}]}),
                "windows_versions, row 1: major is missing, or is not a whole number",
            ),
            (json.dumps(DATA | {"windows_versions": [{}] * 100}), "280 more mistakes"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_an_error_that_names_it_and_what_is_wrong(self, file, content, expected):
        file.write_text(content)

        with pytest.raises(ConfigurationError) as raised:
            provider(file)
        assert str(file) in str(raised.value)
        assert expected in str(raised.value)

    def test_a_file_that_is_not_there_is_an_error_that_names_it(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"cannot read reference data .*absent\.json: No such file"):
            provider(tmp_path / "absent.json")

    def test_a_change_is_in_use_after_a_reload(self, file, caplog):
        reference = provider(file)
        file.write_text(json.dumps(DATA | {"windows_versions": []}))
        with caplog.at_level("INFO"):
            reference.reload()
            reference.reload()

        assert reference.windows_name(6, 1) is None
        assert caplog.messages == [f"reference data {file} has changed and is in use"]


class TestTheProjectsOwn:
    def test_the_projects_own_file_is_used_if_none_is_named(self):
        reference = FileReferenceData(defaults(FileReferenceData))

        assert reference.path == default_file()
        assert reference.windows_name(10, 0) == "Windows 10"
        assert reference.product_name("{aa3c5121-dab2-40e2-81ca-7ea25febc110}") == "FennecAndroid"

    def test_no_product_id_is_in_the_projects_own_file_twice(self):
        ids = [row["productid"] for row in json.loads(default_file().read_text())["product_productid_map"]]
        assert len(ids) == len(set(ids))


class Elsewhere(ReferenceDataProvider):
    required_config = Namespace()
    required_config.add_option("host", default="here", doc="host", reference_value_from="resource.reference")

    def load(self) -> ReferenceData:
        return ReferenceData({"{id}": self.config.host}, {}, {})


ELSEWHERE = f"{__name__}.Elsewhere"
RULES: tuple[type[Rule], ...] = (ProductRewrite, BetaVersionRule, OSPrettyVersionRule)


def rules(**values: object) -> list[Rule]:
    """A rule of each kind, configured together."""
    definitions = Namespace()
    for rule in RULES:
        definitions.namespace(rule.__name__)
        definitions[rule.__name__] = rule.get_required_config().safe_copy()
    config = Configuration(definitions, [Source(values)]).values
    return [rule(config[rule.__name__]) for rule in RULES]


class AwayAtFirst(ReferenceDataProvider):
    """Cannot be reached the first few times."""

    times = 2

    def load(self) -> ReferenceData:
        if self.times:
            self.times -= 1
            raise ProcessingEnvironmentError("the server is away")
        return ReferenceData({}, {}, {(6, 1): "Windows 7"})


def test_a_crash_waits_for_reference_data_that_are_away_at_the_start():
    rule = OSPrettyVersionRule(
        defaults(OSPrettyVersionRule, **{"resource.reference.reference_class": f"{__name__}.AwayAtFirst"})
    )
    crash = Crash("", {}, processed={"os_name": "Windows NT", "os_version": "6.1.7601"})

    with pytest.raises(ProcessingEnvironmentError, match="the server is away"):
        rule.act(crash)
    rule.check()
    rule.act(crash)
    assert crash.processed["os_pretty_version"] == "Windows 7"


class TestRefresh:
    @staticmethod
    def refreshed(reference, now: float) -> None:
        """Do what ``refresh_providers`` does, and wait for its end."""
        refresh_providers(lambda: now)
        for thread in threading.enumerate():
            if thread.name == "reference":
                thread.join()

    def test_a_change_is_in_use_after_the_refresh_interval(self, file):
        reference = provider_for(defaults(ProductRewrite, reference_file=str(file), reference_refresh=300))
        self.refreshed(reference, 1000)
        file.write_text(json.dumps(DATA | {"windows_versions": []}))
        self.refreshed(reference, 1299)
        assert reference.windows_name(6, 1) == "Windows 7"
        self.refreshed(reference, 1300)
        assert reference.windows_name(6, 1) is None

    def test_with_an_interval_of_0_the_file_is_never_read_again(self, file):
        reference = provider_for(defaults(ProductRewrite, reference_file=str(file), reference_refresh=0))
        self.refreshed(reference, 0)
        file.write_text(json.dumps(DATA | {"windows_versions": []}))
        self.refreshed(reference, 1e9)
        assert reference.windows_name(6, 1) == "Windows 7"

    def test_bad_data_are_a_warning_and_the_old_ones_stay(self, file, caplog):
        reference = provider_for(defaults(ProductRewrite, reference_file=str(file), reference_refresh=300))
        self.refreshed(reference, 0)
        file.write_text("{")
        self.refreshed(reference, 300)
        assert reference.windows_name(6, 1) == "Windows 7"
        assert "the old data stay in use" in caplog.text

    def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(self, file):
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(ConfigurationError, match="it is not a regular file"):
            provider(file)


class TestSharing:
    def test_all_rules_have_one_provider(self, file):
        first, *others = rules(**{"resource.reference.reference_file": str(file)})

        assert first.reference.path == file
        assert all(rule.reference is first.reference for rule in others)

    def test_rules_with_other_options_have_another_provider(self, file):
        first, second, third = rules(**{"ProductRewrite.reference_file": str(file)})

        assert first.reference is not second.reference
        assert second.reference is third.reference

    def test_another_provider_is_a_line_of_the_configuration(self):
        rewrite, *_ = rules(
            **{"resource.reference.reference_class": ELSEWHERE, "resource.reference.host": "example.org"}
        )

        assert rewrite.reference.product_name("{id}") == "example.org"

    @pytest.mark.parametrize("name", ["", "json.JSONDecoder"])
    def test_a_class_that_is_not_a_provider_is_an_error(self, name):
        with pytest.raises(ConfigurationError, match=r"processor\.ini: .* the class of a ReferenceDataProvider"):
            rules(**{"resource.reference.reference_class": SourcedValue(name, "processor.ini")})

    def test_a_provider_is_gone_with_the_last_of_its_rules(self, file):
        config = defaults(ProductRewrite, reference_file=str(file))
        kept = provider_for(config)
        assert provider_for(config) is kept
        del kept
        gc.collect()
        file.write_text(json.dumps(DATA | {"windows_versions": []}))

        assert provider_for(config).windows_name(6, 1) is None

    def test_a_rule_has_its_reference_data_read_again(self, file):
        for rule in rules(**{"resource.reference.reference_file": str(file)}):
            file.write_text("{")
            with pytest.raises(ConfigurationError):
                rule.reload()
            file.write_text(json.dumps(DATA))
            rule.reload()
