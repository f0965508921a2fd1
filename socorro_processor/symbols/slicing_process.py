"""Slices dumps in a process of its own, so that the threads of a processor do not wait for one another's Python.

python -m socorro_processor.symbols.slicing_process SETTINGS

Its standard input is a socket, with whose end it ends. Both sides send messages: JSON, with bytes behind it. A dump
that kills it costs no more than what was asked of that dump.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from socorro_processor.child_environment import child_environment
from socorro_processor.core_dumps import forbid_core_dumps
from socorro_processor.errors import SocorroError
from socorro_processor.line_writer import keep_output_from_blocking
from socorro_processor.malloc import FOR_SLICES, keep_memory_flat
from socorro_processor.symbols.dump_file import NotUnderstood
from socorro_processor.symbols.index_store import IndexStore, SymbolFile
from socorro_processor.symbols.searched_dumps import SearchedDumps
from socorro_processor.symbols.slicer import NotSliced, Slicer, Slices
from socorro_processor.symbols.wanted import Wanted

logger = logging.getLogger(__name__)

TIME = 30.0
"""Seconds that an answer may take."""
_NO_MEMORY = 75
"""Its exit code then."""
_PATIENCE_WITH_THE_KILLED = 10.0
_ENDS_WITHIN = 1.0
"""Seconds, once it says nothing more."""
_SIZES = struct.Struct("<II")
"""Of the JSON and of the bytes behind it."""
_TIMEVAL = struct.Struct("@ll")


class ProcessLost(SocorroError):
    """The process has ended, or does not answer."""


class ProcessKilled(ProcessLost):
    """Or stopped, from outside, or it had not enough memory: it is not the dump's fault."""


