"""A rule that wraps another, and sends the times of its calls to statsd."""

from __future__ import annotations

from socorro_processor.configuration import DotDict, Namespace, class_converter
from socorro_processor.errors import ConfigurationError
from socorro_processor.monitoring.statsd import StatsdClient, metric_name, statsd_call_options
from socorro_processor.pipeline.rule import Rule


class StatsdRuleBenchmarkWrapper(Rule):
    """Runs the rule ``wrapped_object_class``, under its name; times ``act``, ``predicate`` or ``action``.

        [processor]
        [[raw_transform]]
        [[[ProductRewrite]]]
        rule_class = socorro_processor.rules.statsd_rule_benchmark.StatsdRuleBenchmarkWrapper
        wrapped_object_class = socorro_processor.rules.raw_transform.ProductRewrite

    The metric is ``processor.ProductRewrite.act``.
    """

    required_config = Namespace()
    required_config.update(statsd_call_options())
    required_config.add_option(
        "wrapped_object_class",
        default=None,
        doc="the class of the rule that is timed",
        from_string_converter=class_converter,
    )

    def __init__(self, config: DotDict | None = None) -> None:
        super().__init__(config)
        rule_class = self.config.wrapped_object_class
        if rule_class is None or not issubclass(rule_class, Rule):
            raise ConfigurationError("wrapped_object_class of StatsdRuleBenchmarkWrapper is not the class of a rule")
        self._statsd = StatsdClient(self.config)
        self._wrapped: Rule = rule_class(self.config)
        for name in self.config.active_list.intersection(("act", "predicate", "action")):
            # The methods are replaced in the rule itself, because its act calls its predicate and its action.
            timed = self._statsd.timed(metric_name(self.name, name), getattr(self._wrapped, name))
            setattr(self._wrapped, name, timed)
        for name in ("predicate", "action", "act", "prepare", "clean_up", "check", "examine", "reload"):
            setattr(self, name, getattr(self._wrapped, name))

    @property
    def name(self) -> str:
        return self._wrapped.name

    def close(self) -> None:
        try:
            self._wrapped.close()
        finally:
            self._statsd.close()
