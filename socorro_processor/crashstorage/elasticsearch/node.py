"""A node of the cluster whose answers have a deadline.

The client's own timeout is for each read: an answer that sends a byte every few seconds never exceeds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elastic_transport import ConnectionError, ConnectionTimeout, HttpHeaders, NodeConfig, Urllib3HttpNode
from elastic_transport.client_utils import DEFAULT, DefaultType
from urllib3.connection import HTTPConnection

from socorro_processor.machine.request_deadline import ANY_TIME, LEAST_SPEED, DeadlineConnection, Deadlines

if TYPE_CHECKING:
    from elastic_transport._node import NodeApiResponse


_DEADLINE_FACTOR = 2
"""The deadline of a whole answer as a multiple of the timeout of a read."""


class DeadlineNode(Urllib3HttpNode):
    """A node whose answer may take as long as two reads, besides the time to send the request."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._deadlines = Deadlines()
        # For https the class is the client's own.
        client_class: Any = self.pool.ConnectionCls
        self.pool.ConnectionCls = type(HTTPConnection.__name__, (DeadlineConnection, client_class), {})

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> NodeApiResponse:
        timeout = request_timeout if isinstance(request_timeout, int | float) else self.config.request_timeout
        seconds = (timeout or ANY_TIME) * _DEADLINE_FACTOR + len(body or b"") / LEAST_SPEED
        with self._deadlines.within(seconds) as deadline, deadline.here():
            try:
                answer = super().perform_request(method, target, body, headers, request_timeout)
            except ConnectionError as error:
                if deadline.reason:
                    raise ConnectionTimeout(deadline.reason, errors=(error,)) from error
                raise
            if deadline.reason:
                # If the answer has no length, a connection that was cut looks like the end of the answer.
                raise ConnectionTimeout(deadline.reason)
            return answer
