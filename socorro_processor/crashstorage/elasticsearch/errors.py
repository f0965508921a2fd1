"""Translate the errors in answers of Elasticsearch: decide who is at fault, and leave out quoted data.

An error gives its reason in words, and often quotes the document. Only known words, and the names in our mapping,
are passed on: ``failed to parse field [processed_crash.uptime] of type [long] in document with id ...``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from socorro_processor.crashstorage.elasticsearch.mapping import PROPERTIES, Properties, fields_with_values
from socorro_processor.errors import CrashStorageError, PartlyAwayError, PermanentStorageError, TransientStorageError


class IndexMissing(PartlyAwayError):
    """There is no such index, or no such alias if only an alias may be written to. Nothing was written."""


class DocumentTooLarge(PermanentStorageError):
    """The cluster's memory for indexing never has room for this request of one document or several."""

    def __init__(self, message: str, share: float) -> None:
        """``share`` is the part of its size for which there would be room."""
        super().__init__(message)
        self.share = share


NO_INDEX = "index_not_found_exception"
CLOSED = "index_closed_exception"

_DOCUMENT_ERRORS = frozenset(("document_parsing_exception", "mapper_parsing_exception"))
"""Errors that, with a status of 400, are about the document. All others are about cluster, index or request."""

_DOCUMENT_CAUSES = frozenset(("max_bytes_length_exceeded_exception",))
"""Errors that are about the document even as the cause of another error."""

_MAPPING_IS_FULL = re.compile(r"Limit of [a-z ]+ \[\d+\] has been exceeded")
"""A cause that is not about the document: our mapping never grows, so this index must have another one."""

_TOO_LARGE = 413

REJECTED = "es_rejected_execution_exception"

_NO_ROOM = re.compile(
    r"\b(?:coordinating|primary)_operation_bytes=(\d+), max_\w+_bytes=(\d+)\b"
    r"|\boperation of size \[(\d+)\] bytes, which exceeds the maximum allowed limit of \[(\d+)\]"
)
"""The bytes that a rejected operation would take, and those that all operations (``indexing_pressure.memory.limit``),
or one of them (``...max_operation_size``), may take."""

_BESIDE_DOCUMENTS = 10_000
"""Bytes; more than Elasticsearch counts for an operation beside its document."""

_QUOTE_NOTHING = frozenset(
    (
        "circuit_breaking_exception",
        "cluster_block_exception",
        REJECTED,
        CLOSED,
        NO_INDEX,
        "invalid_index_name_exception",
        "security_exception",
        "unavailable_shards_exception",
        "validation_exception",
    )
)
"""Kinds of errors whose words quote nothing of a document."""

_INDEX_ERRORS = _QUOTE_NOTHING - {"circuit_breaking_exception", REJECTED}
"""Kinds of errors that may concern one index, while crashes of other indexes are saved."""

LONGEST_REASON = 300  # characters

_ADVICE = {
    401: "check elasticsearch_user and elasticsearch_password, or elasticsearch_api_key, in secrets.elasticsearch",
    403: "let that user write to it; if it is read-only, free disk space or lift the block",
    404: "run `socorro setup`",
    429: "the cluster is short of memory, disk or threads; if it is read-only, free disk space",
}

_KIND = re.compile(r"[a-z_]{1,80}")
_MAXIMUM_CAUSES = 10
_POSITION = re.compile(r"^\[\d+:\d+\] ")
_TOKEN = re.compile(r"\[[\w.]+\]|[\w']+|[ ,.;:]+|.", re.DOTALL)
_LEFT_OUT = re.compile(r"\.{3,}(?:[ ,.;:]*\.{3,})*")
_WORDS = frozenset(
    re.findall(
        r"[\w']+",
        """
        a action added alias all allowed already an and are as at be been being but by cannot character closed
        concrete contain contains content could current data date defined depth designated disabled document
        does duplicate empty encoding end exceeded exceeds expected expecting explicitly extra failed field
        field's fields file flattened for format found from has have id immense in index indices input inside
        invalid is is_write_index its keyed keys length limit longer malformed mapping max maximum may metadata
        missing more multiple must name names nested nesting new no not null number numeric object of on one
        only or out parameters parse parsed parsing pipeline points preview primary provided range request
        required reserved resolution set shard shards should single space start starting strict string than the
        to token too total tried type unexpected unknown unrecognized use using utf value values was whitespace
        whose with within without write
        """,
    )
)
"""The words of Elasticsearch that are passed on; a value of a crash that is one of them reveals nothing."""


