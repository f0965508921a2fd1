"""The processor that ``socorro serve`` runs beside the server, as long as it lives."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress

from socorro_processor.app.companion import relay
from socorro_processor.machine.child import Child
from socorro_processor.machine.process_tree import kill_tree
from socorro_processor.monitoring.health import Health
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.untrusted import plain
from socorro_processor.web.processor.child_messages import ChildMessages

logger = logging.getLogger(__name__)

PART = "processor"
"""The part of the server's health."""

_FIRST_DELAY = 1.0
_LONGEST_DELAY = 60.0
_STABLE_TIME = 60.0
"""Seconds after which a processor counts as stable, so that the next one starts after the first delay."""
_SILENCE = 120.0
"""Seconds without a sign of life after which a processor hangs, and is killed."""
_NOT_OURS = ("info", "ready")
"""Metrics that the server has on its own."""


class ProcessorChild:
    """Runs a program as long as this process lives, and again whenever it ends.

    Its arguments are followed by two descriptors: the first is a pipe with what is handed over, a JSON object with
    ``options``, as on a command line, and ``environment``; these may hold secrets, which neither an argument nor the
    environment of a process keeps from others. Its metrics go into the second (``companion.PipeSink``).
    """

    def __init__(
        self,
        program: Sequence[str],
        options: Sequence[str],
        environment: Mapping[str, str],
        health: Health,
        *,
        first_delay: float = _FIRST_DELAY,
        silence: float = _SILENCE,
    ) -> None:
        """``first_delay`` is the seconds until the first restart; each further one takes twice as long."""
        self._program = list(program)
        self._messages = ChildMessages()
        watched = {"NOTIFY_SOCKET": self._messages.address, "WATCHDOG_USEC": str(int(silence * 1e6))}
        self._handed_over = json.dumps({"options": [*options], "environment": {**environment, **watched}}).encode()
        self._health = health
        self._first_delay = first_delay
        self._silence = silence
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._has_reported = False
        self._thread = threading.Thread(target=self._run, name="processor", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The pid of the process that runs now."""
        child = self._child
        return child.process.pid if child else None

    @property
    def has_reported(self) -> bool:
        """True once it has said whether it is ready."""
        return self._has_reported

    def reload(self) -> None:
        """Let it read signature lists and reference data again."""
        self._send(signal.SIGHUP)

    def stop(self) -> None:
        """Let it finish the crashes in work, and end; a second call ends it at once. Does not wait."""
        with self._lock:
            again = self._stopping.is_set()
            self._stopping.set()
            if self._child is not None and not again:
                # The end of its standard input counts as one SIGTERM, even before the program can handle a signal.
                self._child.close()
        if again:
            self._send(signal.SIGTERM)

    def close(self, patience: float) -> None:
        """Stop it, and wait; kill it after ``patience`` seconds."""
        if not self._stopping.is_set():
            self.stop()
        with self._lock:
            child = self._child
        if child is not None and not child.end(patience):
            logger.warning("the processor does not end within %g s, and is killed", patience)
        self._thread.join()
        self._messages.close()

    def _send(self, number: signal.Signals) -> None:
        with self._lock:
            if self._child is not None:
                # It may have ended just now.
                with suppress(ProcessLookupError):
                    self._child.process.send_signal(number)

    def _run(self) -> None:
        # A child has the blocked signals of the thread that starts it: SIGHUP waits until the processor can handle it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        delay = self._first_delay
        while not self._stopping.is_set():
            started = time.monotonic()
            end = self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STABLE_TIME:
                delay = self._first_delay
            self._health.add_problem(PART, f"{end}; crashes wait in the queue")
            logger.error("the processor %s; it is started again in %.1f s", end, delay)
            METRICS.increment("web.processor_ended")
            self._stopping.wait(delay)
            delay = min(delay * 2, _LONGEST_DELAY)

    def _run_once(self) -> str:
        """Start the program and wait for its end; return how it ended."""
        try:
            child, handing_over = self._start()
        except (OSError, MemoryError, RuntimeError) as error:
            return f"could not be started: {str(error) or type(error).__name__}"
        with closing(child):
            try:
                # A program that ends before it has read all is seen below.
                with suppress(BrokenPipeError), os.fdopen(handing_over, "wb") as pipe:
                    pipe.write(self._handed_over)
                return self._follow(child)
            finally:
                with self._lock:
                    self._child = None

    def _start(self) -> tuple[Child, int]:
        """Start the program. Return it and the pipe for what is handed over. Raises OSError, RuntimeError."""
        ours: list[int] = []
        theirs: list[int] = []
        try:
            reading, writing = os.pipe()
            theirs.append(reading)
            ours.append(writing)
            metrics, measuring = os.pipe()
            theirs.append(measuring)
            pipe = os.fdopen(metrics, "rb")
            threading.Thread(
                target=relay, args=(pipe, METRICS, _NOT_OURS), name="processor-metrics", daemon=True
            ).start()
            with self._lock:
                if self._stopping.is_set():
                    raise RuntimeError("the server stops")
                self._child = Child([*self._program, str(reading), str(measuring)], pass_fds=theirs)
                return self._child, ours.pop()
        finally:
            for descriptor in (*ours, *theirs):
                os.close(descriptor)

    def _follow(self, child: Child) -> str:
        """Note what the program says until it ends."""
        heard = time.monotonic()
        while (code := child.process.poll()) is None:
            said = self._messages.receive(child.process.pid, 0.2)
            now = time.monotonic()
            if said:
                heard = now
                self._note(said)
            elif now - heard > self._silence:
                logger.error("the processor has said nothing for %d s, and is killed", now - heard)
                kill_tree(child.process.pid)
                child.process.wait()
                return f"said nothing for {now - heard:.0f} s and was killed"
        return f"has ended ({code})"

    def _note(self, said: Mapping[str, str]) -> None:
        status = plain(said.get("STATUS", ""))
        if status.startswith("not ready"):
            self._health.add_problem(PART, status.removeprefix("not ready: "))
        elif status.startswith("ready"):
            self._health.resolve(PART)
        else:
            return
        self._has_reported = True
