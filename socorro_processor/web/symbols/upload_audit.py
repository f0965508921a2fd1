"""The line of the audit log about symbols that were added."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from socorro_processor.errors import SocorroError
from socorro_processor.layout import counted_with_verb
from socorro_processor.monitoring.audit import Audit
from socorro_processor.stackwalk.local_symbols import ADDED, REPLACED
from socorro_processor.untrusted import plain
from socorro_processor.web.pages.viewer import Viewer, audit_fields
from socorro_processor.web.symbols.symbol_upload import UploadedSymbols

logger = logging.getLogger(__name__)

_MOST_NAMED = 10


def audit_upload(audit: Audit, results: Sequence[UploadedSymbols], viewer: Viewer) -> None:
    """Write who added which symbol files. Raises nothing: if the line cannot be written, the log says so."""
    paths = [each.identity.path for each in results if each.identity and each.result in (ADDED, REPLACED)]
    if not paths:
        return
    message = f"{counted_with_verb(len(paths), 'symbol file')} added"
    which = plain(", ".join(paths[:_MOST_NAMED])) + (", ..." if len(paths) > _MOST_NAMED else "")
    try:
        audit(message, {**audit_fields("symbols", viewer.whole_name), "symbols": which})
    except SocorroError:
        # They are there: to call that a failure would be wrong.
        logger.exception("the audit file lacks a line: %s: %s", message, which)
