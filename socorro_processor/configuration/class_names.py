"""Find components by their dotted class names in the configuration, including the names of 2016."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from socorro_processor.configuration.configman_compat import Namespace
from socorro_processor.errors import raise_if_of_this_machine

_BREAKPAD = "socorro.processor.breakpad_transform_rules."
_GENERAL = "socorro.processor.general_transform_rules."
_MOZILLA = "socorro.processor.mozilla_transform_rules."
_SIGNATURE = "socorro.processor.signature_utilities."
_SUPPORT = "socorro.processor.support_classifiers."
_SKUNK = "socorro.processor.skunk_classifiers."
_EXTERNAL = "socorro.external."
_BOTO = _EXTERNAL + "boto."
_POSTGRESQL = "socorro.external.postgresql.crashstorage."
_ES = _EXTERNAL + "es."
_ELASTICSEARCH = "crashstorage.elasticsearch."
_STATSD = _EXTERNAL + "statsd."

OLD_NAMES: dict[str, str] = {
    "socorrolib.lib.threaded_task_manager.ThreadedTaskManager": "app.threaded_task_manager.ThreadedTaskManager",
    # as the architecture document of 2016 spells it
    "socorrolib.lib.threaded_task_manager.ThreadedTaskManater": "app.threaded_task_manager.ThreadedTaskManager",
    "socorrolib.lib.task_manager.TaskManager": "app.task_manager.TaskManager",
    "socorrolib.lib.transform_rules.TransformRuleSystem": "pipeline.rule_system.TransformRuleSystem",
    "socorro.app.fetch_transform_save_app.FetchTransformSaveApp": "app.fetch_transform_save.FetchTransformSaveApp",
    "socorro.app.fetch_transform_save_app.FetchTransformSaveWithSeparateNewCrashSourceApp": (
        "app.fetch_transform_save.FetchTransformSaveWithSeparateNewCrashSourceApp"
    ),
    _EXTERNAL + "rabbitmq.crashstorage.RabbitMQCrashStorage": "crashqueue.rabbitmq.crashqueue.RabbitMQCrashQueue",
    _EXTERNAL + "rabbitmq.rmq_new_crash_source.RMQNewCrashSource": "crashqueue.rabbitmq.crashqueue.RabbitMQCrashQueue",
    "socorro.processor.processor_app.ProcessorApp": "app.processor_app.ProcessorApp",
    "socorro.processor.processor_2015.Processor2015": "pipeline.processor_pipeline.ProcessorPipeline",
    "socorro.processor.mozilla_processor_2015.MozillaProcessorAlgorithm2015": (
        "pipeline.mozilla_2015.MozillaProcessorAlgorithm2015"
    ),
    "socorro.processor.symbol_cache_manager.SymbolLRUCacheManager": "symbol_cache.manager.SymbolLRUCacheManager",
    _EXTERNAL + "crashstorage_base.PolyCrashStorage": "crashstorage.poly.PolyCrashStorage",
    # as the architecture document of 2016 spells it
    _EXTERNAL + "crashstorage_base.PolyCrashstorage": "crashstorage.poly.PolyCrashStorage",
    _EXTERNAL + "crashstorage_base.FallbackCrashStorage": "crashstorage.fallback.FallbackCrashStorage",
    _EXTERNAL + "crashstorage_base.PrimaryDeferredStorage": "crashstorage.fallback.PrimaryDeferredStorage",
    _EXTERNAL + "crashstorage_base.NullCrashStorage": "crashstorage.null.NullCrashStorage",
    _EXTERNAL + "crashstorage_base.BenchmarkingCrashStorage": "crashstorage.statsd.StatsdBenchmarkingWrapper",
    _EXTERNAL + "crashstorage_base.Redactor": "crashstorage.redactor.Redactor",
    _EXTERNAL + "fs.crashstorage.FSPermanentStorage": "crashstorage.filesystem.FileSystemCrashStorage",
    _BOTO + "crashstorage.BotoS3CrashStorage": "crashstorage.s3.BotoS3CrashStorage",
    _BOTO + "crashstorage.BotoCrashStorage": "crashstorage.s3.BotoS3CrashStorage",
    # as the architecture document of 2016 spells it
    _BOTO + "crashstorage.BotoS3CrashStore": "crashstorage.s3.BotoS3CrashStorage",
    _BOTO + "crashstorage.TelemetryBotoS3CrashStorage": "crashstorage.telemetry.TelemetryBotoS3CrashStorage",
    _BOTO + "connection_context.S3ConnectionContext": "crashstorage.s3_bucket.S3Bucket",
    _BOTO + "connection_context.RegionalS3ConnectionContext": "crashstorage.s3_bucket.S3Bucket",
    _BOTO + "connection_context.KeyBuilder": "crashstorage.keys.KeyBuilder",
    _BOTO + "connection_context.KeyBuilderBase": "crashstorage.keys.KeyBuilder",
    _BOTO + "connection_context.DatePrefixKeyBuilder": "crashstorage.keys.DatePrefixKeyBuilder",
    _BOTO + "connection_context.SimpleDatePrefixKeyBuilder": "crashstorage.keys.SimpleDatePrefixKeyBuilder",
    _POSTGRESQL + "PostgreSQLCrashStorage": "crashstorage.postgresql.crashstorage.PostgreSQLCrashStorage",
    # as the architecture document of 2016 spells it
    _POSTGRESQL + "PostgresSQLCrashStorage": "crashstorage.postgresql.crashstorage.PostgreSQLCrashStorage",
    _POSTGRESQL + "PostgreSQLBasicCrashStorage": "crashstorage.postgresql.crashstorage.PostgreSQLCrashStorage",
    _ES + "connection_context.ConnectionContext": _ELASTICSEARCH + "connection.ElasticsearchConnection",
    _ES + "index_creator.IndexCreator": _ELASTICSEARCH + "indexes.WeeklyIndexes",
    _ES + "crashstorage.ESCrashStorage": _ELASTICSEARCH + "crashstorage.ESCrashStorage",
    _ES + "crashstorage.ESCrashStorageNoStackwalkerOutput": _ELASTICSEARCH + "crashstorage.ESCrashStorageRedactedSave",
    _ES + "crashstorage.ESCrashStorageRedactedSave": _ELASTICSEARCH + "crashstorage.ESCrashStorageRedactedSave",
    _ES + "crashstorage.ESCrashStorageRedactedJsonDump": _ELASTICSEARCH + "crashstorage.ESCrashStorageRedactedJsonDump",
    _ES + "crashstorage.ESBulkCrashStorage": _ELASTICSEARCH + "bulk.ESBulkCrashStorage",
    _ES + "crashstorage.ESBulkCrashStorageRedactedSave": _ELASTICSEARCH + "bulk.ESBulkCrashStorageRedactedSave",
    _ES + "crashstorage.ESBulkCrashStorageRedactedJsonDump": _ELASTICSEARCH + "bulk.ESBulkCrashStorageRedactedJsonDump",
    **{
        f"{_EXTERNAL}fs.crashstorage.{name}": "crashstorage.filesystem.FileSystemCrashStorage"
        for name in (
            "FSRadixTreeStorage",
            "FSLegacyRadixTreeStorage",
            "FSDatedRadixTreeStorage",
            "FSLegacyDatedRadixTreeStorage",
            "FSDatedPermanentStorage",
            "FSTemporaryStorage",
        )
    },
    _STATSD + "statsd_base.StatsdCounter": "crashstorage.statsd.StatsdCounter",
    _STATSD + "statsd_base.StatsdBenchmarkingWrapper": "crashstorage.statsd.StatsdBenchmarkingWrapper",
    _STATSD + "statsd.StatsdCounter": "crashstorage.statsd.StatsdCounter",
    _STATSD + "statsd.StatsdBenchmarkingWrapper": "crashstorage.statsd.StatsdBenchmarkingWrapper",
    _STATSD + "crashstorage.StatsdCrashStorage": "crashstorage.statsd.StatsdCounter",
    _STATSD + "crashstorage.StatsdBenchmarkingCrashStorage": "crashstorage.statsd.StatsdBenchmarkingWrapper",
    _STATSD + "statsd_rule_benchmark.StatsdRuleBenchmarkWrapper": (
        "rules.statsd_rule_benchmark.StatsdRuleBenchmarkWrapper"
    ),
    _GENERAL + "IdentifierRule": "rules.general.IdentifierRule",
    _GENERAL + "CPUInfoRule": "rules.general.CPUInfoRule",
    _GENERAL + "OSInfoRule": "rules.general.OSInfoRule",
    _BREAKPAD + "BreakpadStackwalkerRule2015": "rules.breakpad.BreakpadStackwalkerRule2015",
    # as the architecture document of 2016 spells it
    _BREAKPAD + "BreakdpadStaclkwalkerRule2015": "rules.breakpad.BreakpadStackwalkerRule2015",
    _BREAKPAD + "CrashingThreadRule": "rules.crash_info.CrashingThreadRule",
    _MOZILLA + "ProductRewrite": "rules.raw_transform.ProductRewrite",
    _MOZILLA + "ESRVersionRewrite": "rules.raw_transform.ESRVersionRewrite",
    _MOZILLA + "PluginContentURL": "rules.raw_transform.PluginContentURL",
    _MOZILLA + "PluginUserComment": "rules.raw_transform.PluginUserComment",
    _MOZILLA + "FennecBetaError20150430": "rules.raw_transform.FennecBetaError20150430",
    _MOZILLA + "ProductRule": "rules.mozilla.ProductRule",
    _MOZILLA + "UserDataRule": "rules.mozilla.UserDataRule",
    _MOZILLA + "EnvironmentRule": "rules.mozilla.EnvironmentRule",
    _MOZILLA + "PluginRule": "rules.plugins.PluginRule",
    _MOZILLA + "AddonsRule": "rules.addons.AddonsRule",
    _MOZILLA + "DatesAndTimesRule": "rules.dates_and_times.DatesAndTimesRule",
    _MOZILLA + "OutOfMemoryBinaryRule": "rules.memory_report.OutOfMemoryBinaryRule",
    _MOZILLA + "JavaProcessRule": "rules.mozilla.JavaProcessRule",
    _MOZILLA + "Winsock_LSPRule": "rules.mozilla.Winsock_LSPRule",
    _MOZILLA + "BetaVersionRule": "rules.releases.BetaVersionRule",
    _MOZILLA + "ExploitablityRule": "rules.crash_info.ExploitablityRule",
    _MOZILLA + "FlashVersionRule": "rules.plugins.FlashVersionRule",
    _MOZILLA + "OSPrettyVersionRule": "rules.releases.OSPrettyVersionRule",
    _MOZILLA + "TopMostFilesRule": "rules.mozilla.TopMostFilesRule",
    _MOZILLA + "MissingSymbolsRule": "rules.missing_symbols.MissingSymbolsRule",
    _SIGNATURE + "SignatureGenerationRule": "rules.signature.SignatureGenerationRule",
    _SIGNATURE + "StackwalkerErrorSignatureRule": "rules.signature_rewriting.StackwalkerErrorSignatureRule",
    _SIGNATURE + "OOMSignature": "rules.signature_rewriting.OOMSignature",
    _SIGNATURE + "AbortSignature": "rules.signature_rewriting.AbortSignature",
    _SIGNATURE + "SignatureRunWatchDog": "rules.signature.SignatureRunWatchDog",
    _SIGNATURE + "SignatureIPCChannelError": "rules.signature_rewriting.SignatureIPCChannelError",
    _SIGNATURE + "SigTrunc": "rules.signature.SigTrunc",
    _SUPPORT + "BitguardClassifier": "rules.support.BitguardClassifier",
    _SUPPORT + "OutOfDateClassifier": "rules.support.OutOfDateClassifier",
    _BREAKPAD + "JitCrashCategorizeRule": "rules.jit.JitCrashCategorizeRule",
    _SIGNATURE + "SignatureJitCategory": "rules.jit.SignatureJitCategory",
    _SKUNK + "DontConsiderTheseFilter": "rules.skunk_filter.DontConsiderTheseFilter",
    _SKUNK + "UpdateWindowAttributes": "rules.skunk.UpdateWindowAttributes",
    _SKUNK + "SetWindowPos": "rules.skunk.SetWindowPos",
    _SKUNK + "SendWaitReceivePort": "rules.skunk.SendWaitReceivePort",
    _SKUNK + "Bug811804": "rules.skunk.Bug811804",
    _SKUNK + "Bug812318": "rules.skunk.Bug812318",
    _SKUNK + "NullClassification": "rules.skunk.NullClassification",
}
"""By names of the 2016 processor: the classes that do their work here, below ``socorro_processor``."""

FORMER_NAMES = {
    "socorro_processor.symbols.lru_cache_manager.SymbolLRUCacheManager": "symbol_cache.manager.SymbolLRUCacheManager",
}
"""By names of earlier versions of this project: today's names, below ``socorro_processor``."""

