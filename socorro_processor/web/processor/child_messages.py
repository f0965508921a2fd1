"""The messages that the processor sends to its service manager, which is ``socorro serve`` where it is its child.

The protocol is that of sd_notify(3): a datagram of lines such as ``STATUS=ready``. The socket has no file, and its name
is known on the machine, so a message counts only if the kernel says that it is from the child.
"""

from __future__ import annotations

import array
import os
import secrets
import socket
import struct
from collections.abc import Mapping

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_LONGEST = 4096  # bytes of a message


class ChildMessages:
    """A socket for the messages of one child after the other."""

    def __init__(self) -> None:
        self._name = f"socorro-serve-{secrets.token_hex(16)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{self._name}")

    @property
    def address(self) -> str:
        """The value of ``NOTIFY_SOCKET`` for the child."""
        return f"@{self._name}"

    def receive(self, pid: int, seconds: float) -> Mapping[str, str]:
        """Return the variables of the next message of the process; empty if none comes in time, or another sent it."""
        self._socket.settimeout(seconds)
        try:
            data, ancillary, _, _ = self._socket.recvmsg(_LONGEST, socket.CMSG_SPACE(_CREDENTIALS.size))
        except TimeoutError:
            return {}
        if pid not in _senders(ancillary):
            return {}
        lines = data.decode(errors="replace").split("\n")
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def close(self) -> None:
        self._socket.close()


def _senders(ancillary: list[tuple[int, int, bytes]]) -> set[int]:
    """Return the pids that the kernel vouches for. Descriptors that came along are closed."""
    pids = set()
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and len(data) == _CREDENTIALS.size:
            pids.add(_CREDENTIALS.unpack(data)[0])
        elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors = array.array("i")
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
            for descriptor in descriptors:
                os.close(descriptor)
    return pids
