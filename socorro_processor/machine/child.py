"""A program of this project that runs beside this process and never outlives it.

It must end when its standard input ends: that is a pipe, which the kernel closes however this process ends.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Sequence

from socorro_processor.machine.child_environment import child_environment
from socorro_processor.machine.orphans import mark_of_children
from socorro_processor.machine.process_tree import kill_tree


class Child:
    """A process whose environment has no secrets, in its own session: Ctrl-C in a terminal does not reach it.

    ``process`` is for waiting and for reading its output.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdout: int | None = None,
        stderr: int | None = None,
        pass_fds: Collection[int] = (),
    ) -> None:
        """Start the process; the arguments are those of ``subprocess.Popen``. Raises OSError."""
        # Not Popen's own pipe, which `communicate` would close at once.
        stdin, lifeline = os.pipe()
        self._lifeline = os.fdopen(lifeline, "wb", buffering=0)
        try:
            self.process = subprocess.Popen(
                arguments,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env={**mark_of_children(), **child_environment()},
                start_new_session=True,
                pass_fds=pass_fds,
            )
        except BaseException:
            self._lifeline.close()
            raise
        finally:
            os.close(stdin)

    def end(self, patience: float) -> bool:
        """Tell the process to end. If it takes longer than ``patience`` seconds, kill its tree and return False.

        Another thread may be waiting for the process.
        """
        self._lifeline.close()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            kill_tree(self.process.pid)
            return False
        return True

    def close(self) -> None:
        """Close the pipe of a program that has ended, or tell it to end without waiting for it."""
        self._lifeline.close()
