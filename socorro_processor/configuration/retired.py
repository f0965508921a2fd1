"""Options of the 2016 processor that have another name here, or none.

A file from 2016 may contain them. A pattern without a dot is the option's name in any section; one with a dot, which
may have ``*``, is the whole key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

_RETRIES = "stores and queues retry on their own"
_CONNECTIONS = "each store and queue keeps its own connections"
_FILES = "files have the names that objects have in S3"
_TEMPLATE = "`socorro setup` makes the index template"
_LISTS = "signature lists are files: see siglists_directory"
_LOGS = "logs go to standard error: see logging.level and logging.format"
_QUEUED = "every crash in a queue is processed"
_WALKER = "the stackwalker does it, or nothing reads it"
_SLICES = "socorro-stackwalk reads only the parts of symbol files that it needs: there are no slices"

RETIRED: dict[str, str] = {
    "application": "the command says what runs: socorro processor",
    "admin.strict": "an unknown option is an error",
    "admin.expose_secrets": "secrets are never printed",
    "always_ignore_mismatches": "an unknown option is an error",
    "number_of_submissions": "the processor runs until it is told to stop",
    "quit_on_empty_queue": "the processor runs until it is told to stop",
    "worker_task.*": "fetch, transform and save are always the same three steps",
    "registrar.*": "processors need not know each other",
    "sentry.*": "failures are in the log and in the metrics",
    # connections
    "transaction_executor_class": _RETRIES,
    "backoff_delays": _RETRIES,
    "wait_log_interval": _RETRIES,
    "rabbitmq_class": _CONNECTIONS,
    "rabbitmq_connection_wrapper_class": _CONNECTIONS,
    "database_class": _CONNECTIONS,
    "elasticsearch_class": _CONNECTIONS,
    "elasticsearch_connection_wrapper_class": _CONNECTIONS,
    "resource_class": _CONNECTIONS,
    "calling_format": "boto3 finds out how a bucket is addressed",
    "routing_key": "the submitter of a crash chooses its queue",
    "filter_on_legacy_processing": _QUEUED,
    "throttle": _QUEUED,
    # stores
    "benchmark_tag": "the log line of each crash has the time of each step",
    "statsd_class": "there is one statsd client",
    "stats_class": "there is one statsd client",
    "json_object_hook": "a crash is read as plain JSON",
    "temporary_file_system_storage_path": "see app.temporary_directory",
    "dump_field": "the main dump is upload_file_minidump",
    "dump_file_suffix": _FILES,
    "json_file_suffix": _FILES,
    "jsonz_file_suffix": _FILES,
    "name_branch_base": _FILES,
    "date_branch_base": _FILES,
    "minutes_per_slice": _FILES,
    "umask": "the umask is that of the process",
    "elasticsearch_timeout_extended": "elasticsearch_timeout applies to every request",
    "elasticsearch_doctype": "Elasticsearch 8 has no document types",
    "elasticsearch_index_settings": _TEMPLATE,
    "elasticsearch_index_alias": _TEMPLATE,
    "elasticsearch_shards_per_index": _TEMPLATE,
    "elasticsearch_emails_index": _TEMPLATE,
    "elasticsearch_emails_index_settings": _TEMPLATE,
    "use_mapping_file": _TEMPLATE,
    # rules
    "tag": "a rule set is known by its name",
    "chatty": "see logging.level",
    "chatty_rules": "see logging.level",
    "processor.*database_*": "rules look up reference data: see reference_class",
    "c_signature_tool_class": "there is one way to make a signature of a C stack",
    "java_signature_tool_class": "there is one way to make a signature of a Java stack",
    "irrelevant_signature_re": _LISTS,
    "prefix_signature_re": _LISTS,
    "signature_sentinels": _LISTS,
    "signatures_with_line_numbers_re": _LISTS,
    "collect_crash_process": "it is always kept",
    "crashing_thread_frame_threshold": _WALKER,
    "crashing_thread_tail_frame_threshold": _WALKER,
    "exploitability_tool_command_line": _WALKER,
    "exploitability_tool_pathname": _WALKER,
    "slicing": _SLICES,
    "symbol_index_memory": _SLICES,
    "verify_slices": "see verify_walks",
    # logs
    "syslog_*": _LOGS,
    "stderr_*": _LOGS,
}
"""Options without effect. If one is set, the log says what became of it."""

MOVED: dict[str, str] = {
    "processor.*.rules_list": "processor.rule_sets",
    "processor.*.action": "processor.rule_sets",
    "processor.*.rule_system_class": "processor.rule_sets",
    "*.es_redactor.*": "forbidden_keys of the store itself",
    "storage_namespaces": "storage_classes, with the options in storage0, storage1, ...",
}
"""Options that are an error, because the processor would behave differently without them. It says what to set now."""

_ALSO_OF_TODAY = ("calling_format", "elasticsearch_class", "elasticsearch_shards_per_index", "resource_class")
"""Names of retired options that other sections of today have, too."""

_FORMER_NAMES = {
    "root": "fs_root",
    "wrapped_crashstore": "wrapped_object_class",
    # In 2016, a new crash source read its ids from a crash store.
    "new_crash_source_class": "crashstorage_class",
}
_FORMER_SECTIONS = {"resource.filesystem": "resource.fs"}


def of_2016(key: str, table: Mapping[str, str]) -> str | None:
    """Return the entry of ``table`` for the option ``key``."""
    name = key.rpartition(".")[2]
    return next(
        (entry for pattern, entry in table.items() if fnmatchcase(key if "." in pattern else name, pattern)), None
    )


def is_name_of_2016(key: str) -> bool:
    """Return True if the option ``key`` was one of the 2016 processor, and has another name here, or none."""
    section, _, name = key.rpartition(".")
    if name == "crashstorage_class":
        return section == "new_crash_source"
    if name in _FORMER_NAMES.values():
        return True
    return name not in _ALSO_OF_TODAY and any(of_2016(key, table) for table in (RETIRED, MOVED))


def former_names(key: str) -> Iterator[str]:
    """Return the names that the option ``key`` had in 2016, and may still have."""
    section, _, name = key.rpartition(".")
    if name in _FORMER_NAMES:
        yield f"{_FORMER_SECTIONS.get(section, section)}.{_FORMER_NAMES[name]}".lstrip(".")
