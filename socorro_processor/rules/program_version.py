"""The rule that corrects the version of a program."""

from __future__ import annotations

import re

from socorro_processor.fields.values import NotOfType, integer
from socorro_processor.pipeline.rule import Crash
from socorro_processor.rules.reference_rule import ReferenceRule

_SEND_THE_RELEASE = ("Firefox", "Thunderbird")
"""Programs whose betas call themselves by the version that they lead to: 48.0, not 48.0b10."""
_FIRST_NUMBER = re.compile(r"\s*([0-9]{1,18})\s*(?:\.|\Z)", re.ASCII)
_ESR = "esr"


class ProgramVersionRule(ReferenceRule):
    """Append ``esr`` to the version of an extended-support release, and give a beta its real version.

    If the version of a beta is not known, Firefox and Thunderbird get ``b0``, which is noted. Reads ``product``,
    ``release_channel``, ``build``; rewrites ``version``; writes ``major_version``.
    """

    def action(self, crash: Crash) -> bool:
        processed = crash.processed
        product, channel, version = (str(processed.get(name, "")) for name in ("product", "release_channel", "version"))
        number = _FIRST_NUMBER.match(version.removesuffix(_ESR))
        if channel == _ESR and not version:
            crash.note("the release channel is esr, but there is no version to mark")
        elif channel == _ESR:
            version += _ESR
        elif channel.lower() == "beta":
            version = self._version_of_beta(crash, product, version)
        processed["version"] = version
        processed["major_version"] = int(number[1]) if number else 0
        return True

    def _version_of_beta(self, crash: Crash, product: str, version: str) -> str:
        try:
            build_id = integer(crash.processed.get("build"))
        except NotOfType:
            released = None
        else:
            released = self.reference.released_version(product, version, "beta", build_id)
        if released is None and version and product in _SEND_THE_RELEASE:
            crash.note("the release channel is beta, but this build is not known: b0 was added to the version")
            return f"{version}b0"
        return released or version
