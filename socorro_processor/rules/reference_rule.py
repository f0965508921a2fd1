"""The base of rules that use the reference data."""

from __future__ import annotations

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.pipeline.rule import Rule
from socorro_processor.reference.provider import provider_for, reference_options


class ReferenceRule(Rule):
    """A rule with a provider of reference data, ``self.reference``; rules with equal options share one."""

    required_config = Namespace()
    required_config.update(reference_options())

    def __init__(self, config: DotDict | None = None) -> None:
        super().__init__(config)
        self.reference = provider_for(self.config)

    def check(self) -> None:
        self.reference.check()

    def reload(self) -> None:
        self.reference.reload()
