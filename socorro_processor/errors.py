"""The errors that one package of the processor raises for another to handle.

Each tells whether the crash is at fault, or something else, such as a store that is away or a machine without space.
Only own failures count against a crash.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Mapping, Sequence
from typing import TypeVar


class SocorroError(Exception):
    """The base class of these errors. A command prints one as a line, without a traceback."""


class ConfigurationError(SocorroError):
    """The configuration cannot be used; the message names the place and what was expected."""


class QueryError(ConfigurationError):
    """A search asks for what cannot be searched; the message says why."""


class InvalidCrashID(SocorroError):
    """A string is not a crash id, or is dated on an impossible day."""


class ProcessingEnvironmentError(SocorroError):
    """Something is wrong with this machine, not with this crash.

    For example, the stackwalker cannot be executed, or no space, memory or descriptors are left. It is the only
    exception that leaves a rule: nothing is saved, the crash is tried again, and the processor is not ready.
    """


_MACHINE_ERRNOS = {
    errno.EDQUOT,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.EROFS,
}
_NO_THREAD = "can't start new thread"
"""The message of ``threading`` if memory is short, or the limit of tasks is reached."""
_NO_LIBRARY = ("failed to map segment from shared object", "Cannot allocate memory", "Too many open files")
"""The ends of the dynamic loader's messages if only memory or descriptors are lacking."""


def raise_if_of_this_machine(error: Exception, what: str) -> None:
    """Raise ProcessingEnvironmentError if ``error`` means that the machine lacks memory, space, descriptors or threads.

    Then the crash is not at fault. ``what`` names in the message what needed them.
    """
    if isinstance(error, ProcessingEnvironmentError):
        raise error
    if isinstance(error, MemoryError):
        raise ProcessingEnvironmentError(f"{what} found no memory left") from error
    if isinstance(error, OSError) and error.errno in _MACHINE_ERRNOS:
        raise ProcessingEnvironmentError(f"{what}: {error.strerror}") from error
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        raise ProcessingEnvironmentError(f"{what} found no room for another thread") from error
    if isinstance(error, ImportError) and str(error).endswith(_NO_LIBRARY):
        raise ProcessingEnvironmentError(f"{what} found no room for a library: {error}") from error


def is_of_this_machine(error: BaseException | None) -> bool:
    """Return True if an error, or one that it comes from, means that the machine lacks something."""
    while error is not None:
        if isinstance(error, Exception):
            try:
                raise_if_of_this_machine(error, "")
            except ProcessingEnvironmentError:
                return True
        error = error.__cause__
    return False


class CrashStorageError(SocorroError):
    """A store failed. Only the subclasses below are raised."""

    transient = False
    """True if the store or the machine is at fault, and not the crash."""


class CrashIDNotFound(CrashStorageError):
    """The store works, and has no such crash."""


class DumpsRemoved(CrashIDNotFound):
    """The crash is there, and its dumps were removed."""


class TransientStorageError(CrashStorageError):
    """The service is away, throttles, timed out, refuses credentials, is full or lacks its bucket."""

    transient = True


class NoStoreYetError(TransientStorageError):
    """As far as this process knows, the store has not been made yet: the first crash that is saved makes it."""


class PartlyAwayError(TransientStorageError):
    """A part of the store that only some crashes need is away, such as the index of a week.

    A crash that needs it is not at fault, even if others are saved meanwhile.
    """


class PermanentStorageError(CrashStorageError):
    """The store cannot take, or return, the content of this crash."""


class MalformedCrash(PermanentStorageError):
    """The stored raw crash is not a JSON object, or is far too large for one.

    A later attempt would read the same, so the crash is parked at once.
    """


class PolyStorageError(CrashStorageError):
    """Some of the stores inside a poly store failed.

    ``failures`` maps the name of each (``storage1``) to its error. Transient if any of them is.
    """

    def __init__(self, failures: Mapping[str, CrashStorageError]) -> None:
        self.failures = dict(failures)
        self.transient = any(error.transient for error in self.failures.values())
        super().__init__("; ".join(f"{name}: {error}" for name, error in self.failures.items()))


DESTINATION = "destination"
"""The name of the store that crashes are saved to, if it is the only one."""


class NotSavedError(CrashStorageError):
    """A processed crash was not saved everywhere. It refers to no other error, so that it keeps no frames alive.

    - ``unsaved`` names the stores that lack the crash; a store ``limited_to`` them saves it to no others
    - ``away`` names those of them that were not able to take it
    - ``took`` names the stores that have it now
    - ``result`` is the name of the result that these have
    - ``partly_away`` is True if a store that was not able to take it is away for some crashes only

    Names are as in ``PolyStorageError``, with dots for a store inside another; DESTINATION for a single store.
    """

    def __init__(
        self,
        message: str,
        *,
        unsaved: Sequence[str],
        away: Sequence[str],
        took: Sequence[str],
        result: str,
        partly_away: bool = False,
    ) -> None:
        super().__init__(message)
        self.transient = bool(away)
        self.unsaved = list(unsaved)
        self.away = list(away)
        self.took = list(took)
        self.result = result
        self.partly_away = partly_away


def failed_stores(error: CrashStorageError, prefix: str = "") -> dict[str, CrashStorageError]:
    """Return the errors by the names of the stores that failed."""
    if not isinstance(error, PolyStorageError):
        return {prefix or DESTINATION: error}
    failed: dict[str, CrashStorageError] = {}
    for name, failure in error.failures.items():
        failed |= failed_stores(failure, f"{prefix}.{name}" if prefix else name)
    return failed


class CrashQueueError(SocorroError):
    """The queue could not be reached or did not confirm; nothing is known to have changed."""


E = TypeVar("E", bound=Exception)


def without_frames(error: E) -> E:
    """Strip an error of its frames and causes, and return it: for a caller that keeps it.

    An error refers to the frames that it came through, with each copy of the crash that they had, and to the errors
    before it, with theirs. If one of these frames refers to the error, they keep each other alive until Python
    collects garbage, which it does the more rarely the more is in memory.
    """
    unvisited: list[object] = [error]
    seen: set[int] = set()
    while unvisited:
        item = unvisited.pop()
        if isinstance(item, list | tuple):
            unvisited += item
        elif isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            traceback.clear_frames(item.__traceback__)
            # Clients keep the errors of earlier tries in their own attributes.
            unvisited += [item.__cause__, item.__context__, *item.args, *vars(item).values()]
            item.__traceback__ = item.__cause__ = item.__context__ = None
    return error
