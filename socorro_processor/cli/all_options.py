"""Every option that a configuration may have."""

from __future__ import annotations

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.collector.collector import Collector
from socorro_processor.configuration import Namespace
from socorro_processor.retention import bounds
from socorro_processor.web import options as web_options


def all_options() -> Namespace:
    """Return the options of the processor and of ``socorro serve``: one file is for all commands."""
    options: Namespace = ProcessorApp.get_required_config()
    options.collector = Collector.get_required_config()
    options.web = web_options.required_config
    options.retention = bounds.required_config
    return options
