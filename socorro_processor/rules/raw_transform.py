"""Rules that correct the raw crash before other rules read it."""

from __future__ import annotations

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import as_text, text
from socorro_processor.rules.reference_rule import ReferenceRule


class ProductRewrite(ReferenceRule):
    """Replace the product's name with that of its product id, if the reference data ask for it.

    Reads ``raw.ProductID``; writes ``raw.ProductName``; notes a missing name, which stays missing.
    """

    def predicate(self, crash: Crash) -> bool:
        return self._name(crash) is not None

    def action(self, crash: Crash) -> bool:
        if "ProductName" not in crash.raw:
            crash.note("there is no ProductName to rewrite")
            return False
        crash.raw["ProductName"] = self._name(crash)
        return True

    def _name(self, crash: Crash) -> str | None:
        product_id = crash.raw.get("ProductID")
        return self.reference.product_name(product_id) if isinstance(product_id, str) else None


class ESRVersionRewrite(Rule):
    """Mark an extended-support release as such: append ``esr`` to the version.

    Reads ``raw.ReleaseChannel``; writes ``raw.Version``; notes a missing version.
    """

    def predicate(self, crash: Crash) -> bool:
        return bool(crash.raw.get("ReleaseChannel") == "esr")

    def action(self, crash: Crash) -> None:
        version = text(crash, "Version")
        if version is None:
            crash.note("the release channel is esr, but there is no Version to mark")
        else:
            crash.raw["Version"] = version + "esr"


class PluginContentURL(Rule):
    """Replace the URL of the browser with that of the page that a plugin was showing.

    Reads ``raw.PluginContentURL``; writes ``raw.URL``.
    """

    def predicate(self, crash: Crash) -> bool:
        return bool(text(crash, "PluginContentURL"))

    def action(self, crash: Crash) -> bool:
        crash.raw["URL"] = crash.raw["PluginContentURL"]
        return True


class PluginUserComment(Rule):
    """Replace the user's comment on the browser with the one on a plugin.

    Reads ``raw.PluginUserComment``; writes ``raw.Comments``.
    """

    def predicate(self, crash: Crash) -> bool:
        return bool(text(crash, "PluginUserComment"))

    def action(self, crash: Crash) -> bool:
        crash.raw["Comments"] = crash.raw["PluginUserComment"]
        return True


class FennecBetaError20150430(Rule):
    """Correct the channel of a beta of Fennec that was built as a release.

    Reads ``raw.ProductName``, ``raw.BuildID``; writes ``raw.ReleaseChannel``.
    """

    build_id = "20150427090529"

    def predicate(self, crash: Crash) -> bool:
        product = crash.raw.get("ProductName")
        return (
            isinstance(product, str)
            and product.startswith("Fennec")
            and as_text(crash.raw.get("BuildID")) == self.build_id
            and crash.raw.get("ReleaseChannel") == "release"
        )

    def action(self, crash: Crash) -> bool:
        crash.raw["ReleaseChannel"] = "beta"
        return True
