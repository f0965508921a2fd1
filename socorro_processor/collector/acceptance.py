"""Decide what becomes of an upload, and keep it: by rule, by id, and by what is known of earlier sendings."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from socorro_processor.collector.identity import (
    Report,
    check_client_uuid,
    checksum_of,
    checksums,
    other_crash_id,
)
from socorro_processor.collector.keys import is_one_of
from socorro_processor.collector.known_crashes import KnownCrashes
from socorro_processor.collector.refusal import Refused
from socorro_processor.collector.same_report import OneUploadOfAReport
from socorro_processor.collector.spool import NotInSpool, Spool, SpoolFailing, SpoolFile
from socorro_processor.collector.spooled_crash import Contents, DamagedCrash, Span
from socorro_processor.collector.submission import Submission
from socorro_processor.collector.throttling import DIGITS, Decision, ThrottleRules
from socorro_processor.crash_id import dated_crash_id, is_deferred
from socorro_processor.crashstorage.base import RawCrash
from socorro_processor.errors import InvalidCrashID
from socorro_processor.fields import FIELDS_BY_NAME

OWN_NAMES = frozenset(("uuid", "submitted_timestamp", "metadata", "legacy_processing"))
"""The annotations that the collector writes itself; what a client sends under these names is dropped."""

_PRODUCT = FIELDS_BY_NAME["product"].annotations


@dataclass(frozen=True)
class Answer:
    """An answer with status 200: a promise, or a rule's no."""

    crash_id: str = ""
    discarded: str = ""
    """The name of the rule that rejected the crash; nothing is promised then."""
    is_known: bool = False
    """True if the upload had been sent before, and has its former answer."""

    def text(self, *, bare_id: bool = False) -> str:
        """Return the body of the answer. ``bare_id``: only the id, for clients that keep the whole body as such."""
        if not self.crash_id:
            return f"Discarded=rule_{self.discarded}\n"
        return self.crash_id if bare_id else f"CrashID=bp-{self.crash_id}\n"


@dataclass(frozen=True)
class _Identity:
    """The id that an upload gets unless it is known, and the ids under which it may be known."""

    crash_id: str
    candidates: Sequence[str] = ()
    key: str = ""
    """Two uploads with the same key may be the same crash; an empty key is that of no other upload."""


@dataclass(frozen=True)
class _Known:
    """The crashes with some ids that spool and store have."""

    checksums: Mapping[str, str]
    answers: Mapping[str, str]
    """The crash ids in the spool by the id that was looked for: their throttle digits may differ."""
    is_complete: bool
    """False if the store could not be asked."""

    def answer(self, candidates: Sequence[str], checksum: str) -> str:
        """Return the id under which this very crash is known; empty if it is not."""
        for crash_id in candidates:
            if self.checksums.get(crash_id) == checksum:
                return self.answers.get(crash_id, crash_id)
        return ""


