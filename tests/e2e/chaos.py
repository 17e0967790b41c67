"""A relay that cuts streams otherwise than they came, and stalls: chaos.py PORT SEED SIZES

It is a process of its own: psycopg2 sends a cancel request with the interpreter's lock held, which a thread
of the tests would wait for while it is waited for. Every byte is passed on in order, the end of one direction
as the end of that direction, and a reset as a reset; the same seed draws the same sizes.
"""

from __future__ import annotations

import contextlib
import json
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from server import end_with_parent

SIZES = ("bytes", "random")
READ_BYTES = 1 << 16
# A connection's first bytes go one by one, in each direction, then the rest in random sizes: its beginning
# and its first statements are where one byte may matter, and megabytes of them would take minutes.
SINGLE_BYTES = 6000
# Without a pause the reader gets several at once.
SINGLE_PAUSE_S = 0.00002
PIECES_IN_TURN = 64
STALL_SHARE = 0.02
STALL_MAX_S = 0.002
LARGEST = (1, 7, 100, 1460, 16384, READ_BYTES)  # one of these bounds a random size
STOP_S = 30
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class Direction:
    """What came from one socket and is still to be sent to the other."""

    def __init__(self, source: socket.socket, sink: socket.socket, single_bytes: int, seed: str) -> None:
        self.source, self.sink = source, sink
        self.single_bytes = single_bytes
        self.random = random.Random(seed)  # noqa: S311 # sizes, not keys
        self.waiting = memoryview(b"")
        self.ended = False  # the source has sent its last
        self.passed_bytes = 0

    def read(self) -> None:
        self.waiting = memoryview(self.source.recv(READ_BYTES))
        if not self.waiting:
            self.ended = True
            self.sink.shutdown(socket.SHUT_WR)

    def is_single(self) -> bool:
        return self.passed_bytes < self.single_bytes

    def _size(self) -> int:
        if self.is_single():
            time.sleep(SINGLE_PAUSE_S)
            return 1
        if self.random.random() < STALL_SHARE:
            time.sleep(self.random.uniform(0, STALL_MAX_S))
        return self.random.randint(1, self.random.choice(LARGEST))

    def write(self) -> int:
        """How many pieces the sink took."""
        pieces = 0
        limit = 1 if self.is_single() else PIECES_IN_TURN
        with contextlib.suppress(BlockingIOError):
            while self.waiting and pieces < limit:
                sent = self.sink.send(self.waiting[: self._size()])
                self.waiting = self.waiting[sent:]
                self.passed_bytes += sent
                pieces += 1
        return pieces


class Relay:
    def __init__(self, port: int, seed: str, sizes: str) -> None:
        self.port, self.seed, self.sizes = port, seed, sizes
        self.counts = {"connections": 0, "bytes": 0, "pieces": 0}
        self.lock = threading.Lock()

    def accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            seed = f"{self.seed} {self.counts['connections']}"
            self.counts["connections"] += 1
            threading.Thread(target=self._carry, args=(client, seed), daemon=True).start()

    def _carry(self, client: socket.socket, seed: str) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            reset(client)
            return
        for peer in (client, server):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.setblocking(False)
        single = SINGLE_BYTES if self.sizes == "bytes" else 0
        directions = [
            Direction(client, server, single, f"{seed} there"),
            Direction(server, client, single, f"{seed} back"),
        ]
        try:
            while not all(direction.ended for direction in directions):
                self._turn(directions)
        except OSError:
            reset(client, server)
        client.close()
        server.close()

    def _count(self, size: int, pieces: int) -> None:
        with self.lock:
            self.counts["bytes"] += size
            self.counts["pieces"] += pieces

    def _turn(self, directions: list[Direction]) -> None:
        poll = select.poll()
        # A socket is watched for both directions at once; errors are told without being asked for.
        events: dict[socket.socket, int] = {}
        for direction in directions:
            if direction.waiting:
                events[direction.sink] = events.get(direction.sink, 0) | select.POLLOUT
            elif not direction.ended:
                events[direction.source] = events.get(direction.source, 0) | select.POLLIN
        for peer, mask in events.items():
            poll.register(peer, mask)
        ready = dict(poll.poll())
        for direction in directions:
            if direction.waiting and ready.get(direction.sink.fileno()):
                before = direction.passed_bytes
                pieces = direction.write()
                self._count(direction.passed_bytes - before, pieces)
            elif not direction.waiting and not direction.ended and ready.get(direction.source.fileno()):
                with contextlib.suppress(BlockingIOError):
                    direction.read()


def reset(*peers: socket.socket) -> None:
    for peer in peers:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        peer.close()


class Chaos:
    """The relay as a process of a test; `port` is where it listens."""

    def __init__(self, port: int, seed: object, sizes: str) -> None:
        assert sizes in SIZES
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(port), str(seed), sizes],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent,
            preexec_fn=end_with_parent(signal.SIGKILL),  # one call of libc
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def stop(self) -> dict[str, int]:
        """Counts of connections, of bytes, and of the pieces they were passed on in."""
        self.process.terminate()
        told, _ = self.process.communicate(timeout=STOP_S)
        counts: dict[str, int] = json.loads(told)
        return counts

    def __enter__(self) -> Chaos:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate(timeout=STOP_S)


def main() -> None:
    port, seed, sizes = sys.argv[1:]
    relay = Relay(int(port), seed, sizes)

    def end(*_: object) -> None:
        print(json.dumps(relay.counts), flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        print(listener.getsockname()[1], flush=True)
        relay.accept(listener)


if __name__ == "__main__":
    main()
