"""What an error that Elasticsearch answers with means: whose fault it is, and what may be told of it.

An error says in words why, and often quotes the document. Its words are told, and the names in our mapping; all
else is left out: ``failed to parse field [processed_crash.uptime] of type [long] in document with id ...``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from socorro_processor.crashstorage.elasticsearch.mapping import PROPERTIES, Properties, fields
from socorro_processor.errors import CrashStorageError, PartlyAwayError, PermanentStorageError, TransientStorageError


class IndexMissing(PartlyAwayError):
    """There is no such index; or no such alias, where only an alias may be written to. Nothing was written."""


class DocumentTooLarge(PermanentStorageError):
    """A request of one document, or of several, for which this cluster's memory for indexing never has room."""

    def __init__(self, message: str, share: float) -> None:
        """``share`` of its size would have room."""
        super().__init__(message)
        self.share = share


NO_INDEX = "index_not_found_exception"
CLOSED = "index_closed_exception"

_OF_THE_DOCUMENT = frozenset(("document_parsing_exception", "mapper_parsing_exception"))
"""With a status of 400, said of the document that came. All else is said of the cluster, the index or the request."""

_CAUSED_BY_THE_DOCUMENT = frozenset(("max_bytes_length_exceeded_exception",))
"""Said of the document where it is a cause of any other error."""

_MAPPING_IS_FULL = re.compile(r"Limit of [a-z ]+ \[\d+\] has been exceeded")
"""A cause that says nothing of the document: our mapping never grows, so that this index has another one."""

_TOO_LARGE = 413

REJECTED = "es_rejected_execution_exception"

_NO_ROOM = re.compile(
    r"\b(?:coordinating|primary)_operation_bytes=(\d+), max_\w+_bytes=(\d+)\b"
    r"|\boperation of size \[(\d+)\] bytes, which exceeds the maximum allowed limit of \[(\d+)\]"
)
"""What a rejected operation would take, and what all operations together (``indexing_pressure.memory.limit``), or one
(``...max_operation_size``), may take."""

_BESIDE_DOCUMENTS = 10_000
"""Bytes: more than Elasticsearch counts for an operation beside its document."""

_TELLING = frozenset(
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

_OF_THE_INDEX = _TELLING - {"circuit_breaking_exception", REJECTED}
"""Kinds of errors that may be those of one index, while crashes of others are saved."""

LONGEST_REASON = 300

_ADVICE = {
    401: "check elasticsearch_user and elasticsearch_password, or elasticsearch_api_key, in secrets.elasticsearch",
    403: "let that user write to it; where it is read-only, free disk space or lift the block",
    404: "run `socorro setup`",
    429: "the cluster is short of memory, disk or threads; where it is read-only, free disk space",
}

_KIND = re.compile(r"[a-z_]{1,80}")
_MOST_CAUSES = 10
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
"""The words of Elasticsearch that are told; a value of a crash that is one of them tells nothing."""


def _names(properties: Properties) -> Iterator[str]:
    """The names in our mapping: each field and what it is within, alone and by its path; and the types."""
    for path, field in fields(properties):
        parts = path.split(".")
        yield from parts
        yield from (".".join(parts[:number]) for number in range(1, len(parts) + 1))
        yield field["type"]


_NAMES = frozenset(f"[{name}]" for name in _names(PROPERTIES))


def failure(status: int, answer: object, what: str, documents: Sequence[int] = ()) -> CrashStorageError:
    """Return the error that an answer means: to a request, or to one operation in a bulk request.

    ``documents`` are the sizes, in bytes, of all documents that the request carried. Only with one can it be the
    crash's own fault, and only for the few errors that are known to say so: whatever else Elasticsearch answers, the
    crash is tried again.
    """
    error = answer.get("error", answer) if isinstance(answer, Mapping) else None
    causes = list(_causes(error))
    kind = causes[0][0] if causes else "no further word"
    message = f"cannot {what}: Elasticsearch answers {status}, {kind}"
    if causes and (not documents or kind in _TELLING):
        message += f": {causes[0][1][:LONGEST_REASON]}"
    else:
        told = dict.fromkeys(filter(None, (told_of(reason) for _, reason in causes)))
        # A cause is often quoted by what it caused.
        message += "".join(f": {each}" for each in told if not any(each in other for other in told if other != each))
    if documents and (share := _share_with_room(causes, documents)) < 1:
        return DocumentTooLarge(message, share)
    if documents and (status == _TOO_LARGE or (status == 400 and _is_of_the_document(causes))):
        return PermanentStorageError(message)
    error_class = PartlyAwayError if kind in _OF_THE_INDEX else TransientStorageError
    if status == 404 and kind == NO_INDEX:
        error_class = IndexMissing
    return error_class(f"{message}; {_ADVICE[status]}" if status in _ADVICE else message)


def told_of(reason: str) -> str:
    """Return what may be told of a reason that may quote a document; an empty text where that is nothing."""
    tokens = _TOKEN.findall(_POSITION.sub("", reason))
    told = _LEFT_OUT.sub("...", "".join(each if _may_be_told(each) else "..." for each in tokens)[:LONGEST_REASON])
    return told if re.search("[A-Za-z]", told) else ""


def _may_be_told(token: str) -> bool:
    if token.startswith("["):
        return token in _NAMES
    return token.lower() in _WORDS or not token.strip(" ,.;:")


def _causes(error: object) -> Iterator[tuple[str, str]]:
    """Kind and reason of an error, then of its cause, and so on."""
    for _ in range(_MOST_CAUSES):
        if not isinstance(error, Mapping) or "type" not in error:
            return
        kind = str(error["type"])
        yield kind if _KIND.fullmatch(kind) else "an error of no known form", str(error.get("reason"))
        error = error.get("caused_by")


def _share_with_room(causes: list[tuple[str, str]], documents: Sequence[int]) -> float:
    """The share of a rejected request that would have room in an idle cluster; 1 where that is all of it."""
    for kind, reason in causes:
        if kind == REJECTED and (found := _NO_ROOM.search(reason)):
            taken, most = (int(number) for number in found.groups() if number is not None)
            # Elasticsearch 9 takes four times the largest document, and that beside the request, which it has counted.
            if taken > 2 * max(documents):
                taken += sum(documents) + _BESIDE_DOCUMENTS
            if taken > most:
                return most / taken
    return 1.0


def _is_of_the_document(causes: list[tuple[str, str]]) -> bool:
    kinds = {kind for kind, _ in causes}
    if not kinds & _CAUSED_BY_THE_DOCUMENT and not {kind for kind, _ in causes[:1]} & _OF_THE_DOCUMENT:
        return False
    return not any(_MAPPING_IS_FULL.search(reason) for _, reason in causes)