_OLD_MODULES = {
    # as the architecture document of 2016 spells it
    "socorro.processer.": "socorro.processor.",
    # before and after there was a socorrolib
    "socorro.lib.": "socorrolib.lib.",
}


def is_former_class_name(name: str) -> bool:
    """Return True for a class of the 2016 processor, or one that had another name in this project."""
    name = _in_today_modules(name)
    return name in OLD_NAMES or name in FORMER_NAMES


def class_converter(name: str) -> type[Any] | None:
    """Return the class with a dotted name; None if the name is empty. Raises ValueError, which says what is missing."""
    name = name.strip()
    if not name:
        return None
    name = _in_today_modules(name)
    if new_name := OLD_NAMES.get(name) or FORMER_NAMES.get(name):
        name = f"socorro_processor.{new_name}"
    module_name, _, class_name = name.rpartition(".")
    if not module_name:
        raise ValueError("a dotted class name, such as my_rules.MyRule, was expected")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        if module_name.split(".")[0] in ("socorro", "socorrolib"):
            raise ValueError("a class of the 2016 processor that has no counterpart in this one") from error
        raise_if_of_this_machine(error, f"importing {module_name}")
        raise ValueError(f"module {module_name} cannot be imported: {error}") from error
    component = getattr(module, class_name, None)
    if not isinstance(component, type):
        raise ValueError(f"module {module_name} has no class {class_name}")
    return component