def _names(properties: Properties) -> Iterator[str]:
    """Yield the names in our mapping: each field and the objects around it, alone and by its path; and the types."""
    for path, field in fields_with_values(properties):
        parts = path.split(".")
        yield from parts
        yield from (".".join(parts[:number]) for number in range(1, len(parts) + 1))
        yield field["type"]


_NAMES = frozenset(f"[{name}]" for name in _names(PROPERTIES))


def translate_elasticsearch_error(
    status: int, answer: object, what: str, documents: Sequence[int] = ()
) -> CrashStorageError:
    """Return the error to raise for an answer to a request, or to one operation in a bulk request.

    ``documents`` are the sizes in bytes of all documents in the request. Without any, the crash cannot be at fault;
    with some, only a few known errors mean that it is. After any other answer the crash is tried again.
    """
    error = answer.get("error", answer) if isinstance(answer, Mapping) else None
    causes = list(_causes(error))
    kind = causes[0][0] if causes else "without a reason"
    message = f"cannot {what}: Elasticsearch answers {status}, {kind}"
    if causes and (not documents or kind in _QUOTE_NOTHING):
        message += f": {causes[0][1][:LONGEST_REASON]}"
    else:
        reasons = dict.fromkeys(filter(None, (without_quoted_data(reason) for _, reason in causes)))
        # An error often quotes its cause.
        message += "".join(
            f": {each}" for each in reasons if not any(each in other for other in reasons.keys() - {each})
        )
    if documents and (share := _share_with_room(causes, documents)) < 1:
        return DocumentTooLarge(message, share)
    if documents and (status == _TOO_LARGE or (status == 400 and _is_of_the_document(causes))):
        return PermanentStorageError(message)
    error_class = PartlyAwayError if kind in _INDEX_ERRORS else TransientStorageError
    if status == 404 and kind == NO_INDEX:
        error_class = IndexMissing
    return error_class(f"{message}; {_ADVICE[status]}" if status in _ADVICE else message)


def without_quoted_data(reason: str) -> str:
    """Return a reason without the data that it may quote from a document; empty if nothing is left."""
    tokens = _TOKEN.findall(_POSITION.sub("", reason))
    text = _LEFT_OUT.sub("...", "".join(each if _is_harmless(each) else "..." for each in tokens)[:LONGEST_REASON])
    return text if re.search("[A-Za-z]", text) else ""


def _is_harmless(token: str) -> bool:
    if token.startswith("["):
        return token in _NAMES
    return token.lower() in _WORDS or not token.strip(" ,.;:")


def _causes(error: object) -> Iterator[tuple[str, str]]:
    """Yield kind and reason of an error, then of its cause, and so on."""
    for _ in range(_MAXIMUM_CAUSES):
        if not isinstance(error, Mapping) or "type" not in error:
            return
        kind = str(error["type"])
        yield kind if _KIND.fullmatch(kind) else "an unknown kind of error", str(error.get("reason"))
        error = error.get("caused_by")


def _share_with_room(causes: list[tuple[str, str]], documents: Sequence[int]) -> float:
    """Return the part of a rejected request for which an idle cluster would have room; 1 if that is all of it."""
    for kind, reason in causes:
        if kind == REJECTED and (found := _NO_ROOM.search(reason)):
            size, limit = (int(number) for number in found.groups() if number is not None)
            # Elasticsearch 9 takes four times the largest document, besides the request, which it has counted already.
            if size > 2 * max(documents):
                size += sum(documents) + _BESIDE_DOCUMENTS
            if size > limit:
                return limit / size
    return 1.0


def _is_of_the_document(causes: list[tuple[str, str]]) -> bool:
    kinds = {kind for kind, _ in causes}
    if not kinds & _DOCUMENT_CAUSES and not {kind for kind, _ in causes[:1]} & _DOCUMENT_ERRORS:
        return False
    return not any(_MAPPING_IS_FULL.search(reason) for _, reason in causes)
