"""The page of a crash, ``/report/ID``: all that is known of it, for those who hunt crashes.

    answer = report_page(pages, sources, word, ALL)
    answer.status, answer.html

It knows no web framework: stores and an id go in, HTML comes out. It says what ``socorro show`` says, and more.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from socorro_processor.crashstorage.base import MAIN_DUMP, ProcessedCrash, RawCrash, check_dump_name
from socorro_processor.errors import (
    CrashIDNotFound,
    CrashStorageError,
    InvalidCrashID,
    PermanentStorageError,
)
from socorro_processor.fields import Protection, follows_table
from socorro_processor.report.crash_report import CrashReport
from socorro_processor.search.results import Neighbours
from socorro_processor.untrusted import joined, plain, text_of
from socorro_processor.web.pages.answer import Answer, failure_page, message_page
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.report_address import crash_id_in, dump_path
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.report.report_sources import ReportSources
from socorro_processor.web.report.report_view import Surroundings, report_view
from socorro_processor.web.report.values_view import Attachment, annotations_view, attachment_names, fields_view
from socorro_processor.web.report.why_view import WhyView, why_view

logger = logging.getLogger(__name__)

_LONGEST_LINK = 2000  # characters of a signature that an address may hold


def report_page(
    pages: Pages, sources: ReportSources, word: str, viewer: Viewer, *, origin: str = "", is_queued: bool = False
) -> Answer:
    """Return the page of the crash whose id is ``word``, or one that says why there is none.

    ``origin`` is the beginning of this server's addresses. ``is_queued``: the crash was just queued again, and the
    page says so.
    """
    warnings: list[str] = []
    try:
        crash_id = crash_id_in(word)
    except InvalidCrashID as error:
        return failure_page(pages, error)
    raw, raw_problem = _annotations(sources, crash_id)
    try:
        processed = sources.processed(crash_id, warnings.append, redacted=not viewer.sees_protected)
        whole = processed if viewer.sees_protected else sources.processed(crash_id, redacted=False)
    except CrashIDNotFound as error:
        return _waiting_page(pages, crash_id, raw) if raw is not None else failure_page(pages, error)
    except CrashStorageError as error:
        return failure_page(pages, error)
    removed = _dumps_removed(sources, crash_id)
    report = CrashReport(processed, places=sources.places_for(viewer, origin))
    signature = processed.get("signature")
    around = Surroundings(
        sources.links,
        _neighbours(sources, crash_id, signature, warnings),
        _signature_path(sources, signature),
        sources.has_search,
        warnings,
        _why(sources, raw or {}, whole, viewer, warnings),
        annotations_view(raw or {}, sources.fields, sees_protected=viewer.sees_protected),
        raw_problem,
        fields_view(processed, _public_names(sources, crash_id, processed, viewer), sources.fields, len(whole)),
        list(_attachments(crash_id, raw or {}, processed, is_offered=viewer.gets_dumps and not removed)),
        removed,
    )
    return Answer(
        200,
        pages.render("report.html", report=report_view(report, crash_id, around), viewer=viewer, is_queued=is_queued),
    )


def _waiting_page(pages: Pages, crash_id: str, raw: RawCrash) -> Answer:
    """Return the page of a crash that was received and is not processed yet; it loads itself again."""
    program = joined(" ", text_of(raw, "ProductName"), text_of(raw, "Version"))
    words = [
        f"The crash{program and f' of {program}'} was received. This page loads itself again every few seconds, until "
        "it is processed.",
        "If that takes longer than a minute, the page of the queues says what waits, and what went wrong.",
    ]
    title = f"Crash {crash_id} is not processed yet"
    return message_page(pages, 200, title, words, links=[("Queues", "/queues")], reload_after=5)


def _annotations(sources: ReportSources, crash_id: str) -> tuple[RawCrash | None, str]:
    """Return all annotations, or None and the reason why they cannot be shown."""
    try:
        return sources.raw(crash_id, redacted=False), ""
    except CrashIDNotFound:
        return None, "The source store has no raw crash any more."
    except CrashStorageError as error:
        return None, f"The annotations cannot be read: {error}"


def _public_names(sources: ReportSources, crash_id: str, processed: ProcessedCrash, viewer: Viewer) -> set[str]:
    """Return the names of the fields that everyone may see."""
    if not viewer.sees_protected:
        return set(processed)
    if follows_table(processed):
        return set(Protection(sources.fields).redact(processed))
    try:
        return set(sources.processed(crash_id, redacted=True))
    except CrashStorageError:
        # Then all count as protected.
        return set()


def _why(
    sources: ReportSources, raw: RawCrash, whole: ProcessedCrash, viewer: Viewer, warnings: list[str]
) -> WhyView | None:
    if sources.signer is None:
        return None
    try:
        return why_view(sources.signer, raw, whole, with_facts=viewer.sees_protected)
    except Exception:
        # A fault in an operator's own rule, or in ours, must not take away all the rest.
        logger.exception("crash %s could not be signed again for its page", text_of(whole, "uuid"))
        warnings.append("Why this is the signature cannot be said: a rule failed, and the server's log says where.")
        return None


def _neighbours(sources: ReportSources, crash_id: str, signature: object, warnings: list[str]) -> Neighbours:
    if sources.neighbours is None or not isinstance(signature, str):
        return Neighbours()
    try:
        return sources.neighbours(crash_id, signature)
    except CrashStorageError as error:
        warnings.append(f"The crashes before and after this one cannot be found: {error}")
        return Neighbours()


def _signature_path(sources: ReportSources, signature: object) -> str:
    if sources.signature_path is None or not isinstance(signature, str) or not 0 < len(signature) <= _LONGEST_LINK:
        return ""
    return sources.signature_path(signature)


def _dumps_removed(sources: ReportSources, crash_id: str) -> str:
    """Return that the dumps of a crash were removed, and why; empty if they were not, or nobody can tell."""
    try:
        reason = sources.source.dumps_removed(crash_id)
    except CrashStorageError:
        return ""
    return reason and f"The dumps and attachments of this crash were removed {reason}."


def _attachments(crash_id: str, raw: RawCrash, processed: ProcessedCrash, *, is_offered: bool) -> Iterator[Attachment]:
    for name in attachment_names(raw, processed):
        try:
            path = dump_path(crash_id, check_dump_name(name)) if is_offered else ""
        except PermanentStorageError:
            path = ""
        kind = "minidump" if name.startswith(MAIN_DUMP) else "attachment"
        yield Attachment(plain(name[:200]), kind, path)