class Acceptance:
    """Takes uploads into a spool, each report once. May be used from any thread."""

    def __init__(
        self,
        spool: Spool,
        known_crashes: KnownCrashes,
        rules: ThrottleRules,
        *,
        never_stored: Collection[str] = (),
        uuid_keys: Collection[str] = (),
        product_keys: Mapping[str, Collection[str]] | None = None,
        random: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        """The options of the collector with the same names. ``random`` returns UUIDs that nobody can guess."""
        self._spool = spool
        self._known_crashes = known_crashes
        self._rules = rules
        self._dropped = OWN_NAMES | frozenset(never_stored)
        self._uuid_keys = uuid_keys
        self._product_keys = product_keys or {}
        self._random = random
        self._one_upload = OneUploadOfAReport()

    def accept(self, submission: Submission, file: SpoolFile, moment: datetime, key: str) -> Answer:
        """Keep the upload unless a rule rejects it or it is known. Raises Refused, SpoolFull, SpoolFailing."""
        moment = moment.astimezone(UTC)
        self._check_product_key(submission.annotations, key)
        metadata = checksums(submission.files, submission.annotations)
        checksum = checksum_of(metadata)
        report = Report(submission.report_id, checksum) if submission.report_id else None
        decision = self._decide(submission, report, moment.date(), key)
        if decision.result == "reject":
            return Answer(discarded=decision.rule)
        identity = self._identify(submission, report, DIGITS[decision.result], moment.date(), checksum)
        with self._one_upload.entered(identity.key):
            known = self._look_for(identity.candidates, checksum)
            if crash_id := known.answer(identity.candidates, checksum):
                return Answer(crash_id, is_known=True)
            crash_id = identity.crash_id
            if crash_id in known.checksums:
                crash_id = other_crash_id(crash_id, checksum)
            self._spool.commit(
                file,
                Contents(
                    crash_id=crash_id,
                    raw_crash=self._raw_crash(submission, decision, crash_id, moment, metadata),
                    files=tuple(Span(each.name, each.start, each.size, each.sha256) for each in submission.files),
                    queue="normal" if decision.result == "accept" else None,
                    checksum=checksum,
                    unchecked_ids=()
                    if known.is_complete
                    else tuple(each for each in identity.candidates if each != crash_id),
                ),
            )
        return Answer(crash_id)

    def _check_product_key(self, annotations: Mapping[str, Any], key: str) -> None:
        product = next((str(annotations[name]) for name in _PRODUCT if annotations.get(name)), "")
        keys = self._product_keys.get(product)
        if keys is not None and not is_one_of(key, keys):
            raise Refused(401, "unauthorized_product", "crashes of this product are taken only with a key for it")

    def _decide(self, submission: Submission, report: Report | None, today: date, key: str) -> Decision:
        if crash_id := submission.client_uuid:
            if not is_one_of(key, self._uuid_keys):
                raise Refused(401, "unauthorized_uuid", "a client may choose the crash id only with a key for that")
            try:
                check_client_uuid(crash_id, today)
            except InvalidCrashID as error:
                raise Refused(400, "malformed_uuid", str(error)) from None
            # Another collector has decided already.
            return Decision("defer" if is_deferred(crash_id) else "accept", "from_uuid")
        draw = report.draw() if report else int.from_bytes(self._random().bytes[:6]) / 2**48 * 100
        return self._rules.decide(submission.annotations, draw)

    def _identify(
        self, submission: Submission, report: Report | None, digit: str, today: date, checksum: str
    ) -> _Identity:
        if crash_id := submission.client_uuid:
            return _Identity(crash_id, (crash_id, other_crash_id(crash_id, checksum)), crash_id)
        if report:
            crash_id = report.crash_id(today, digit)
            candidates = (*report.crash_ids(today), other_crash_id(crash_id, checksum))
            return _Identity(crash_id, candidates, f"{report.report_id.lower()} {checksum}")
        return _Identity(dated_crash_id(self._random(), digit, today))

    def _look_for(self, crash_ids: Sequence[str], checksum: str) -> _Known:
        in_spool = {crash_id: contents for crash_id in crash_ids if (contents := self._in_spool(crash_id))}
        found = {crash_id: contents.checksum for crash_id, contents in in_spool.items()}
        answers = {crash_id: contents.crash_id for crash_id, contents in in_spool.items()}
        if checksum in found.values():
            return _Known(found, answers, is_complete=True)
        # After the spool: a crash is in the store before it leaves the spool.
        in_store = self._known_crashes.find(crash_ids)
        return _Known({**(in_store or {}), **found}, answers, is_complete=in_store is not None)

    def _in_spool(self, crash_id: str) -> Contents | None:
        """Return what the spool has of a crash, also with another throttle digit, if its file is whole.

        Of a damaged file nothing counts: the upload that is here now replaces it.
        """
        if entry := self._spool.find(crash_id):
            try:
                with self._spool.open(entry) as crash:
                    crash.check()
                    return crash.contents
            except (DamagedCrash, NotInSpool, SpoolFailing, OSError):
                pass
        return self._spool.find_set_aside(crash_id)

    def _raw_crash(
        self, submission: Submission, decision: Decision, crash_id: str, moment: datetime, metadata: dict[str, Any]
    ) -> RawCrash:
        sent = submission.annotations
        notes = list(submission.notes)
        if submission.client_uuid and submission.client_uuid != crash_id:
            notes.append(f"sent as {submission.client_uuid}, which is the id of another crash")
        return {
            **{name: value for name, value in sent.items() if name not in self._dropped},
            "uuid": crash_id,
            "submitted_timestamp": moment.isoformat(),
            "legacy_processing": int(decision.result == "defer"),
            "metadata": {
                **metadata,
                "throttle_rule": decision.rule,
                "client": submission.client,
                "report_id": submission.report_id,
                "attachments": [each.name for each in submission.files if each.kind == "attachment"],
                "sent_as": {each.name: each.sent_as for each in submission.files},
                "dropped_fields": sorted(sent.keys() & self._dropped),
                "collector_notes": notes,
            },
        }
