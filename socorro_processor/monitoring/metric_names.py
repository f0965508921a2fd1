"""The table of all metrics: kind, name, labels and meaning.

``docs/metrics.rst`` shows this table. A test fails if it and what the code measures differ.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "duration"]


class Metric(NamedTuple):
    kind: Kind
    name: str
    labels: tuple[str, ...]
    meaning: str


ALL_METRICS = (
    Metric("gauge", "info", ("version",), "1, with the version of the processor"),
    Metric("gauge", "ready", (), "1 if the processor can do its work, else 0: /readyz says why"),
    Metric("counter", "crash.saved", ("queue",), "crashes that every destination has"),
    Metric("counter", "crash.kept_earlier", ("queue",), "saved crashes that kept their earlier, better result"),
    Metric("counter", "crash.retried", ("cause", "queue"), "attempts that failed: own, transient or not_found"),
    Metric("counter", "crash.parked", ("queue",), "crashes set aside for an operator after their last attempt"),
    Metric("counter", "crash.rejected", ("queue",), "ids that are not crash ids, or that have no raw crash"),
    Metric("counter", "crash.untold", ("queue",), "crashes that come again: their end could not be recorded"),
    Metric("duration", "fetch", (), "fetching a raw crash and its dumps from the source store"),
    Metric("duration", "stackwalk", (), "the walk of one dump by the stackwalker"),
    Metric("duration", "stackwalk.cpu", (), "the CPU time of the walk of one dump"),
    Metric("counter", "stackwalk.ended", ("outcome",), "dumps by the outcome of their walk: OK, or why it failed"),
    Metric("counter", "stackwalk.no_minidump", (), "crashes without a main minidump"),
    Metric("duration", "rules", (), "all rules, without the stackwalker"),
    Metric("duration", "rule", ("rule",), "one rule"),
    Metric("counter", "rule.failed", ("rule",), "crashes on which a rule failed; each has a note about it"),
    Metric("duration", "saves", (), "all destination stores"),
    Metric("duration", "save", ("store",), "one of several stores, by its section: storage0"),
    Metric("gauge", "queue.waiting", ("queue",), "crash ids that wait; gauges are read every 15 s"),
    Metric("gauge", "queue.delayed", ("queue",), "crash ids that wait until their next attempt is due"),
    Metric("gauge", "queue.in_flight", ("queue",), "crash ids in work; with RabbitMQ those of this process alone"),
    Metric("gauge", "queue.oldest", ("queue",), "seconds since the oldest unfinished id was submitted, if known"),
    Metric("gauge", "queue.parked", (), "crashes that an operator has to look at"),
    Metric("gauge", "queue.rejected", (), "rejected crash ids that are kept"),
    Metric("counter", "queue.rejected_dropped", (), "rejected ids dropped for newer ones (maximum_rejected)"),
    Metric("gauge", "queue.suspect", (), "crashes that may kill processors, and wait to be processed alone"),
    Metric("counter", "postgresql.left_out", ("column",), "values left out because their column cannot take them"),
    Metric("counter", "postgresql.partition_not_made", (), "weeks whose crashes go to the default partition"),
    Metric("counter", "elasticsearch.left_out", ("field",), "values that do not fit the mapping of their field"),
    Metric("counter", "elasticsearch.bulk.requests", (), "bulk requests"),
    Metric("counter", "elasticsearch.bulk.crashes", (), "crashes in bulk requests"),
    Metric("gauge", "collector.spool.crashes", (), "answered crashes that are yet to be handed over"),
    Metric("gauge", "collector.spool.bytes", (), "their bytes on the disk of the spool"),
    Metric("gauge", "collector.spool.oldest", (), "seconds since the oldest of them arrived"),
    Metric("gauge", "collector.spool.reserve", (), "bytes that are kept for uploads on a full disk"),
    Metric("gauge", "collector.spool.set_aside", (), "crashes in the spool that an operator has to look at"),
    Metric("counter", "collector.accepted", (), "uploads that were kept, and answered with a new crash id"),
    Metric("counter", "collector.known", (), "uploads that were sent again, and got their former answer"),
    Metric("counter", "collector.rejected", ("rule",), "uploads that a throttle rule rejected"),
    Metric("counter", "collector.refused", (), "uploads that could not be taken: /refused says why"),
    Metric("duration", "collector.synchronize", (), "writing an upload to the disk before its answer"),
    Metric("counter", "collector.handed_over", (), "crashes that store and queue took from the spool"),
    Metric("duration", "collector.save", (), "saving one crash of the spool in the store, also in vain"),
    Metric("counter", "collector.retried", (), "failures to hand a crash over; it stays in the spool"),
    Metric(
        "counter",
        "collector.renamed",
        (),
        "crashes stored with another id than answered, which was taken",
    ),
    Metric(
        "counter", "collector.set_aside", ("reason",), "crashes that were set aside in the spool: damaged or failed"
    ),
    Metric("duration", "retention.round", (), "keeping a store within its bounds once, rests included"),
    Metric("gauge", "retention.crashes", (), "crashes in a store that socorro serve bounds"),
    Metric("gauge", "retention.bytes", (), "their bytes on the disk"),
    Metric("counter", "retention.removed", ("reason",), "crashes that were removed by age, bytes or product"),
    Metric("counter", "retention.dumps_removed", (), "crashes that lost their dumps (keep_dumps)"),
    Metric("gauge", "disk.free", ("place",), "bytes free on the disk of crashes, index, queue or spool"),
    Metric("gauge", "disk.low", (), "disks with little room (retention.disk_low)"),
    Metric("counter", "search.queued", ("reason",), "crashes that the search index could not take yet"),
    Metric("counter", "search.lost", (), "crashes that it could not even queue: socorro search index adds them"),
    Metric("counter", "search.left_out", ("field",), "values that the search index cut, or left out"),
    Metric("duration", "symbols.supply", (), "fetching the symbol files for a dump"),
    Metric("duration", "symbols.download", (), "fetching one file from one source"),
    Metric("counter", "symbols.supplied", ("outcome",), "symbol files asked for: cached, fetched, missing or failed"),
    Metric("counter", "symbols.source_failed", (), "requests that a source did not answer, or too slowly"),
    Metric("duration", "symbols.indexing", (), "making the index of one symbol file"),
    Metric("counter", "symbols.indexed", (), "symbol files that were indexed"),
    Metric("counter", "symbols.index_failed", (), "symbol files that could not be indexed"),
    Metric("counter", "symbols.used", ("how",), "symbol files in walks, by how they were read"),
    Metric("counter", "stackwalk.verified", (), "dumps that were walked a second time, to verify the walk"),
    Metric("counter", "stackwalk.differences", (), "verified dumps whose two walks differ: report it"),
    Metric("gauge", "symbol_cache.files", (), "symbol files in the cache"),
    Metric("gauge", "symbol_cache.bytes", (), "total size of the symbol files in the cache"),
    Metric("gauge", "symbol_cache.limit", (), "total size that the symbol files may reach"),
    Metric("gauge", "symbol_cache.oldest", (), "seconds since the last use of the least recently used file"),
    Metric("counter", "symbol_cache.hits", (), "uses of a file"),
    Metric("counter", "symbol_cache.evictions", (), "files removed to make room"),
    Metric("counter", "symbol_cache.evicted_bytes", (), "total size of the files removed to make room"),
    Metric("counter", "symbol_cache.overflows", (), "times that the kernel could not report all file events"),
    Metric("counter", "companion.ended", (), "companion processes that ended, and were started again"),
    Metric("counter", "web.requests", ("page", "status"), "requests that socorro serve answered, or whose client left"),
    Metric("duration", "web.request", ("page",), "one request, from its headers to the end of the answer"),
    Metric("gauge", "web.connections", (), "open connections"),
    Metric("counter", "web.cut", ("reason",), "connections closed because they were too slow, or too many"),
    Metric("counter", "web.processor_ended", (), "processors beside the server that ended, and were started again"),
    Metric("counter", "log.dropped", (), "log lines dropped because the log was not read or written"),
    Metric("duration", "job", ("job",), "a job of socorro cron"),
    Metric("counter", "job.ended", ("job", "outcome"), "jobs that succeeded, failed or were refused"),
    Metric("counter", "job.removed", ("job",), "partitions, indexes, crashes and left-overs that jobs removed"),
    Metric("counter", "missing_symbols.rows", (), "distinct symbol files that missing-symbols wrote"),
    Metric("counter", "reference.changed", ("table",), "rows of reference data that were added, changed or removed"),
    Metric("counter", "reprocessing_jobs.queued", (), "rows of reprocessing_jobs whose crashes were queued"),
    Metric("counter", "reprocessing_jobs.refused", (), "rows of reprocessing_jobs that are not crash ids"),
    Metric("counter", "verify.raw", (), "raw crashes that verify-processed looked at"),
    Metric("counter", "verify.missing", ("store",), "crashes that are missing from a store"),
    Metric("counter", "verify.parked", (), "missing crashes that are parked"),
    Metric("counter", "verify.queued", (), "missing crashes that were queued again"),
    Metric("counter", "verify.left", (), "missing crashes that are neither parked, queued nor in work"),
)
