"""The protocol by hand, for what no driver does: packets that are cut, malformed, too early or too late."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from server import OPEN_ROLE, Target

TIMEOUT_S = 30
SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSSENC_REQUEST = struct.pack("!II", 8, 80877104)
TERMINATE = b"X\0\0\0\4"
SYNC = b"S\0\0\0\4"


@dataclass(frozen=True)
class Message:
    type: str
    body: bytes

    def fields(self) -> dict[str, str]:
        """Of an ErrorResponse or NoticeResponse."""
        parts = self.body.rstrip(b"\0").split(b"\0")
        return {part[:1].decode(): part[1:].decode() for part in parts if part}


def message(kind: str, body: bytes) -> bytes:
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def query(sql: str) -> bytes:
    return message("Q", sql.encode() + b"\0")


def startup(version: int = 0x00030000, **parameters: str) -> bytes:
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    return struct.pack("!II", len(body) + 9, version) + body + b"\0"


def cancel_request(pid: int, key: bytes) -> bytes:
    return struct.pack("!III", 12 + len(key), 80877102, pid) + key


def split(data: bytes) -> list[Message]:
    """Whole messages; AssertionError when bytes are left over."""
    found: list[Message] = []
    while data:
        assert len(data) >= 5, data
        (length,) = struct.unpack("!I", data[1:5])
        assert len(data) > length, f"cut in a message of type {data[:1]!r}"
        found.append(Message(data[:1].decode("latin-1"), data[5 : length + 1]))
        data = data[length + 1 :]
    return found


def connect(target: Target) -> socket.socket:
    return socket.create_connection((target.host, target.port), TIMEOUT_S)


def read_to_end(peer: socket.socket) -> bytes:
    """Until the peer closes, by FIN or by RST."""
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while chunk := peer.recv(1 << 16):
            data += chunk
    return bytes(data)


def read_exactly(peer: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = peer.recv(min(size - len(data), 1 << 20))
        assert chunk, f"closed after {len(data)} of {size} bytes"
        data += chunk
    return bytes(data)


def read_message(peer: socket.socket) -> Message:
    kind, length = struct.unpack("!cI", read_exactly(peer, 5))
    return Message(kind.decode("latin-1"), read_exactly(peer, length - 4))


def read_until(peer: socket.socket, kind: str) -> list[Message]:
    found = [read_message(peer)]
    while found[-1].type != kind:
        found.append(read_message(peer))
    return found


@dataclass
class Session:
    """A session of the role that needs no password, ready for its first query."""

    socket: socket.socket
    pid: int
    key: bytes
    greeting: list[Message]

    def ask(self, sql: str) -> list[Message]:
        self.socket.sendall(query(sql))
        return read_until(self.socket, "Z")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def log_in(target: Target, peer: socket.socket | None = None, **parameters: str) -> Session:
    peer = peer or connect(target)
    try:
        peer.sendall(startup(user=OPEN_ROLE, database=target.database, **parameters))
        greeting = read_until(peer, "Z")
        (key,) = (m.body for m in greeting if m.type == "K")
    except BaseException:
        peer.close()
        raise
    return Session(peer, struct.unpack("!I", key[:4])[0], key[4:], greeting)


@contextlib.contextmanager
def fake_server(serve: Callable[[socket.socket], None]) -> Iterator[Target]:
    """Something that listens in place of PostgreSQL; `serve` gets each connection, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def handle(peer: socket.socket) -> None:
        peer.settimeout(TIMEOUT_S)
        with peer, contextlib.suppress(ConnectionError):
            serve(peer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                threads.append(threading.Thread(target=handle, args=(peer,)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        port = listener.getsockname()[1]
        yield Target("127.0.0.1", port, "someone", "", "somewhere", parameters="sslmode=disable")
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept; close alone does not
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join()
