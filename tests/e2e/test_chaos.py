"""The relay that cuts streams otherwise passes on all that the matrix relies on."""

from __future__ import annotations

import hashlib
import random
import socket
import struct
import threading

import pytest

from chaos import SINGLE_BYTES, SIZES, Chaos

TIMEOUT_S = 60
MIB = 1 << 20


def pair(sizes: str, seed: int = 1) -> tuple[Chaos, socket.socket, socket.socket]:
    """Both ends of a connection through the relay."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        chaos = Chaos(listener.getsockname()[1], seed, sizes)
        client = socket.create_connection(("127.0.0.1", chaos.port), TIMEOUT_S)
        server, _ = listener.accept()
        server.settimeout(TIMEOUT_S)
    return chaos, client, server


def read_all(peer: socket.socket) -> bytes:
    data = bytearray()
    while chunk := peer.recv(1 << 16):
        data += chunk
    return bytes(data)


@pytest.mark.parametrize("sizes", SIZES)
def test_chaos_passes_both_streams_and_their_ends(sizes: str) -> None:
    there, back = random.Random(1).randbytes(MIB), random.Random(2).randbytes(MIB)  # noqa: S311
    chaos, client, server = pair(sizes)

    def say(peer: socket.socket, data: bytes) -> None:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)

    with chaos, client, server:
        speakers = [threading.Thread(target=say, args=a) for a in ((client, there), (server, back))]
        heard: list[bytes] = []
        listener = threading.Thread(target=lambda: heard.append(read_all(server)))
        for thread in (*speakers, listener):
            thread.start()
        assert hashlib.sha256(read_all(client)).digest() == hashlib.sha256(back).digest()
        for thread in (*speakers, listener):
            thread.join()
        assert hashlib.sha256(heard[0]).digest() == hashlib.sha256(there).digest()


def test_chaos_sends_the_first_bytes_one_by_one() -> None:
    chaos, client, server = pair("bytes")
    with chaos, client, server:
        client.sendall(bytes(SINGLE_BYTES))
        client.shutdown(socket.SHUT_WR)
        assert len(read_all(server)) == SINGLE_BYTES
        server.close()
        assert client.recv(1) == b""
        assert chaos.stop() == {"connections": 1, "bytes": SINGLE_BYTES, "pieces": SINGLE_BYTES}


@pytest.mark.parametrize("closes", ["client", "server"])
def test_chaos_passes_the_end_of_one_direction_only(closes: str) -> None:
    chaos, client, server = pair("random")
    first, second = (client, server) if closes == "client" else (server, client)
    with chaos, client, server:
        first.shutdown(socket.SHUT_WR)
        assert second.recv(1) == b""
        second.sendall(b"still here")
        second.shutdown(socket.SHUT_WR)
        assert read_all(first) == b"still here"


@pytest.mark.parametrize("resets", ["client", "server"])
def test_chaos_passes_a_reset_as_a_reset(resets: str) -> None:
    chaos, client, server = pair("random")
    first, second = (client, server) if resets == "client" else (server, client)
    with chaos, client, server:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        first.close()
        with pytest.raises(ConnectionResetError):
            second.recv(1)
