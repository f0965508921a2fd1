"""Crash stores for searching: every crash is one document in Elasticsearch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from socorro_processor.configuration import DotDict, Namespace, class_converter, names
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.crashstorage.elasticsearch.connection import ElasticsearchConnection
from socorro_processor.crashstorage.elasticsearch.errors import CLOSED, NO_INDEX, DocumentTooLarge, IndexMissing
from socorro_processor.crashstorage.elasticsearch.fitting import Misfit, cut_to_size, fit_to_mapping, possible_misfits
from socorro_processor.crashstorage.elasticsearch.indexes import WeeklyIndexes
from socorro_processor.crashstorage.elasticsearch.mapping import properties_of
from socorro_processor.crashstorage.elasticsearch.newest import find_newest
from socorro_processor.crashstorage.newest import CrashSummary
from socorro_processor.crashstorage.redactor import Redactor, is_walk, redactor_options
from socorro_processor.errors import CrashIDNotFound, CrashStorageError, PermanentStorageError, TransientStorageError
from socorro_processor.fields import FieldTable, Protection, field_options, follows_table
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.serialization import encode

logger = logging.getLogger(__name__)

_FIELDS_IN_LOG = 10

_MAXIMUM_CUTS = 4
_MARGIN = 0.9
"""The part of the available room that is used, because the room that a document takes also depends on its content."""

NOT_SEARCHED = (NO_INDEX, CLOSED)
"""The errors of an index in which no search finds a document."""


class ESCrashStorage(CrashStorageBase):
    """Saves the raw and processed crash as one document in a weekly index; its id is the crash id.

    The store is for searching: it saves no dumps, and no raw or processed crash alone, and returns no crashes. A value
    that does not fit the type of its field is left out, logged and counted.

    Of a crash of ``ProcessorAlgorithm2026`` the document has no protected field and no protected annotation, in this
    store and in those that redact more.
    """

    required_config = Namespace()
    required_config.add_option(
        "elasticsearch_class",
        default=ElasticsearchConnection,
        doc="the connection to the cluster",
        from_string_converter=class_converter,
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "index_creator_class",
        default=WeeklyIndexes,
        doc="the class that knows and makes the index of a crash",
        from_string_converter=class_converter,
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "raw_forbidden_keys",
        default=(
            "URL, Email, Comments, PluginContentURL, PluginUserComment, email, comments, "
            "JavaStackTrace, JavaException, exception_info"
        ),
        doc="annotations that are not for everyone who searches, separated by commas",
        from_string_converter=names,
    )
    required_config.add_option(
        "maximum_document_size",
        default=100_000_000,
        doc="maximum size of a document in bytes; a larger crash is not saved, because Elasticsearch refuses it "
        "(http.max_content_length)",
    )
    required_config.update(field_options())

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._connection: ElasticsearchConnection = config.elasticsearch_class(config)
        self.indexes: WeeklyIndexes = config.index_creator_class(config, self._connection)
        table = FieldTable.of(config)
        self._protection = Protection(table)
        self._properties = properties_of(table)
        self._counted = frozenset(possible_misfits(self._properties))
        """The fields that metrics name. Others may have any name, because strangers name additional dumps."""
        for field in self._counted:
            METRICS.expect("elasticsearch.left_out", field=field)

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        index = self.indexes.index_of(crash_id)
        elsewhere = [place for place in self._possible_indexes(crash_id) if place != index]
        redacted = self.redacted(processed_crash)
        if follows_table(processed_crash):
            raw_crash, redacted = self._protection.redact_raw(raw_crash), self._protection.redact(redacted)
        document = self._document(raw_crash, redacted, crash_id)
        if self._save_cut(index, elsewhere, crash_id, document):
            self._remove_from(elsewhere, crash_id, index)

    def redacted(self, processed_crash: ProcessedCrash) -> Mapping[str, Any]:
        """Return the part of a processed crash that is saved; a copy if it is not all of it."""
        return processed_crash

    def put(self, alias: str, elsewhere: Sequence[str], crash_id: str, document: bytes) -> bool:
        """Save a document in place of any earlier one; return True if an index ``elsewhere`` has one too.

        Each save looks there: as days pass, or when ``oldest_crash_days`` or ``elasticsearch_index`` changes, a crash
        of any date may belong in another index than before.
        """
        self._connection.save(alias, crash_id, document)
        return crash_id in self._connection.ids_with_document(
            [(index, crash_id) for index in elsewhere], ignored=NOT_SEARCHED
        )

    def missing_processed(self, crash_ids: Sequence[str]) -> set[str]:
        """Return the crash ids without a document. If an index is missing, so are its crashes; a save makes it."""
        indexes = [(self.indexes.dated_index_of(crash_id), crash_id) for crash_id in crash_ids]
        missing = set(crash_ids) - self._connection.ids_with_document(indexes)
        for index in (self.indexes.other, *(self.indexes.former_indexes() if missing else ())):
            missing -= self._connection.ids_with_document([(index, crash_id) for crash_id in sorted(missing)])
        if missing:
            # A cluster that is not ours has none of the indexes either.
            self.indexes.check_template()
        return missing

    def held(self, crash_id: str) -> list[str]:
        places = [(index, crash_id) for index in self._possible_indexes(crash_id)]
        return [f"document in {place[0]}" for place in places if self._connection.ids_with_document([place])]

    def remove(self, crash_id: str) -> None:
        deleted = [self._connection.delete(index, crash_id) for index in self._possible_indexes(crash_id)]
        if not any(deleted):
            raise CrashIDNotFound(f"{type(self).__name__} has no crash {crash_id}")

    def newest(self, limit: int, signature: str | None = None, product: str | None = None) -> Iterator[CrashSummary]:
        """Yield the newest crashes by the time of submission; crashes of the last second may be missing."""
        return find_newest(self._connection, self.indexes.patterns(), limit, signature, product)

    def setup(self) -> None:
        self.indexes.setup()

    def check(self) -> None:
        self.indexes.check()

    def check_before_retry(self) -> None:
        """Raise TransientStorageError if no cluster answers; a save makes template and indexes."""
        self.indexes.health()

    def close(self) -> None:
        self._connection.close()

    def __str__(self) -> str:
        return f"{type(self).__name__} in the indexes {', '.join(self.indexes.patterns())}"

    def _save_cut(self, index: str, elsewhere: Sequence[str], crash_id: str, document: Mapping[str, Any]) -> bool:
        """Save as much of a document as the cluster has room for."""
        for _ in range(_MAXIMUM_CUTS):
            data = self._encode(document, crash_id)
            try:
                return self._save(index, elsewhere, crash_id, data)
            except DocumentTooLarge as error:
                logger.warning("crash %s is cut for Elasticsearch: %s", crash_id, error)
                with self._report_misfits(crash_id, "the cluster has no room for them") as misfit:
                    document = cut_to_size(document, int(len(data) * error.share * _MARGIN), misfit)
        raise PermanentStorageError(f"crash {crash_id} is too large for Elasticsearch, however much is left out")

    def _save(self, index: str, elsewhere: Sequence[str], crash_id: str, document: bytes) -> bool:
        try:
            return self._put_in(index, elsewhere, crash_id, document)
        except IndexMissing:
            # The index was deleted since it was last checked, and nothing was written: now it is made again.
            return self._put_in(index, elsewhere, crash_id, document)

    def _put_in(self, index: str, elsewhere: Sequence[str], crash_id: str, document: bytes) -> bool:
        alias = self.indexes.make(index)
        try:
            return self.put(alias, elsewhere, crash_id, document)
        except CrashStorageError as error:
            self.indexes.forget()
            if not error.transient:
                # An index without our mapping refuses sound crashes too; then `make` raises that error instead.
                self.indexes.make(index)
            raise

    def _remove_from(self, elsewhere: Sequence[str], crash_id: str, index: str) -> None:
        """Remove the document of a crash that has just been saved in ``index`` from the others."""
        for other in elsewhere:
            # One of them has it; with indexes of a former pattern, it is not known which.
            if len(elsewhere) == 1 or self._connection.ids_with_document([(other, crash_id)], ignored=NOT_SEARCHED):
                self._connection.delete(other, crash_id)
        if not self._connection.ids_with_document([(index, crash_id)]):
            # Another processor, with another date or configuration, put it elsewhere and removed this document.
            raise TransientStorageError(
                f"crash {crash_id} was saved in another index at the same time, and removed from {index}"
            )

    def _possible_indexes(self, crash_id: str) -> tuple[str, ...]:
        """Return the indexes in which the crash may be."""
        return self.indexes.dated_index_of(crash_id), self.indexes.other, *self.indexes.former_indexes()

    def _document(self, raw_crash: RawCrash, processed_crash: Mapping[str, Any], crash_id: str) -> dict[str, Any]:
        forbidden: frozenset[str] = self.config.raw_forbidden_keys
        with self._report_misfits(crash_id, "they do not fit its mapping") as misfit:
            return fit_to_mapping(
                {
                    "crash_id": crash_id,
                    "processed_crash": processed_crash,
                    "raw_crash": {name: value for name, value in raw_crash.items() if name not in forbidden},
                },
                self._properties,
                misfit,
            )

    @contextmanager
    def _report_misfits(self, crash_id: str, why: str) -> Iterator[Misfit]:
        """Count and log, at the end of the block, the fields that were left out."""
        misfits: dict[str, str] = {}
        yield lambda field, value: misfits.update({field: type(value).__name__})
        for field in misfits:
            METRICS.increment("elasticsearch.left_out", field=field if field in self._counted else "processed_crash.*")
        if misfits:
            listed = ", ".join(f"{field} ({kind})" for field, kind in list(misfits.items())[:_FIELDS_IN_LOG])
            logger.warning(
                "crash %s: fields left out of Elasticsearch because %s (%d): %s", crash_id, why, len(misfits), listed
            )

    def _encode(self, document: Mapping[str, Any], crash_id: str) -> bytes:
        data = encode(document, lambda note: logger.warning("%s of crash %s in Elasticsearch", note, crash_id))
        if len(data) > self.config.maximum_document_size:
            raise PermanentStorageError(
                f"cannot save crash {crash_id} in Elasticsearch: {len(data)} bytes, more than "
                f"{self.config.maximum_document_size} (maximum_document_size)"
            )
        return data


class ESCrashStorageRedactedSave(ESCrashStorage):
    """Saves the processed crash without what stackwalkers printed, and without the redactor's forbidden keys."""

    required_config = Namespace()
    required_config.update(redactor_options())

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._redactor: Redactor = config.redactor_class(config)

    def redacted(self, processed_crash: ProcessedCrash) -> Mapping[str, Any]:
        redacted = self._redactor.redact(processed_crash)
        redacted.pop("json_dump", None)
        # Remove it from each additional dump too, whatever its name.
        for name, value in redacted.items():
            if is_walk(value):
                redacted[name] = {key: inner for key, inner in value.items() if key != "json_dump"}
        return redacted


class ESCrashStorageRedactedJsonDump(ESCrashStorageRedactedSave):
    """Saves what ESCrashStorageRedactedSave does, and a few keys of the main dump's ``json_dump``."""

    required_config = Namespace()
    required_config.add_option(
        "json_dump_whitelist_keys",
        default="largest_free_vm_block, tiny_block_size, write_combine_size",
        doc="the keys of json_dump that are saved, separated by commas",
        from_string_converter=names,
    )

    def redacted(self, processed_crash: ProcessedCrash) -> Mapping[str, Any]:
        redacted = dict(super().redacted(processed_crash))
        json_dump = processed_crash.get("json_dump")
        if isinstance(json_dump, Mapping):
            kept: frozenset[str] = self.config.json_dump_whitelist_keys
            redacted["json_dump"] = {key: value for key, value in json_dump.items() if key in kept}
            if follows_table(processed_crash):
                redacted = self._redactor.redact({**redacted, "processing": processed_crash["processing"]})
        return redacted
