"""Answer over HTTP whether the processor is alive (``/healthz``) and ready (``/readyz``), and with its metrics
(``/metrics``)."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from socorro_processor.configuration import DotDict, Namespace, Seconds, WholeNumber
from socorro_processor.monitoring import prometheus
from socorro_processor.monitoring.metrics import METRICS

logger = logging.getLogger(__name__)

MAXIMUM_CONNECTIONS = 16
"""Beyond this many, the oldest is cut off, so that silent clients cannot block a probe."""

MAXIMUM_SILENCE = 60.0  # seconds

required_config = Namespace()
required_config.add_option(
    "port",
    default=0,
    doc="port of /healthz, /readyz and /metrics (0: none); a port that is taken is a warning, not an error",
    from_string_converter=WholeNumber(0, 65535),
)
required_config.add_option("host", default="127.0.0.1", doc="address that the health server listens on")
required_config.add_option(
    "maximum_silence",
    default=MAXIMUM_SILENCE,
    doc="seconds without a sign of life from the main loop after which /healthz reports a hang",
    from_string_converter=Seconds(above=True),
)


class Health:
    """The current problems, by the part that has them. May be used from any thread."""

    def __init__(self, maximum_silence: float = MAXIMUM_SILENCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._problems: dict[str, str] = {"start": "has not finished"}
        self._warnings: dict[str, str] = {}
        self._maximum_silence = maximum_silence
        self._clock = clock
        self._last_sign = clock()
        self._hanging: Callable[[], str | None] = lambda: None

    def watch_with(self, hanging: Callable[[], str | None]) -> None:
        """Ask ``hanging``, a method of a watchdog, what hangs; it returns None if nothing does."""
        self._hanging = hanging

    def add_problem(self, part: str, description: str) -> None:
        """Note that ``part`` cannot do its work: the processor is not ready."""
        with self._lock:
            known = self._problems.get(part) == description
            self._problems[part] = description
            METRICS.gauge("ready", 0)
        if not known:
            logger.warning("not ready: %s: %s", part, description)

    def resolve(self, part: str) -> None:
        """Note that ``part`` works, or works again."""
        with self._lock:
            known = self._problems.pop(part, None)
            ready = not self._problems
            METRICS.gauge("ready", int(ready))
        if known is not None and ready:
            logger.info("ready")

    def warn(self, part: str, description: str) -> None:
        """Note what somebody should look at although all work is done: it keeps nobody from being ready."""
        with self._lock:
            known = part in self._warnings
            self._warnings[part] = description
        if not known:
            logger.warning("%s: %s", part, description)

    def withdraw_warning(self, part: str) -> None:
        with self._lock:
            known = self._warnings.pop(part, None)
        if known is not None:
            logger.info("%s: the warning is withdrawn", part)

    def warnings(self) -> dict[str, str]:
        """Return what somebody should look at, by part."""
        with self._lock:
            return dict(self._warnings)

    def note_stop(self) -> None:
        """Note that the processor stops, and takes no more crashes."""
        with self._lock:
            self._problems["stop"] = "has begun"
            METRICS.gauge("ready", 0)

    def note_sign_of_life(self) -> None:
        """Note a sign of life from the main loop."""
        self._last_sign = self._clock()

    def problems(self) -> dict[str, str]:
        """Return what keeps the processor from working; empty if it is ready."""
        with self._lock:
            return dict(self._problems)

    def current_hang(self) -> dict[str, object]:
        """Return how long the main loop has been silent, or what the watchdog sees; empty if nothing hangs."""
        if (silence := self._clock() - self._last_sign) > self._maximum_silence:
            return {"seconds": round(silence, 1)}
        what = self._hanging()
        return {} if what is None else {"what": what}


class HealthServer:
    """Serves a Health on ``host:port``, in its own thread."""

    def __init__(self, config: DotDict, health: Health) -> None:
        self._server: ThreadingHTTPServer | None = None
        if not config.port:
            return
        handler = type("Handler", (_Handler,), {"health": health})
        try:
            self._server = _Server((config.host, config.port), handler)
        except (OSError, OverflowError) as error:
            # Two processors on one host are normal; the second works without a health server.
            logger.warning(
                "no health server: cannot listen on %s:%d: %s (set another health.port)",
                config.host,
                config.port,
                error,
            )
            return
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="health", daemon=True
        ).start()

    @property
    def port(self) -> int:
        """The port that it listens on; 0 if it does not."""
        return self._server.server_port if self._server else 0

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    """Serves each connection in its own thread, and only a few at once."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: OrderedDict[socket.socket, None] = OrderedDict()
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections[request] = None
            oldest = next(iter(self._connections)) if len(self._connections) > MAXIMUM_CONNECTIONS else None
            if oldest is not None:
                del self._connections[oldest]
                with suppress(OSError):
                    # Its thread then reads the end of the stream, and closes the connection.
                    oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: clients disconnect, or are cut off."""


class _Handler(BaseHTTPRequestHandler):
    health: Health
    timeout = 5
    server_version = "socorro-processor"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            hang = self.health.current_hang()
            self._answer(503 if hang else 200, {"status": "hangs" if hang else "ok", **hang})
        elif path == "/readyz":
            problems = self.health.problems()
            self._answer(503 if problems else 200, {"ready": not problems, "problems": problems})
        elif path == "/metrics":
            self._send(200, prometheus.CONTENT_TYPE, prometheus.prometheus_text())
        else:
            self._answer(404, {"error": "no such page: try /healthz, /readyz or /metrics"})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        self._send(status, "application/json", json.dumps(body).encode() + b"\n")

    def _send(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:
        """Log nothing: there is a probe every few seconds."""