def _in_today_modules(name: str) -> str:
    """Return the name of a class of 2016 with the module in which ``OLD_NAMES`` has it."""
    for old, new in _OLD_MODULES.items():
        if name.startswith(old):
            name = new + name.removeprefix(old)
    return name


def class_name(component: type[Any] | None) -> str:
    """Return the dotted name by which ``component`` can be configured."""
    return "" if component is None else f"{component.__module__}.{component.__qualname__}"


class ClassList:
    """Several classes, each with a numbered namespace for its options: ``storage0``, ``storage1``."""

    def __init__(self, names: str, template: str, option_name: str) -> None:
        self.classes = [each for name in names.split(",") if (each := class_converter(name)) is not None]
        self.namespaces = [template % index for index in range(len(self.classes))]
        self.required_config = Namespace()
        for namespace, component in zip(self.namespaces, self.classes, strict=True):
            self.required_config.namespace(namespace)
            self.required_config[namespace].add_option(
                option_name,
                default=component,
                doc=f"the class of {namespace}",
                from_string_converter=class_converter,
            )

    def to_str(self) -> str:
        return ", ".join(class_name(component) for component in self.classes)


def classes_in_namespaces(template: str, option_name: str) -> Callable[[str], ClassList]:
    """Return a converter from ``"a.B, c.D"`` to a ClassList. ``template``, such as ``storage%d``, names namespaces."""
    return lambda names: ClassList(names, template, option_name)
