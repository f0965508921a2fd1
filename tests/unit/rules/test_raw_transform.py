"""Rules that correct the raw crash."""

from __future__ import annotations

import json

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.raw_transform import (
    ESRVersionRewrite,
    FennecBetaError20150430,
    PluginContentURL,
    PluginUserComment,
    ProductRewrite,
)

CRASH_ID = "00000000-0000-4000-8000-000000161123"
FENNEC_BETA = {"ProductName": "Fennec", "BuildID": "20150427090529", "ReleaseChannel": "release"}


def crash_with(raw: dict[str, object]) -> Crash:
    return Crash(id=CRASH_ID, raw=dict(raw))


@pytest.fixture(scope="module")
def product_rewrite(tmp_path_factory):
    file = tmp_path_factory.mktemp("reference") / "reference.json"
    products = [
        {"product_name": "Firefox", "productid": "{firefox}", "rewrite": False},
        {"product_name": "FennecAndroid", "productid": "{fennec}", "rewrite": True},
    ]
    file.write_text(json.dumps({"product_productid_map": products, "windows_versions": [], "product_versions": []}))
    return ProductRewrite(defaults(ProductRewrite, reference_file=str(file)))


def test_a_product_gets_the_name_that_its_id_says(product_rewrite):
    crash = crash_with({"ProductID": "{fennec}", "ProductName": "Fennec"})

    assert product_rewrite.act(crash) == (True, True)
    assert crash.raw == {"ProductID": "{fennec}", "ProductName": "FennecAndroid"}


def test_a_crash_without_a_product_gets_none(product_rewrite):
    crash = crash_with({"ProductID": "{fennec}"})

    assert product_rewrite.act(crash) == (True, False)
    assert crash.raw == {"ProductID": "{fennec}"}
    assert crash.notes == ["there is no ProductName to rewrite"]


@pytest.mark.parametrize("product_id", ["{firefox}", "{other}", "", None, 5, ["{fennec}"], {"{fennec}": 1}])
def test_other_products_keep_their_name(product_rewrite, product_id):
    crash = crash_with({"ProductID": product_id, "ProductName": "Fennec"})

    assert product_rewrite.act(crash) == (False, None)
    assert crash.raw["ProductName"] == "Fennec"
    assert crash.notes == []


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        ({"ReleaseChannel": "esr", "Version": "45.3.0"}, "45.3.0esr"),
        ({"ReleaseChannel": "esr", "Version": ""}, "esr"),
        ({"ReleaseChannel": "ESR", "Version": "45.3.0"}, "45.3.0"),
        ({"ReleaseChannel": ["esr"], "Version": "45.3.0"}, "45.3.0"),
        ({"Version": "45.3.0"}, "45.3.0"),
    ],
)
def test_an_extended_support_release_is_marked_as_one(raw, version):
    crash = crash_with(raw)

    assert ESRVersionRewrite().act(crash) == (raw.get("ReleaseChannel") == "esr", None)
    assert crash.raw["Version"] == version
    assert crash.notes == []


@pytest.mark.parametrize("raw", [{}, {"Version": None}, {"Version": [45]}])
def test_an_extended_support_release_without_a_version_is_noted(raw):
    crash = crash_with({"ReleaseChannel": "esr", **raw})

    assert ESRVersionRewrite().act(crash) == (True, None)
    assert crash.raw == {"ReleaseChannel": "esr", **raw}
    assert crash.notes[-1] == "the release channel is esr, but there is no Version to mark"


@pytest.mark.parametrize(
    ("rule", "plugins", "browsers"),
    [(PluginContentURL(), "PluginContentURL", "URL"), (PluginUserComment(), "PluginUserComment", "Comments")],
)
class TestWhatAPluginSays:
    @pytest.mark.parametrize("said_before", [True, False])
    def test_the_value_for_plugins_replaces_that_of_the_browser(self, rule, plugins, browsers, said_before):
        crash = crash_with({plugins: "new"} | ({browsers: "old"} if said_before else {}))

        assert rule.act(crash) == (True, True)
        assert crash.raw == {plugins: "new", browsers: "new"}

    @pytest.mark.parametrize("value", ["", None, ["new"]])
    def test_without_a_value_for_plugins_that_of_the_browser_stays(self, rule, plugins, browsers, value):
        crash = crash_with({plugins: value, browsers: "old"})

        assert rule.act(crash) == (False, None)
        assert crash.raw[browsers] == "old"


@pytest.mark.parametrize(
    ("difference", "channel"),
    [
        ({}, "beta"),
        ({"ProductName": "FennecAndroid"}, "beta"),
        ({"ProductName": "Firefox"}, "release"),
        ({"ProductName": ["Fennec"]}, "release"),
        ({"ProductName": None}, "release"),
        ({"BuildID": "20150427090530"}, "release"),
        ({"BuildID": 20150427090529}, "beta"),
        ({"BuildID": [20150427090529]}, "release"),
        ({"ReleaseChannel": "aurora"}, "aurora"),
        ({"ReleaseChannel": None}, None),
    ],
)
def test_the_beta_of_fennec_that_called_itself_a_release_is_corrected(difference, channel):
    crash = crash_with(FENNEC_BETA | difference)

    assert FennecBetaError20150430().act(crash) == ((True, True) if channel == "beta" else (False, None))
    assert crash.raw["ReleaseChannel"] == channel
