"""Configuration by configman. Other rooms import its names from here.

A component declares its options beside itself and is built with their values:

    class MyStore(CrashStorageBase):
        required_config = Namespace()
        required_config.add_option("root", default="crashes", doc="directory of the crashes")

Values come from an ini file; the environment overrides it, and the command line overrides both.
"""

from socorro_processor.configuration.arguments import argument, read_day, read_days
from socorro_processor.configuration.class_names import class_converter, class_name, classes_in_namespaces
from socorro_processor.configuration.components import components, sections
from socorro_processor.configuration.configman_compat import DotDict, Namespace, RequiredConfig
from socorro_processor.configuration.converters import (
    OneOf,
    Seconds,
    WholeNumber,
    names,
    names_or_paths,
    share,
    size,
    size_or_auto,
)
from socorro_processor.configuration.loading import Configuration, defaults
from socorro_processor.configuration.sources import EnvironmentSource, Source, read_ini, split_command_line
from socorro_processor.configuration.writing import as_help, as_ini

__all__ = [
    "Configuration",
    "DotDict",
    "EnvironmentSource",
    "Namespace",
    "OneOf",
    "RequiredConfig",
    "Seconds",
    "Source",
    "WholeNumber",
    "argument",
    "as_help",
    "as_ini",
    "class_converter",
    "class_name",
    "classes_in_namespaces",
    "components",
    "defaults",
    "names",
    "names_or_paths",
    "read_day",
    "read_days",
    "read_ini",
    "sections",
    "share",
    "size",
    "size_or_auto",
    "split_command_line",
]
