"""Connections that break on purpose: links that strike at a byte they pass, and a client that records."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import ssl
import struct
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from server import Target
from wire import Message

CHUNK = 1 << 16
# Small, so that a stalled end is felt by who writes to it.
RECEIVE_BYTES = 16 << 10
TOLD_S = 5  # a fault is noticed and told within this time
WAIT_S = 30  # for what no fault delays

T = TypeVar("T")


class Fault(enum.Enum):
    RESET = "reset"
    CLOSE = "close"
    HALF_CLOSE = "half-close"
    STALL = "stall"
    STALL_THEN_RESET = "stall, then reset"
    STALL_THEN_CLOSE = "stall, then close"

    @property
    def stalls(self) -> bool:
        return self in (Fault.STALL, Fault.STALL_THEN_RESET, Fault.STALL_THEN_CLOSE)

    @property
    def resets(self) -> bool:
        return self in (Fault.RESET, Fault.STALL_THEN_RESET)


class Side(enum.Enum):
    CLIENT = "client"
    SERVER = "server"


class Way(enum.Enum):
    UP = "to the server"
    DOWN = "to the client"


@dataclass(frozen=True)
class Plan:
    """Strike when `at` bytes have passed this way."""

    fault: Fault
    way: Way
    at: int
    stall_s: float


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def shut(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_WR)


async def cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def finished(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


class Link:
    """Between a client-like and a server-like socket, one of which, `near`, faces pgsleuth and is struck."""

    def __init__(
        self, client: socket.socket | None, server: socket.socket | None, near: Side, plan: Plan | None
    ) -> None:
        self.ends = {Side.CLIENT: client, Side.SERVER: server}
        self.near = near
        self.plan = plan
        self.passed = {Way.UP: bytearray(), Way.DOWN: bytearray()}
        self.due = asyncio.Event()  # the byte of the plan has passed
        self.struck = asyncio.Event()  # the fault has begun; for one that stalls and cuts, the stall
        self.over = asyncio.Event()  # the fault is complete: cut, or going on again
        self.left = asyncio.Event()  # pgsleuth has ended its half, or lost it to the fault
        self.flow = asyncio.Event()
        self.flow.set()

    def end(self, side: Side) -> socket.socket:
        found = self.ends[side]
        assert found is not None
        return found

    @property
    def far(self) -> Side:
        return Side.SERVER if self.near is Side.CLIENT else Side.CLIENT

    def _room(self, way: Way) -> int:
        if self.plan is None or self.plan.way is not way or self.due.is_set():
            return CHUNK
        return self.plan.at - len(self.passed[way])

    async def _pass(self, way: Way) -> None:
        """One direction until its source ends. What is counted as passed was offered at least."""
        loop = asyncio.get_running_loop()
        from_side, to_side = (Side.CLIENT, Side.SERVER) if way is Way.UP else (Side.SERVER, Side.CLIENT)
        source, sink = self.end(from_side), self.end(to_side)
        try:
            while True:
                if self._room(way) <= 0:
                    self.flow.clear()  # until the plan has decided
                    self.due.set()
                await self.flow.wait()
                data = await loop.sock_recv(source, min(CHUNK, self._room(way)))
                if not data:
                    break
                await self.flow.wait()
                self.passed[way] += data
                await loop.sock_sendall(sink, data)
        except OSError:
            pass  # who is told of it is the other end
        if from_side is self.near:
            self.left.set()
        await self.flow.wait()
        shut(sink)

    async def _discard(self, source: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while await loop.sock_recv(source, CHUNK):
                pass

    def _cut(self) -> None:
        near = self.end(self.near)
        if self.plan is not None and self.plan.fault.resets:
            reset(near)
        else:
            near.close()
        self.left.set()

    async def _strike(self, up: asyncio.Task[None], down: asyncio.Task[None]) -> asyncio.Task[None] | None:
        """Gives what goes on after it, besides `up` and `down`."""
        assert self.plan is not None
        self.struck.set()
        if self.plan.fault.stalls:
            await asyncio.sleep(self.plan.stall_s)
        if self.plan.fault is Fault.STALL:
            self.flow.set()
            self.over.set()
            return None
        if self.plan.fault is Fault.HALF_CLOSE:
            toward = up if self.near is Side.SERVER else down
            await cancelled(toward)
            shut(self.end(self.near))
            self.flow.set()
            self.over.set()
            return asyncio.create_task(self._discard(self.end(self.far)))
        await cancelled(up, down)
        self._cut()
        self.over.set()
        return None

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._pass(way)) for way in Way]
        due = asyncio.create_task(self.due.wait())
        try:
            both = asyncio.create_task(finished(tasks))
            await asyncio.wait({both, due}, return_when=asyncio.FIRST_COMPLETED)
            if self.due.is_set():
                more = await self._strike(*tasks)
                tasks += [more] if more is not None else []
            await finished(tasks)
        finally:
            await cancelled(due, *tasks)
            self.close()

    def close(self) -> None:
        self.left.set()
        for peer in self.ends.values():
            if peer is not None:
                peer.close()


def new_socket() -> socket.socket:
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setblocking(False)
    return peer


async def dial(host: str, port: int) -> socket.socket:
    peer = new_socket()
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(peer, (host, port)), WAIT_S)
    except BaseException:
        peer.close()
        raise
    return peer


class Lane:
    """In front of the server: an upstream for one listener of pgsleuth, and for one case at a time."""

    def __init__(self, server: Target) -> None:
        self.server = server
        self.listener = new_socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(128)
        self.port: int = self.listener.getsockname()[1]
        self.plans: dict[int, Plan] = {}
        self.links: list[Link] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.arrived = asyncio.Condition()
        self.server_task = asyncio.create_task(self._serve())

    def begin(self, plans: dict[int, Plan]) -> None:
        """Connections are numbered from here on; a plan strikes the one of its number."""
        self.plans = plans
        self.links = []

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            near, _ = await loop.sock_accept(self.listener)
            near.setblocking(False)
            link = Link(near, None, Side.CLIENT, self.plans.get(len(self.links)))
            self.links.append(link)
            task = asyncio.create_task(self._handle(link))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            async with self.arrived:
                self.arrived.notify_all()

    async def _handle(self, link: Link) -> None:
        try:
            link.ends[Side.SERVER] = await dial(self.server.host, self.server.port)
            await link.run()
        except OSError:
            reset(link.end(Side.CLIENT))
        finally:
            link.close()

    async def link(self, number: int) -> Link:
        async with self.arrived:
            await asyncio.wait_for(self.arrived.wait_for(lambda: len(self.links) > number), WAIT_S)
        return self.links[number]

    async def finish(self) -> None:
        """Every session of this lane has ended at pgsleuth, in time; what is left of them here goes."""
        for number, link in enumerate(self.links):
            try:
                await asyncio.wait_for(link.left.wait(), TOLD_S)
            except asyncio.TimeoutError:
                raise AssertionError(f"connection {number} to the server is still open") from None
        await cancelled(*self.tasks)

    async def close(self) -> None:
        await cancelled(self.server_task, *self.tasks)
        self.listener.close()


class EndedError(Exception):
    """The connection is over."""


@dataclass(frozen=True)
class Mark:
    """Bytes that had passed each way when a job came by: on the leg of each side."""

    passed: dict[Side, dict[Way, int]]


@dataclass
class Client:
    """Speaks the protocol by hand and keeps all it sent and got, in the clear."""

    peer: socket.socket
    sent: bytearray = field(default_factory=bytearray)
    got: bytearray = field(default_factory=bytearray)
    masked: list[tuple[int, int]] = field(default_factory=list)  # of `got`: never twice the same
    marks: dict[str, Mark] = field(default_factory=dict)
    at: int = 0  # of `got`: read so far
    tls: ssl.SSLObject | None = None
    incoming: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    outgoing: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    raw_sent: int = 0
    raw_got: int = 0
    key: bytes = b""  # for a cancel: process and secret
    victim: Client | None = None  # of a client that cancels
    to_server: Link | None = None  # while a job is recorded
    struck: Link | None = None
    pause_at: str = ""

    def mark(self, name: str) -> None:
        """On the server's leg TLS is another than ours: then only places where all has arrived are exact."""
        mine = {Way.UP: self.raw_sent, Way.DOWN: self.raw_got}
        servers = dict(mine)
        if self.tls is not None and self.to_server is not None:
            servers = {way: len(passed) for way, passed in self.to_server.passed.items()}
        self.marks[name] = Mark({Side.CLIENT: mine, Side.SERVER: servers})

    async def _write(self, data: bytes) -> None:
        self.raw_sent += len(data)
        try:
            await asyncio.get_running_loop().sock_sendall(self.peer, data)
        except OSError as error:
            raise EndedError from error

    async def _read(self) -> bytes:
        try:
            data = await asyncio.get_running_loop().sock_recv(self.peer, CHUNK)
        except OSError as error:
            raise EndedError from error
        if not data:
            raise EndedError
        self.raw_got += len(data)
        return data

    async def start_tls(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                self.incoming.write(await self._read())
            except ssl.SSLError as error:
                raise EndedError from error
            else:
                await self._flush()
                return

    async def _flush(self) -> None:
        if data := self.outgoing.read():
            await self._write(data)

    async def send(self, data: bytes) -> None:
        self.sent += data
        if self.tls is None:
            await self._write(data)
            return
        self.tls.write(data)
        await self._flush()

    def _decrypt(self) -> bytes:
        assert self.tls is not None
        found = bytearray()
        try:
            while chunk := self.tls.read(CHUNK):
                found += chunk
        except ssl.SSLWantReadError:
            return bytes(found)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        except ssl.SSLError as error:
            raise AssertionError(f"what came is no TLS of the server's: {error}") from error
        self.got += found
        raise EndedError

    async def receive(self) -> None:
        data = await self._read()
        if self.tls is not None:
            self.incoming.write(data)
            data = self._decrypt()
        self.got += data

    async def take(self, size: int) -> bytes:
        while len(self.got) < self.at + size:
            await self.receive()
        self.at += size
        return bytes(self.got[self.at - size : self.at])

    async def message(self) -> Message:
        kind, length = struct.unpack("!cI", await self.take(5))
        assert length >= 4, "no message of the server's"
        begin = self.at
        body = await self.take(length - 4)
        if kind == b"K" or (kind == b"R" and body[:4] in (b"\0\0\0\x0b", b"\0\0\0\x0c")):
            self.masked.append((begin, self.at))
        if kind == b"K":
            self.key = body
        return Message(kind.decode("latin-1"), body)

    async def until(self, kind: str) -> list[Message]:
        found = [await self.message()]
        while found[-1].type != kind:
            found.append(await self.message())
        return found

    async def to_end(self) -> None:
        with contextlib.suppress(EndedError):
            while True:
                await self.receive()

    async def pause(self, name: str) -> None:
        """Where the case strikes in a silence, wait for it here."""
        self.mark(name)
        if self.struck is None or self.pause_at != name:
            return
        await asyncio.wait_for(self.struck.struck.wait(), WAIT_S)
        if self.struck.plan is not None and self.struck.plan.fault is not Fault.STALL:
            raise EndedError

    def close(self) -> None:
        self.peer.close()


class Loop:
    """An event loop in a thread: it serves while the test waits for programs."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def start(self, what: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(what, self.loop)

    def run(self, what: Coroutine[Any, Any, T], limit_s: float = 120) -> T:
        return self.start(what).result(limit_s)


@contextlib.contextmanager
def loop_in_thread() -> Iterator[Loop]:
    loop = Loop()
    loop.thread.start()
    try:
        yield loop
    finally:
        loop.loop.call_soon_threadsafe(loop.loop.stop)
        loop.thread.join()
        loop.loop.close()
