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


_PATIENCE = 2
"""Multiple of the timeout of a read that a whole answer may take."""


class DeadlineNode(Urllib3HttpNode):
    """A node whose whole answer has the time of two reads, and the time that it takes to send the request."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._deadlines = Deadlines()
        # For https the class is the client's own.
        of_the_client: Any = self.pool.ConnectionCls
        self.pool.ConnectionCls = type(HTTPConnection.__name__, (DeadlineConnection, of_the_client), {})

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> NodeApiResponse:
        timeout = request_timeout if isinstance(request_timeout, int | float) else self.config.request_timeout
        seconds = (timeout or ANY_TIME) * _PATIENCE + len(body or b"") / LEAST_SPEED
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
