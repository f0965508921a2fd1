"""A TCP proxy that does to connections what networks and servers do to them.

    with Proxy("127.0.0.1", 5432) as proxy:
        connect("127.0.0.1", proxy.port)
        proxy.latency(to_server=0.02)
        proxy.cut()

Each fault applies from the return of its method, to existing and to new connections, until ``heal``. Methods may
be called from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar

T = TypeVar("T")

DEADLINE = 10.0
_CHUNK = 65536
_CHUNKS_UNDER_WAY = 64
"""Chunks under way in each direction: enough that a short latency does not reduce the bandwidth."""
_STEPS_PER_SECOND = 50
"""Deliveries a second in a throttled direction."""


@dataclass
class _Way:
    """Faults in the bytes of one direction."""

    latency: float = 0.0
    bytes_per_second: float | None = None
    cut_after: int | None = None


class Proxy:
    """Listens on ``host:port`` from the start to the end of a ``with``, and forwards to the target."""

    def __init__(self, target_host: str, target_port: int, port: int = 0) -> None:
        self._target = target_host, target_port
        # Keeps the port while nothing listens on it: connections are refused then.
        self._reserved = _bound("127.0.0.1", port)
        self.host, self.port = self._reserved.getsockname()
        self._to_server, self._to_client = _Way(), _Way()
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._counting = threading.Condition()
        self._accepted = 0
        self._listening: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()
        self._reserved.close()

    @property
    def accepted(self) -> int:
        """Return the number of connections so far."""
        with self._counting:
            return self._accepted

    @property
    def open(self) -> int:
        """Return the number of open connections."""
        return self._do(self._count)

    def wait_for(self, accepted: int) -> None:
        """Wait until this many connections have been accepted: a client is connected a moment earlier."""
        with self._counting:
            assert self._counting.wait_for(lambda: self._accepted >= accepted, DEADLINE), (
                f"{self._accepted} of {accepted} connections came"
            )

    def latency(self, *, to_server: float = 0.0, to_client: float = 0.0) -> None:
        """Deliver data this many seconds later. The latencies of both directions add up for an answer."""
        self._do(self._set, "latency", to_server, to_client)

    def throttle(self, *, to_server: float | None = None, to_client: float | None = None) -> None:
        """Limit each connection to this many bytes a second."""
        self._do(self._set, "bytes_per_second", to_server, to_client)

    def cut_after(self, *, to_server: int | None = None, to_client: int | None = None) -> None:
        """Cut each connection after this many bytes, counted from now or from its beginning."""
        self._do(self._set, "cut_after", to_server, to_client)

    def hang(self) -> None:
        """Accept connections and forward nothing. Data is held back until ``heal`` delivers it."""
        self._do(self._hang)

    def refuse(self) -> None:
        """Refuse new connections; existing ones go on."""
        self._do(self._refuse)

    def accept(self) -> None:
        """Accept new connections again."""
        self._do(self._accept)

    def cut(self) -> int:
        """Cut all connections at both ends, like a reset, with the data under way. Return their number."""
        return self._do(self._end, 0.0, False)

    def close_idle(self, seconds: float = 0.0) -> int:
        """Close the connections that were idle for this long, in order, as servers do. Return their number."""
        return self._do(self._end, seconds, True)

    def heal(self) -> None:
        """End all faults; connections that were cut stay cut."""
        for set_fault in (self.latency, self.throttle, self.cut_after):
            set_fault()
        self.accept()
        self._do(self._flow)

    def _do(self, action: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
        return asyncio.run_coroutine_threadsafe(action(*arguments), self._loop).result(DEADLINE)

    # Everything below runs on the event loop.

    async def _count(self) -> int:
        return len(self._connections)

    async def _set(self, fault: str, to_server: float | None, to_client: float | None) -> None:
        setattr(self._to_server, fault, to_server)
        setattr(self._to_client, fault, to_client)
        if fault == "cut_after":
            for connection in self._connections:
                connection.forwarded.clear()

    async def _hang(self) -> None:
        self._flowing.clear()

    async def _flow(self) -> None:
        self._flowing.set()

    async def _accept(self) -> None:
        if self._listening is None:
            self._listening = _bound(self.host, self.port)
            self._listening.setblocking(False)
            self._listening.listen(100)
            self._loop.add_reader(self._listening, self._on_client)

    async def _refuse(self) -> None:
        # A server of asyncio never closes a connection that comes while the server is being closed.
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    def _on_client(self) -> None:
        assert self._listening is not None
        with contextlib.suppress(OSError):  # the connection has ended
            client, _ = self._listening.accept()
            task = self._loop.create_task(self._serve(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _end(self, idle: float, in_order: bool) -> int:
        ended = [each for each in self._connections if self._loop.time() - each.last_forwarded >= idle]
        for connection in ended:
            connection.end(in_order)
        await asyncio.gather(*(connection.task for connection in ended), return_exceptions=True)
        return len(ended)

    async def _close(self) -> None:
        await self._refuse()
        while self._tasks:
            await self._end(0.0, False)
            await asyncio.sleep(0)

    async def _serve(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client)
        connection = _Connection(reader, writer, self._to_server, self._to_client, self._flowing)
        self._connections.add(connection)
        with self._counting:
            self._accepted += 1
            self._counting.notify_all()
        try:
            await connection.run(*self._target)
        finally:
            self._connections.discard(connection)


class _Connection:
    """A client's connection, and the one to the target that belongs to it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        to_server: _Way,
        to_client: _Way,
        flowing: asyncio.Event,
    ) -> None:
        self._reader, self._writers = reader, [writer]
        self._to_server, self._to_client, self._flowing = to_server, to_client, flowing
        self._in_order = False
        self._clock = asyncio.get_running_loop().time
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.last_forwarded = self._clock()
        self.forwarded: dict[int, int] = {}
        """Bytes that went each way, since ``cut_after`` was set."""

    def end(self, in_order: bool) -> None:
        self._in_order = in_order
        self.task.cancel()

    async def run(self, target_host: str, target_port: int) -> None:
        """Forward until both ends have closed, one was reset, or ``end`` was called."""
        try:
            await self._flowing.wait()
            reader, writer = await asyncio.open_connection(target_host, target_port)
            self._writers.append(writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(self._reader, writer, self._to_server))
                both.create_task(self._forward(reader, self._writers[0], self._to_client))
            self._in_order = True
        except (asyncio.CancelledError, OSError, ExceptionGroup):
            pass  # the two ends learn of it below
        finally:
            for writer in self._writers:
                if self._in_order:
                    writer.close()
                else:
                    _reset(writer)
            for writer in self._writers:
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: _Way) -> None:
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_UNDER_WAY)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._read(reader, chunks))
            both.create_task(self._write(chunks, writer, way))

    async def _read(self, reader: asyncio.StreamReader, chunks: asyncio.Queue[tuple[float, bytes]]) -> None:
        chunk = b"begin"
        while chunk:
            chunk = await reader.read(_CHUNK)
            await chunks.put((self._clock(), chunk))

    async def _write(self, chunks: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, way: _Way) -> None:
        while True:
            arrived, chunk = await chunks.get()
            while (wait := arrived + way.latency - self._clock()) > 0:
                await asyncio.sleep(wait)
            await self._flowing.wait()
            if not chunk:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            while chunk:
                rate = way.bytes_per_second
                size = len(chunk) if rate is None else max(1, int(rate / _STEPS_PER_SECOND))
                part, chunk = chunk[:size], chunk[size:]
                await self._send(part, writer, way)
                if rate is not None:
                    await asyncio.sleep(len(part) / rate)

    async def _send(self, part: bytes, writer: asyncio.StreamWriter, way: _Way) -> None:
        forwarded = self.forwarded.get(id(way), 0)
        allowed = len(part) if way.cut_after is None else way.cut_after - forwarded
        writer.write(part[: max(0, allowed)])
        await writer.drain()
        self.last_forwarded = self._clock()
        self.forwarded[id(way)] = forwarded + len(part)
        if way.cut_after is not None and forwarded + len(part) >= way.cut_after:
            raise ConnectionResetError


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    return bound


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
