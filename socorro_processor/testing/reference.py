"""A suite for a provider of reference data: its answers to rules, even while the data change or are away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from socorro_processor.configuration import class_name, defaults
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.reference.provider import ReferenceDataProvider, provider_for
from socorro_processor.reference.tables import Row, Tables
from socorro_processor.rules.raw_transform import ProductRewrite

BUILD = ("Firefox", "48.0", "beta", 20160726073904)
TABLES: dict[str, list[Row]] = {
    "product_productid_map": [
        {"product_name": "Firefox", "productid": "{firefox}", "rewrite": False},
        {"product_name": "Fennec", "productid": "{fennec}", "rewrite": True},
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
}
CHANGED_TABLES: dict[str, list[Row]] = TABLES | {"windows_versions": [{"name": "Seven", "major": 6, "minor": 1}]}


class ReferenceSuite:
    """The tests of a provider of reference data.

    The subclass has an attribute and methods:

    - ``provider_class``: the class; it must be importable
    - ``options(directory)``: values of its options; ``directory`` is where ``write`` puts files
    - ``write(directory, tables)``: replace the provider's data with these rows
    - ``damage(directory)``: make the data unusable, or remove them

    Fixtures for your own tests in the subclass: ``provider``, which has read ``TABLES``, and ``directory``.

    The suite checks:

    - the answers to the three questions of rules; None if the answer is not known
    - a reload reads the data again; one that fails raises ConfigurationError or ProcessingEnvironmentError, and the
      old data stay in use
    - a start while the data cannot be read
    - rules share the provider that the configuration names
    - many threads may use it while it reads the data again
    """

    provider_class: ClassVar[type[ReferenceDataProvider]]

    def options(self, directory: Path) -> dict[str, Any]:
        return {}

    def write(self, directory: Path, tables: Tables) -> None:
        raise NotImplementedError

    def damage(self, directory: Path) -> None:
        raise NotImplementedError

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        self.write(tmp_path, TABLES)
        return tmp_path

    @pytest.fixture
    def provider(self, directory: Path) -> ReferenceDataProvider:
        return self.new_provider(directory)

    def new_provider(self, directory: Path) -> ReferenceDataProvider:
        return self.provider_class(defaults(self.provider_class, **self.options(directory)))

    def test_a_product_is_renamed_only_if_its_row_says_so(self, provider: ReferenceDataProvider) -> None:
        names = [provider.product_name(product_id) for product_id in ("{fennec}", "{firefox}", "{other}", "")]
        assert names == ["Fennec", None, None, None]

    @pytest.mark.parametrize(
        ("build", "version"),
        [
            (BUILD, "48.0b10"),
            (("Firefox", "48.0", "BETA", 20160726073904), "48.0b10"),
            (("Firefox", "48.0", "release", 20160726073904), None),
            (("Firefox", "48.0", "beta", 20160726073905), None),
            (("Firefox", "47.0", "beta", 20160726073904), None),
            (("Fennec", "48.0", "beta", 20160726073904), None),
            (("a\0b", "'", "\ud800", 10**30), None),
        ],
    )
    def test_a_release_is_found_by_product_version_channel_and_build(
        self, provider: ReferenceDataProvider, build: tuple[str, str, str, int], version: str | None
    ) -> None:
        assert provider.released_version(*build) == version

    def test_windows_is_named_by_major_and_minor_version(self, provider: ReferenceDataProvider) -> None:
        assert [provider.windows_name(6, 1), provider.windows_name(6, 2)] == ["Windows 7", None]

    def test_a_reload_reads_the_data_again(self, provider: ReferenceDataProvider, directory: Path) -> None:
        self.write(directory, CHANGED_TABLES)
        assert provider.windows_name(6, 1) == "Windows 7"
        provider.reload()
        assert provider.windows_name(6, 1) == "Seven"
        assert provider.product_name("{fennec}") == "Fennec"

    def test_a_reload_that_fails_raises_and_keeps_the_old_data(
        self, provider: ReferenceDataProvider, directory: Path
    ) -> None:
        self.damage(directory)
        with pytest.raises((ConfigurationError, ProcessingEnvironmentError)):
            provider.reload()
        assert provider.windows_name(6, 1) == "Windows 7"
        self.write(directory, CHANGED_TABLES)
        provider.reload()
        assert provider.windows_name(6, 1) == "Seven"

    def test_a_start_without_usable_data_fails_or_waits_for_them(self, directory: Path) -> None:
        self.damage(directory)
        try:
            provider = self.new_provider(directory)
        except ConfigurationError:
            return
        with pytest.raises(ProcessingEnvironmentError):
            provider.check()
        with pytest.raises(ProcessingEnvironmentError):
            provider.windows_name(6, 1)
        self.write(directory, TABLES)
        provider.check()
        assert provider.windows_name(6, 1) == "Windows 7"

    def test_rules_share_the_provider_that_the_configuration_names(self, directory: Path) -> None:
        options = {"resource.reference.reference_class": class_name(self.provider_class), **self.options(directory)}
        config = defaults(ProductRewrite, **options)
        rule = ProductRewrite(config)
        assert type(rule.reference) is self.provider_class
        assert provider_for(config) is rule.reference
        assert rule.reference.product_name("{fennec}") == "Fennec"

    def test_threads_ask_while_it_reads_the_data_again(self, provider: ReferenceDataProvider, directory: Path) -> None:
        def ask(number: int) -> None:
            if number % 10 == 0:
                provider.reload()
            assert provider.windows_name(6, 1) == "Windows 7"
            assert provider.released_version(*BUILD) == "48.0b10"

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(100)))
