"""The id of an upload's crash: the same for each sending of the same report, on every host.

Crashpad names the file of the main dump by its report id. From that, the checksum of the dump and the day follows the
crash id, so that hosts that know nothing of each other give the same answer. Any other client sends no such id: then
the crash id is random, and an upload that is sent twice makes two crashes.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

from socorro_processor.crash_id import ACCEPTED, DAYS_AHEAD, DEFERRED, crash_date, dated_crash_id, throttle_digit
from socorro_processor.crashstorage.base import MAIN_DUMP
from socorro_processor.errors import InvalidCrashID
from socorro_processor.serialization import encode

DUMP_CHECKSUMS, ANNOTATIONS_CHECKSUM = "dump_checksums", "annotations_checksum"
"""The names in a raw crash's ``metadata`` under which its checksums are."""


class CheckedFile(Protocol):
    """A file of an upload."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class Report:
    """An upload as far as a second sending of it is the same."""

    report_id: str
    checksum: str

    def crash_id(self, day: date, digit: str) -> str:
        """Return the crash id that every host makes from this report on a day."""
        return _derived(digit, day, "report", self.report_id.lower(), self.checksum)

    def crash_ids(self, day: date) -> list[str]:
        """Return the ids that a sending may have got on a day or the day before.

        The rules may have changed in between, so each throttle digit is possible.
        """
        days = (day - timedelta(days=1), day)
        return [self.crash_id(each, digit) for each in days for digit in (ACCEPTED, DEFERRED)]

    def draw(self) -> float:
        """Return a number from 0 to below 100 that is the same for each sending: the lot of a rule's share."""
        return int.from_bytes(_digest("draw", self.report_id.lower(), self.checksum)[:6]) / 2**48 * 100


def other_crash_id(crash_id: str, checksum: str) -> str:
    """Return the id for a crash whose own id is that of another crash; it is the same for each sending."""
    return _derived(throttle_digit(crash_id), crash_date(crash_id), "other", crash_id, checksum)


def check_client_uuid(crash_id: str, today: date) -> None:
    """Raise InvalidCrashID, with the reason, if an id that a client chose cannot be a crash id."""
    day = crash_date(crash_id)
    if day > today + timedelta(days=DAYS_AHEAD):
        raise InvalidCrashID(f"{crash_id} is dated {day}, more than {DAYS_AHEAD} days ahead")


def checksums(files: Iterable[CheckedFile], annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checksums of an upload, as they stand in the raw crash's ``metadata``."""
    by_name = {file.name: file.sha256 for file in files}
    if by_name:
        return {DUMP_CHECKSUMS: by_name}
    # Without any file, what was written in the annotations is all that there is to compare.
    data = encode(dict(sorted(annotations.items())))
    return {DUMP_CHECKSUMS: {}, ANNOTATIONS_CHECKSUM: hashlib.sha256(data).hexdigest()}


def checksum_of(metadata: object) -> str:
    """Return the checksum that tells whether two crashes are the same: that of the main dump, if there is one.

    Return an empty text if ``metadata``, which may be from another collector, does not tell.
    """
    if not isinstance(metadata, Mapping):
        return ""
    by_name = metadata.get(DUMP_CHECKSUMS)
    if not isinstance(by_name, Mapping):
        return ""
    if not by_name:
        checksum = metadata.get(ANNOTATIONS_CHECKSUM)
        return checksum if isinstance(checksum, str) else ""
    if MAIN_DUMP in by_name:
        return str(by_name[MAIN_DUMP])
    lines = "\n".join(f"{name} {checksum}" for name, checksum in sorted(by_name.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()


def _derived(digit: str, day: date, *parts: str) -> str:
    return dated_crash_id(uuid.UUID(bytes=_digest(*parts, f"{day:%y%m%d}")[:16], version=5), digit, day)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