class SlicingProcess:
    """One such process. One thread at a time has a dump sliced; others may have slices removed meanwhile."""

    def __init__(self, stores: Sequence[str], indexes: IndexStore, timeout: float = TIME) -> None:
        """Start it. Raises OSError."""
        settings = {
            "stores": list(stores),
            "indexes": indexes.index_path,
            "memory": indexes.memory,
            # By that the next processor finds one that is frozen when its own ends.
            "processor": f"{tempfile.gettempdir()}/",
        }
        self._lock = threading.Lock()
        self._removals: list[str] = []
        """Those asked for that need not have been made."""
        self._socket, other = socket.socketpair()
        try:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                # The system's: Python's own costs a look before each read.
                self._socket.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(*_seconds(timeout)))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "socorro_processor.symbols.slicing_process", json.dumps(settings)],
                stdin=other.fileno(),
                stdout=subprocess.DEVNULL,
                env=child_environment(),
                start_new_session=True,
            )
        except BaseException:
            self._socket.close()
            raise
        finally:
            other.close()

    @property
    def pid(self) -> int:
        pid: int = self._process.pid
        return pid

    def has_said_something(self) -> bool:
        """Its first message says that it is ready. Later, while nothing is asked, it says only that it has ended."""
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def take_first_message(self) -> None:
        """Raises ProcessLost."""
        self._receive()

    def slice(self, dump: Path, directory: str, version: str) -> tuple[Slices | NotSliced, float]:
        """As ``Slicer.attempt``, for that version of the stackwalker. Raises ProcessLost."""
        with self._lock:
            self._send({"dump": str(dump), "directory": directory, "version": version})
            removals = len(self._removals)
        answer, data = self._receive()
        with self._lock:
            # It does one thing after the other.
            del self._removals[:removals]
        seconds = answer.pop("seconds")
        if "reason" in answer:
            return NotSliced(**answer), seconds
        slices = Slices(
            Path(directory),
            numpy.frombuffer(data, numpy.uint64),
            partial(self.remove, directory),
            sliced=answer["sliced"],
            whole=answer["whole"],
            size=answer["size"],
            without_index=[SymbolFile(Path(root), relative) for root, relative in answer["without_index"]],
            modules=set(answer["modules"]),
        )
        return slices, seconds

    def needed(self, dump: Path) -> list[Wanted]:
        """The symbol files that a dump needs, which is to be sliced next. Raises NotUnderstood, ProcessLost."""
        with self._lock:
            self._send({"needed": str(dump)})
        answer, _ = self._receive()
        if "why" in answer:
            raise NotUnderstood(answer["why"])
        return [Wanted(*each) for each in answer["needed"]]

    def remove(self, directory: str) -> None:
        """Have slices removed, with their directory. It is not waited for."""
        try:
            with self._lock:
                self._send({"remove": directory})
                self._removals.append(directory)
        except (ProcessLost, MemoryError):
            shutil.rmtree(directory, ignore_errors=True)

    def close(self, patience: float = 5.0) -> None:
        """End it, and remove what it has not removed yet."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            try:
                self._process.wait(_PATIENCE_WITH_THE_KILLED)
            except subprocess.TimeoutExpired:
                logger.error("process %d was killed and does not end: it may wait for a disk that hangs", self.pid)
        with self._lock:
            self._socket.close()
            for directory in self._removals:
                shutil.rmtree(directory, ignore_errors=True)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            _send(self._socket, message)
        except OSError as error:
            raise self._lost(error) from error

    def _receive(self) -> tuple[dict[str, Any], bytes]:
        try:
            return _receive(self._socket)
        except (OSError, EOFError) as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError | EOFError) -> ProcessLost:
        if isinstance(error, BlockingIOError):
            return ProcessKilled("it is stopped") if self._is_stopped() else ProcessLost("it does not answer")
        try:
            code = self._process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            return ProcessLost(str(error))
        if code in (-signal.SIGKILL, _NO_MEMORY):
            return ProcessKilled("it was killed, or had no memory left")
        return ProcessLost(f"it ended, exit code {code}")

    def _is_stopped(self) -> bool:
        with suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b") ")[2][:1] in b"Tt"
        return False


def _seconds(seconds: float) -> tuple[int, int]:
    """And microseconds."""
    return int(seconds), int(seconds % 1 * 1_000_000)


def _send(to: socket.socket, message: dict[str, Any], data: bytes = b"") -> None:
    text = json.dumps(message).encode()
    to.sendall(b"".join([_SIZES.pack(len(text), len(data)), text, data]))


def _receive(source: socket.socket) -> tuple[dict[str, Any], bytes]:
    """Raises EOFError, OSError."""
    text, data = _SIZES.unpack(_read(source, _SIZES.size))
    message: dict[str, Any] = json.loads(_read(source, text))
    return message, _read(source, data)


def _read(source: socket.socket, size: int) -> bytes:
    pieces = []
    while size:
        # It returns less where this process is stopped for a while.
        piece = source.recv(size, socket.MSG_WAITALL)
        if not piece:
            raise EOFError("nothing more is said")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def main(arguments: Sequence[str]) -> int:
    try:
        return _work(arguments)
    except MemoryError:
        return _NO_MEMORY


def _work(arguments: Sequence[str]) -> int:
    # What it reads is personal, as is what the processor has in memory.
    forbid_core_dumps()
    keep_memory_flat(FOR_SLICES)
    settings = json.loads(arguments[0])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # The processor may get them too, and needs this one until it has ended its work.
        signal.signal(number, signal.SIG_IGN)
    indexes = IndexStore(settings["indexes"], settings["memory"])
    dumps = SearchedDumps()
    made: dict[str, Callable[[], None]] = {}
    with socket.socket(fileno=os.dup(0)) as processor, suppress(EOFError, OSError):
        _send(processor, {})
        while True:
            request, _ = _receive(processor)
            if "remove" in request:
                made.pop(request["remove"])()
                continue
            if "needed" in request:
                try:
                    _send(processor, {"needed": dumps.needed(Path(request["needed"]))})
                except NotUnderstood as error:
                    _send(processor, {"why": str(error)})
                except MemoryError:
                    return _NO_MEMORY
                except Exception as error:
                    # It reads what strangers send: for a fault in that no other dump shall want.
                    traceback.print_exc()
                    _send(processor, {"why": f"a bug, {type(error).__name__}"})
                continue
            directory = request["directory"]
            slicer = Slicer(settings["stores"], indexes, request["version"], only_worthwhile=True)
            result, seconds = slicer.attempt(Path(request["dump"]), Path(directory), dumps)
            if isinstance(result, NotSliced):
                if result.reason == "memory":
                    # It may have been started in hard times: another one may have more.
                    return _NO_MEMORY
                _send(processor, {"seconds": seconds, **asdict(result)})
                continue
            made[directory] = result.remove
            answer = {
                "seconds": seconds,
                "sliced": result.sliced,
                "whole": result.whole,
                "size": result.size,
                "without_index": [(str(file.root), file.relative) for file in result.without_index],
                "modules": list(result.modules),
            }
            _send(processor, answer, result.candidates.tobytes())
    # Those in use when the processor was killed.
    for remove in made.values():
        remove()
    return 0


if __name__ == "__main__":
    keep_output_from_blocking()
    sys.exit(main(sys.argv[1:]))
