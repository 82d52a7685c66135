"""A connection on which every wait gets only what is left of one time.

A socket's time-out is for one operation: who drips a byte a second would hold a message for ever.
"""

import io
import socket
import ssl
import time
from typing import Any

_PIECE = 16 * 1024  # a TLS record: each is one operation


class Deadline:
    """When the time for a message is up."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """Return how many seconds are left.

        Raises:
            TimeoutError: None.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this message is up")
        return left


def connect(host: str, port: int, deadline: Deadline, trust: ssl.SSLContext | None = None) -> socket.socket:
    """Return a connection; with `trust` it is TLS from the first byte, the host's name and certificate verified.

    Raises:
        OSError: Nobody answers, in time, under this name and certificate.
    """
    failure: OSError = OSError(f"{host} has no address")
    # Every address of the host gets what is left, not the whole time again.
    for *kind, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        plain = socket.socket(*kind)
        try:
            plain.settimeout(deadline.left())
            plain.connect(address)
            plain.settimeout(deadline.left())
            # A body and the dot after it are two writes: the second would wait 40 ms for the first to be acknowledged.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return trust.wrap_socket(plain, server_hostname=host) if trust else plain
        except OSError as error:
            plain.close()
            failure = error
    raise failure


def send(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Send all of it. If this raises, the last byte wasn't handed over."""
    for start in range(0, len(data), _PIECE):
        sock.settimeout(deadline.left())
        sock.sendall(data[start : start + _PIECE])


class Incoming(io.RawIOBase):
    """What comes in; for a `BufferedReader`. Closing it leaves the socket alone."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for some bytes, no longer than what is left."""
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)
