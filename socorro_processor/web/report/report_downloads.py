"""Other forms of a crash's page: plain text, Markdown, JSON, and its dumps as downloads.

They raise CrashStorageError as stores do, and InvalidCrashID; ``status_of`` in ``report_page`` knows a status for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from socorro_processor.crashstorage.base import MAIN_DUMP, ProcessedCrash, RawCrash, check_dump_name
from socorro_processor.errors import CrashIDNotFound, DumpsRemoved
from socorro_processor.report.crash_report import CrashReport
from socorro_processor.report.markdown_report import markdown_report
from socorro_processor.report.printed_report import Shown, plain_report
from socorro_processor.serialization import encode
from socorro_processor.web.pages.report_address import crash_id_in, report_path
from socorro_processor.web.pages.viewer import Viewer
from socorro_processor.web.report.report_sources import ReportSources

TEXT = "text/plain; charset=utf-8"
MARKDOWN = "text/markdown; charset=utf-8"
JSON = "application/json"
BINARY = "application/octet-stream"


class Download(NamedTuple):
    """A file for a browser to save, whatever is in it; its name is safe in a header."""

    file_name: str
    content_type: str
    content: bytes


def report_text(sources: ReportSources, word: str, viewer: Viewer, origin: str = "") -> Iterator[str]:
    """Return the lines of the whole report, as ``socorro show --all-threads --modules --registers`` has them.

    ``origin`` is the beginning of this server's addresses, for what a reader can do about missing symbols.
    """
    report = _report(sources, crash_id_in(word), viewer, origin)
    return plain_report(report, Shown(all_threads=True, modules=True, registers=True, all_lines=True))


def report_markdown(sources: ReportSources, word: str, viewer: Viewer, origin: str = "") -> str:
    """Return the report for a bug; ``origin`` is the beginning of this server's addresses, for a link."""
    crash_id = crash_id_in(word)
    return markdown_report(_report(sources, crash_id, viewer, origin), origin and f"{origin}{report_path(crash_id)}")


def processed_json(sources: ReportSources, word: str, viewer: Viewer) -> Download:
    """Return the processed crash, as far as the viewer may see it."""
    crash_id = crash_id_in(word)
    processed = sources.processed(crash_id, redacted=not viewer.sees_protected)
    return Download(f"{crash_id}.json", JSON, _ascii(processed))


def raw_json(sources: ReportSources, word: str, viewer: Viewer) -> Download:
    """Return the annotations, as far as the viewer may see them."""
    crash_id = crash_id_in(word)
    return Download(f"{crash_id}.raw.json", JSON, _ascii(sources.raw(crash_id, redacted=not viewer.sees_protected)))


def dump_download(sources: ReportSources, word: str, name: str) -> Download:
    """Return a dump or an attachment; whoever calls this knows that the viewer may have it."""
    crash_id = crash_id_in(word)
    check_dump_name(name)
    ending = ".dmp" if name.startswith(MAIN_DUMP) else ""
    try:
        dump = sources.source.get_raw_dump(crash_id, name)
    except CrashIDNotFound:
        if reason := sources.source.dumps_removed(crash_id):
            raise DumpsRemoved(f"the dumps and attachments of {crash_id} were removed {reason}") from None
        raise
    return Download(f"{crash_id}.{name}{ending}", BINARY, dump)


def _report(sources: ReportSources, crash_id: str, viewer: Viewer, origin: str) -> CrashReport:
    processed = sources.processed(crash_id, redacted=not viewer.sees_protected)
    return CrashReport(processed, places=sources.places_for(viewer, origin))


def _ascii(crash: ProcessedCrash | RawCrash) -> bytes:
    """Return a crash as JSON in ASCII, which no browser can take for anything else."""
    return json.dumps(json.loads(encode(crash)), indent=1).encode("ascii")
