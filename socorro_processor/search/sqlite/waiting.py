"""Write what waits in the journal into the index, in its order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from socorro_processor.monitoring.log import stack_of
from socorro_processor.search.sqlite.directory import IndexDirectory
from socorro_processor.search.sqlite.file import IndexFile, is_of_change
from socorro_processor.search.sqlite.journal import Journal
from socorro_processor.search.sqlite.writing import IndexWriter

logger = logging.getLogger(__name__)

_BATCH = 50
"""Changes of a transaction: a processor waits no longer for one than it can."""


def write_waiting(file: IndexFile, journal: Journal, directory: IndexDirectory) -> bool:
    """Write the next changes; return True if none are left. Raises what IndexFailure names.

    The journal is removed at its end, unless another file is being built that needs it, too. What cannot be read or
    written is left out, and the index counts as incomplete.
    """
    if not journal.size():
        return True
    with journal.locked():
        with file.writing() as writer:
            changes, position, is_end = journal.read(writer.position(), _BATCH)
            for change in changes:
                if change is None or attempt(file, writer, change.crash_id, partial(writer.apply, change)) is None:
                    directory.mark_incomplete()
            writer.set_position(position)
        if is_end and not directory.building():
            journal.remove()
    return is_end


def attempt(file: IndexFile, writer: IndexWriter, crash_id: str, change: Callable[[], bool]) -> bool | None:
    """Make a change within a transaction, and return its result; None if it fails because of what is in it."""
    file.connection.execute("SAVEPOINT change")
    try:
        return change()
    except Exception as error:
        if not is_of_change(error):
            raise
        logger.error("crash %s cannot be written into the search index: %s", crash_id, stack_of(error))
        file.connection.execute("ROLLBACK TO change")
        writer.forget()
        return None
    finally:
        if file.connection.in_transaction:
            file.connection.execute("RELEASE change")
