"""Everything that is counted, timed or gauged, by name, with a few words on each.

``docs/metrics.rst`` shows this table. A test fails if something is measured that is not here, or the other way round.
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
    Measured("gauge", "ready", (), "1 if the processor can do its work, else 0: /readyz says why"),
    Measured("counter", "crash.saved", ("queue",), "crashes that every destination has"),
    Measured("counter", "crash.kept_earlier", ("queue",), "saved crashes that kept their earlier, better result"),
    Measured("counter", "crash.retried", ("cause", "queue"), "attempts that failed: own, transient or not_found"),
    Measured("counter", "crash.parked", ("queue",), "crashes that were given up, and set aside for an operator"),
    Measured("counter", "crash.rejected", ("queue",), "ids that are not crash ids, or that have no raw crash"),
    Measured("counter", "crash.untold", ("queue",), "crashes whose end the queue could not be told: they come again"),
    Measured("duration", "fetch", (), "getting raw crash and dumps from the source store"),
    Measured("duration", "stackwalk", (), "the walk of one dump by the stackwalker"),
    Measured("duration", "stackwalk.cpu", (), "the CPU time of the walk of one dump"),
    Measured("counter", "stackwalk.ended", ("outcome",), "dumps by the outcome of their walk: OK, or why it failed"),
    Measured("counter", "stackwalk.no_minidump", (), "crashes without a main minidump"),
    Measured("duration", "rules", (), "all rules, without the stackwalker"),
    Measured("duration", "rule", ("rule",), "one rule"),
    Measured("counter", "rule.failed", ("rule",), "crashes on which a rule failed, each with a note that says so"),
    Measured("duration", "saves", (), "all destination stores"),
    Measured("duration", "save", ("store",), "one of several stores, by its section: storage0"),
    Measured("gauge", "queue.waiting", ("queue",), "crash ids that wait; gauges are read every 15 s"),
    Measured("gauge", "queue.delayed", ("queue",), "crash ids that wait until their next attempt is due"),
    Measured("gauge", "queue.in_flight", ("queue",), "crash ids in work; with RabbitMQ those of this process alone"),
    Measured("gauge", "queue.oldest", ("queue",), "seconds since the oldest unfinished id was submitted, if known"),
    Measured("gauge", "queue.parked", (), "crashes that an operator has to look at"),
    Measured("gauge", "queue.rejected", (), "rejected crash ids that are kept"),
    Measured("counter", "queue.rejected_dropped", (), "rejected ids dropped for newer ones (maximum_rejected)"),
    Measured("gauge", "queue.suspect", (), "crashes that may kill processors, and wait to be processed alone"),
    Measured("counter", "postgresql.left_out", ("column",), "values that their column in reports does not take"),
    Measured("counter", "postgresql.partition_not_made", (), "weeks whose crashes go to the default partition"),
    Measured("counter", "elasticsearch.left_out", ("field",), "values that do not fit the mapping of their field"),
    Measured("counter", "elasticsearch.bulk.requests", (), "bulk requests"),
    Measured("counter", "elasticsearch.bulk.crashes", (), "crashes in bulk requests"),
    Measured("duration", "symbols.supply", (), "getting the symbol files for a dump"),
    Measured("duration", "symbols.download", (), "getting one file from one source"),
    Measured("counter", "symbols.supplied", ("outcome",), "symbol files asked for: cached, fetched, missing or failed"),
    Measured("counter", "symbols.source_failed", (), "answers that a source did not give, or gave too slowly"),
    Measured("duration", "symbols.indexing", (), "making the index of one symbol file"),
    Measured("counter", "symbols.indexed", (), "symbol files that were indexed"),
    Measured("counter", "symbols.index_failed", (), "symbol files that could not be indexed"),
    Measured("counter", "symbols.used", ("how",), "symbol files in walks, by how they were read"),
    Measured("counter", "stackwalk.verified", (), "dumps that were walked a second time, as the reference does"),
    Measured("counter", "stackwalk.differences", (), "verified dumps whose two walks differ: report it"),
    Measured("gauge", "symbol_cache.files", (), "symbol files in the cache"),
    Measured("gauge", "symbol_cache.bytes", (), "total size of the symbol files in the cache"),
    Measured("gauge", "symbol_cache.limit", (), "total size that the symbol files may reach"),
    Measured("gauge", "symbol_cache.oldest", (), "seconds since the last use of the file unused for longest"),
    Measured("counter", "symbol_cache.hits", (), "uses of a file"),
    Measured("counter", "symbol_cache.evictions", (), "files removed to make room"),
    Measured("counter", "symbol_cache.evicted_bytes", (), "total size of the files removed to make room"),
    Measured("counter", "symbol_cache.overflows", (), "times that more happened than the kernel could report"),
    Measured("counter", "companion.ended", (), "companion processes that ended, and were started again"),
    Measured("counter", "log.dropped", (), "log lines that were dropped: the log was not read, or not written"),
    Measured("duration", "job", ("job",), "a job of socorro cron"),
    Measured("counter", "job.ended", ("job", "outcome"), "jobs that succeeded, failed or were refused"),
    Measured("counter", "job.removed", ("job",), "partitions, indexes, crashes and left-overs that jobs removed"),
    Measured("counter", "missing_symbols.rows", (), "distinct symbol files that missing-symbols listed"),
    Measured("counter", "reference.changed", ("table",), "rows of reference data that were added, changed or removed"),
    Measured("counter", "reprocessing_jobs.queued", (), "rows of reprocessing_jobs whose crashes were queued"),
    Measured("counter", "reprocessing_jobs.refused", (), "rows of reprocessing_jobs that are not crash ids"),
    Measured("counter", "verify.raw", (), "raw crashes that verify-processed looked at"),
    Measured("counter", "verify.missing", ("store",), "crashes that are missing from a store"),
    Measured("counter", "verify.parked", (), "missing crashes that are parked"),
    Measured("counter", "verify.queued", (), "missing crashes that were queued again"),
    Measured("counter", "verify.left", (), "missing crashes that are neither parked, queued nor in work"),
)
