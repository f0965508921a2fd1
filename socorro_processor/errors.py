"""Every error that one room of the processor raises for another to handle.

The question that each of them answers is *whose fault is it*: this crash's own, or the world's
(a store that is away, a machine without space). Only a crash's own failures count against it.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Mapping, Sequence
from typing import TypeVar


class SocorroError(Exception):
    """The root of all of them: what a command prints as one line, without a traceback."""


class ConfigurationError(SocorroError):
    """The configuration cannot be used; the message names the place and what was expected."""


class InvalidCrashID(SocorroError):
    """A string that is no crash id, or one dated on an impossible day."""


class ProcessingEnvironmentError(SocorroError):
    """Something is wrong with this machine, not with this crash.

    The stackwalker cannot be executed; no space, memory or descriptors are left. The one exception
    that leaves a rule: nothing is saved, the crash is tried again, the processor is not ready.
    """


_OF_THE_MACHINE = {
    errno.EDQUOT,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.EROFS,
}
_NO_THREAD = "can't start new thread"
"""What threading says, for want of memory or by a limit of tasks."""
_NO_LIBRARY = ("failed to map segment from shared object", "Cannot allocate memory", "Too many open files")
"""How the dynamic loader ends where memory or descriptors are all that a library lacks."""


def raise_if_of_this_machine(error: Exception, what: str) -> None:
    """Raise ProcessingEnvironmentError where ``error`` says what this machine lacks.

    Memory, space, descriptors, threads: no crash's fault. ``what`` is what lacked them.
    """
    if isinstance(error, ProcessingEnvironmentError):
        raise error
    if isinstance(error, MemoryError):
        raise ProcessingEnvironmentError(f"{what} found no memory left") from error
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        raise ProcessingEnvironmentError(f"{what}: {error.strerror}") from error
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        raise ProcessingEnvironmentError(f"{what} found no room for another thread") from error
    if isinstance(error, ImportError) and str(error).endswith(_NO_LIBRARY):
        raise ProcessingEnvironmentError(f"{what} found no room for a library: {error}") from error


class CrashStorageError(SocorroError):
    """A store could not do what it was asked. Raised only as one of the kinds below."""

    transient = False
    """True where the store or the machine is at fault, and not the crash."""


class CrashIDNotFound(CrashStorageError):
    """The store is there and says that it has no such crash."""


class TransientStorageError(CrashStorageError):
    """The service is away, throttles, timed out, refuses credentials, is full or lacks its bucket."""

    transient = True


class NoStoreYetError(TransientStorageError):
    """The store was not made so far, as far as this process knows: the first crash that is saved there makes it."""


class PartlyAwayError(TransientStorageError):
    """A part of the store is away that some crashes need and others do not, such as the index of a week.

    That others are saved meanwhile says nothing of a crash that needs it.
    """


class PermanentStorageError(CrashStorageError):
    """The store says of this crash's content that it cannot take or give it."""


class MalformedCrash(PermanentStorageError):
    """What is stored under this id is no crash: its raw crash is no JSON object, or far too large for one.

    No later attempt would read anything else, so it is parked without further ones.
    """


class PolyStorageError(CrashStorageError):
    """Some of the stores behind a poly store failed.

    ``failures`` maps the name of each (``storage1``) to its error. Transient if any of them is.
    """

    def __init__(self, failures: Mapping[str, CrashStorageError]) -> None:
        self.failures = dict(failures)
        self.transient = any(error.transient for error in self.failures.values())
        super().__init__("; ".join(f"{name}: {error}" for name, error in self.failures.items()))


DESTINATION = "destination"
"""The name of a single store that crashes are saved to, among those of stores that failed."""


class NotSavedError(CrashStorageError):
    """A processed crash was not saved everywhere. It holds no other error, and so nothing of that one's frames.

    ``unsaved``: the stores that lack it; ``away``: those of them that were not able to take it; ``took``: those
    that have it now. Names as in ``PolyStorageError``, with dots where one is behind another; DESTINATION for a
    single store. ``result`` names the result that the others have. ``partly_away``: one of those that were not able
    to take it is so for some crashes only.
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
    """Return the error of each store that failed, by its name."""
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
    """Return the error as what it says alone, for whoever keeps it for later.

    An error holds the frames that it came through, with the crash and each copy of it that they had, and the errors
    before it with theirs. Where one of these frames holds the error they hold each other, until Python collects
    garbage, which it does the more seldom the more there is in memory.
    """
    left: list[object] = [error]
    seen: set[int] = set()
    while left:
        one = left.pop()
        if isinstance(one, list | tuple):
            left += one
        elif isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            # Clients have the errors of earlier tries in attributes of their own.
            left += [one.__cause__, one.__context__, *one.args, *vars(one).values()]
            one.__traceback__ = one.__cause__ = one.__context__ = None
    return error
