"""Crash stores that save the crashes of several threads in one bulk request."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.crashstorage.elasticsearch.crashstorage import (
    NOT_SEARCHED,
    ESCrashStorage,
    ESCrashStorageRedactedJsonDump,
    ESCrashStorageRedactedSave,
)
from socorro_processor.crashstorage.elasticsearch.errors import DocumentTooLarge, translate_elasticsearch_error
from socorro_processor.errors import CrashStorageError, PermanentStorageError, TransientStorageError, without_frames
from socorro_processor.monitoring.metrics import METRICS

MAXIMUM_SIZE = 20_000_000
"""Bytes of documents that are sent together; a larger document is sent alone."""

_SAVED = frozenset((200, 201))
"""The statuses of a document that was replaced, or is new."""


@dataclass
class Operation:
    """A document to save: its part of a bulk request, and the outcome."""

    alias: str
    elsewhere: Sequence[str]
    """The indexes that must no longer have a document of this crash."""
    crash_id: str
    document: bytes
    is_elsewhere: bool = False
    error: CrashStorageError | None = None


@dataclass
class _Batch:
    operations: list[Operation] = field(default_factory=list)
    size: int = 0
    closed: bool = False
    """True if no more operations are added, because it is being sent or is about to be."""
    done: threading.Event = field(default_factory=threading.Event)


class GroupCommit:
    """Sends the operations of several threads together; each thread waits until its operation is sent.

    The first thread of a batch sends it: when it has ``maximum`` operations, ``interval`` seconds after the first,
    or as soon as all threads that use this object are waiting, because then no other will come. So a single thread
    never waits for others. ``send`` sets the ``error`` of each operation that failed.
    """

    def __init__(self, send: Callable[[Sequence[Operation]], None], maximum: int, interval: float) -> None:
        self._send = send
        self._maximum = maximum
        self._interval = interval
        self._changed = threading.Condition()
        self._batch = _Batch()
        self._waiting = 0
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    def put(self, operation: Operation) -> None:
        """Return once the document is saved, or raise its error."""
        with self._changed:
            self._threads.add(threading.current_thread())
            self._waiting += 1
            batch = self._join(operation)
        try:
            if batch.operations[0] is operation:
                self._lead(batch)
            else:
                batch.done.wait()
        finally:
            with self._changed:
                self._waiting -= 1
        error, operation.error = operation.error, None
        if error is not None:
            try:
                raise error
            finally:
                # The error holds this frame, and so the document: this frame must not hold the error.
                del error

    def _join(self, operation: Operation) -> _Batch:
        if self._batch.operations and self._batch.size + len(operation.document) > MAXIMUM_SIZE:
            self._close(self._batch)
        batch = self._batch
        batch.operations.append(operation)
        batch.size += len(operation.document)
        if len(batch.operations) >= self._maximum or self._waiting >= self._callers():
            self._close(batch)
        return batch

    def _callers(self) -> int:
        return sum(thread.is_alive() for thread in self._threads)

    def _close(self, batch: _Batch) -> None:
        if not batch.closed:
            batch.closed = True
            self._batch = _Batch()
            self._changed.notify_all()

    def _lead(self, batch: _Batch) -> None:
        try:
            with self._changed:
                self._changed.wait_for(lambda: batch.closed, self._interval)
                self._close(batch)
            self._send(batch.operations)
        except BaseException:
            # The other threads must neither wait for ever nor believe that their crashes are saved.
            _fail(batch.operations, TransientStorageError("the thread that sent a bulk request for others has failed"))
            raise
        finally:
            batch.done.set()


class _Bulk(ESCrashStorage):
    """Saves in bulk. A save returns only after the answer to the bulk request says that its crash is saved."""

    required_config = Namespace()
    required_config.add_option(
        "items_per_bulk_load", default=100, doc="maximum number of crashes that one request saves"
    )
    required_config.add_option(
        "flush_interval",
        default=0.2,
        doc="maximum number of seconds that a crash waits for others, to be saved by the same request",
    )

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._commit = GroupCommit(self._send, config.items_per_bulk_load, config.flush_interval)

    def put(self, alias: str, elsewhere: Sequence[str], crash_id: str, document: bytes) -> bool:
        operation = Operation(alias, elsewhere, crash_id, document)
        self._commit.put(operation)
        return operation.is_elsewhere

    def _send(self, operations: Sequence[Operation]) -> None:
        METRICS.increment("elasticsearch.bulk.requests")
        METRICS.increment("elasticsearch.bulk.crashes", len(operations))
        documents = [len(operation.document) for operation in operations]
        try:
            results = self._connection.bulk(b"".join(map(_lines, operations)), documents)
        except PermanentStorageError as error:
            if len(operations) == 1:
                operations[0].error = without_frames(error)
                return
            # It may be the fault of one of them, or of all together: each is sent alone to find out.
            for operation in operations:
                self._send([operation])
            return
        except CrashStorageError as error:
            _fail(operations, error)
            return
        for operation, result in zip(operations, results, strict=True):
            if result["status"] not in _SAVED:
                what = f"save crash {operation.crash_id} through alias {operation.alias}"
                operation.error = translate_elasticsearch_error(result["status"], result, what, documents)
        self._look_elsewhere([operation for operation in operations if operation.error is None])
        if len(operations) > 1:
            for operation in operations:
                if isinstance(operation.error, DocumentTooLarge):
                    # There was no room for it together with the others.
                    operation.error = None
                    self._send([operation])

    def _look_elsewhere(self, operations: Sequence[Operation]) -> None:
        places = [(index, operation.crash_id) for operation in operations for index in operation.elsewhere]
        try:
            crash_ids = self._connection.ids_with_document(places, ignored=NOT_SEARCHED)
        except CrashStorageError as error:
            _fail(operations, error)
            return
        for operation in operations:
            operation.is_elsewhere = operation.crash_id in crash_ids


def _fail(operations: Sequence[Operation], error: CrashStorageError) -> None:
    """Give each operation its own error, because several threads raise them."""
    for operation in operations:
        operation.error = type(error)(str(error))


def _lines(operation: Operation) -> bytes:
    action = json.dumps({"index": {"_index": operation.alias, "_id": operation.crash_id}}).encode()
    return b"%b\n%b\n" % (action, operation.document)


class ESBulkCrashStorage(_Bulk):
    """ESCrashStorage, in bulk."""


class ESBulkCrashStorageRedactedSave(_Bulk, ESCrashStorageRedactedSave):
    """ESCrashStorageRedactedSave, in bulk."""


class ESBulkCrashStorageRedactedJsonDump(_Bulk, ESCrashStorageRedactedJsonDump):
    """ESCrashStorageRedactedJsonDump, in bulk."""
