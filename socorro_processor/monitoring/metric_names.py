"""Everything that is counted, timed or gauged, by name: for whoever sends it on with a word of what it is.

A table, of which ``docs/metrics.rst`` is the printed form. What is measured and is not here, or is here and is
measured nowhere, fails a test.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "duration"]


class Measured(NamedTuple):
    kind: Kind
    name: str
    labels: tuple[str, ...]
    meaning: str


MEASURED = (
    Measured("gauge", "info", ("version",), "1, with the version of the processor"),
    Measured("gauge", "ready", (), "1 where the processor can do its work, 0 where not: /readyz says why"),
    Measured("counter", "crash.saved", ("queue",), "crashes that every destination has"),
    Measured("counter", "crash.kept_earlier", ("queue",), "of these, crashes whose new result was worse: not saved"),
    Measured("counter", "crash.retried", ("cause", "queue"), "attempts that failed: own, transient or not_found"),
    Measured("counter", "crash.parked", ("queue",), "crashes that were given up, and are kept for an operator"),
    Measured("counter", "crash.rejected", ("queue",), "crash ids that are none, or of which there is no raw crash"),
    Measured("counter", "crash.untold", ("queue",), "crashes whose end the queue could not be told: they come again"),
    Measured("duration", "fetch", (), "raw crash and dumps from the source store"),
    Measured("duration", "stackwalk", (), "the stackwalker, for one dump"),
    Measured("duration", "stackwalk.cpu", (), "the CPU time of that"),
    Measured("counter", "stackwalk.ended", ("outcome",), "dumps by the outcome of their walk: OK, or why it failed"),
    Measured("counter", "stackwalk.no_minidump", (), "crashes without a main minidump"),
    Measured("duration", "rules", (), "all rules, without the stackwalker"),
    Measured("duration", "rule", ("rule",), "one rule"),
    Measured("counter", "rule.failed", ("rule",), "crashes on which a rule failed, each with a note that says so"),
    Measured("duration", "saves", (), "all destination stores"),
    Measured("duration", "save", ("store",), "one of several stores, by its section: storage0"),
    Measured("gauge", "queue.waiting", ("queue",), "crash ids that wait; gauges are looked at every 15 s"),
    Measured("gauge", "queue.delayed", ("queue",), "crash ids that wait until their next attempt is due"),
    Measured("gauge", "queue.in_flight", ("queue",), "crash ids in work; with RabbitMQ those of this process alone"),
    Measured("gauge", "queue.oldest", ("queue",), "seconds since the oldest of all these was submitted, where known"),
    Measured("gauge", "queue.parked", (), "crashes that an operator has to look at"),
    Measured("gauge", "queue.rejected", (), "rejected crash ids that are kept"),
    Measured("counter", "queue.rejected_dropped", (), "rejected ids that went for newer ones: maximum_rejected"),
    Measured("gauge", "queue.suspect", (), "crashes that may kill processors: they wait to be alone"),
    Measured("counter", "postgresql.left_out", ("column",), "values that their column in reports does not take"),
    Measured("counter", "postgresql.partition_not_made", (), "weeks whose crashes go to the default partition"),
    Measured("counter", "elasticsearch.left_out", ("field",), "values that do not fit the mapping of their field"),
    Measured("counter", "elasticsearch.bulk.requests", (), "bulk requests"),
    Measured("counter", "elasticsearch.bulk.crashes", (), "crashes in these"),
    Measured("duration", "symbols.supply", (), "symbol files got for a dump"),
    Measured("duration", "symbols.download", (), "one file from one source"),
    Measured("counter", "symbols.supplied", ("outcome",), "files: cached, fetched, missing or failed"),
    Measured("counter", "symbols.source_failed", (), "answers that a source did not give, or gave too slowly"),
    Measured("duration", "symbols.indexing", (), "the index of one symbol file, made"),
    Measured("counter", "symbols.indexed", (), "symbol files that were indexed"),
    Measured("counter", "symbols.index_failed", (), "symbol files that could not be"),
    Measured("counter", "symbols.used", ("how",), "symbol files in walks, by how they were read"),
    Measured("counter", "stackwalk.verified", (), "dumps walked a second time as the reference does"),
    Measured("counter", "stackwalk.differences", (), "of these, those of another outcome: report it"),
    Measured("gauge", "symbol_cache.files", (), "symbol files in the cache"),
    Measured("gauge", "symbol_cache.bytes", (), "their sizes in all"),
    Measured("gauge", "symbol_cache.limit", (), "what these may come to"),
    Measured("gauge", "symbol_cache.oldest", (), "seconds since the use of the file that was unused for longest"),
    Measured("counter", "symbol_cache.hits", (), "uses of a file"),
    Measured("counter", "symbol_cache.evictions", (), "files that were removed for room"),
    Measured("counter", "symbol_cache.evicted_bytes", (), "their sizes in all"),
    Measured("counter", "symbol_cache.overflows", (), "times that more happened than the kernel could tell of"),
    Measured("counter", "companion.ended", (), "companion processes that ended, and were started again"),
    Measured("counter", "log.dropped", (), "log lines that nobody has: the log was not read, or not written"),
    Measured("duration", "job", ("job",), "a job of socorro cron"),
    Measured("counter", "job.ended", ("job", "outcome"), "jobs that succeeded, failed or were refused"),
    Measured("counter", "job.removed", ("job",), "partitions, indexes, crashes and left-overs that jobs removed"),
    Measured("counter", "missing_symbols.rows", (), "distinct symbol files that missing-symbols wrote down"),
    Measured("counter", "reference.changed", ("table",), "rows of reference data that were added, changed or removed"),
    Measured("counter", "reprocessing_jobs.queued", (), "rows of reprocessing_jobs whose crashes were queued"),
    Measured("counter", "reprocessing_jobs.refused", (), "rows of it that are no crash ids"),
    Measured("counter", "verify.raw", (), "raw crashes that verify-processed looked at"),
    Measured("counter", "verify.missing", ("store",), "crashes that are missing in a store"),
    Measured("counter", "verify.parked", (), "those of the missing that are parked"),
    Measured("counter", "verify.queued", (), "those that were queued again"),
    Measured("counter", "verify.left", (), "those that are missing still, and nobody's"),
)
