"""Malformed input over sockets, hundreds of cases on one process: every peer gets an answer or the end at
once, a refused start-up packet reaches nobody, and after the start-up every byte passes, understood or not.

The decoder itself is shown some fifty thousand malformed inputs in tests/unit/wire/test_malformed*.c.
"""

from __future__ import annotations

import contextlib
import queue
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import pytest

import wire
from certs import Authority
from proxy import Outcome, Proxy, StartProxy, run_command
from server import Target

ANSWER_S = 5  # longer is a hang
STARTUP = wire.startup(user="someone", database="somewhere", application_name="malformed")
GREETING = wire.message("R", b"\0\0\0\0") + wire.message("K", b"pid!key!") + wire.message("Z", b"I")
CODES = {"ssl": 80877103, "gss": 80877104, "cancel": 80877102}
STARTUP_MOST = 10004
EDGES = (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


# --- both ends in the hands of the test ---


@dataclass
class Puppet:
    """In place of PostgreSQL: connections wait until the test takes them."""

    accepted: queue.Queue[socket.socket] = field(default_factory=queue.Queue)
    over: threading.Event = field(default_factory=threading.Event)
    connections: int = 0
    tls: ssl.SSLContext | None = None

    def secure(self, peer: socket.socket) -> socket.socket:
        if self.tls is None:
            return peer
        assert wire.read_exactly(peer, 8) == wire.SSL_REQUEST
        peer.sendall(b"S")
        return self.tls.wrap_socket(peer, server_side=True)

    def serve(self, peer: socket.socket) -> None:
        try:
            if not peer.recv(1, socket.MSG_PEEK):
                return  # the preflight, which only looks whether somebody is there
            peer = self.secure(peer)
        except (ConnectionError, ssl.SSLError):
            return
        self.connections += 1
        peer.settimeout(ANSWER_S)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.accepted.put(peer)
        while peer.fileno() >= 0 and not self.over.wait(0.005):
            pass  # the test closes it

    def take(self) -> socket.socket:
        return self.accepted.get(timeout=ANSWER_S)


@contextlib.contextmanager
def puppet(tls: ssl.SSLContext | None = None) -> Iterator[tuple[Puppet, Target]]:
    server = Puppet(tls=tls)
    with wire.fake_server(server.serve) as target:
        try:
            yield server, target
        finally:
            server.over.set()


def dial(proxy: Proxy) -> socket.socket:
    peer = wire.connect(proxy.target)
    peer.settimeout(ANSWER_S)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def send(peer: socket.socket, data: bytes) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):  # it may have refused us already
        peer.sendall(data)


def read_to_end(peer: socket.socket) -> bytes:
    """TimeoutError is a hang; a TLS connection may end in an alert."""
    try:
        return wire.read_to_end(peer)
    except (ssl.SSLError, ConnectionError):
        return b""


def descriptors(proxy: Proxy) -> list[str]:
    found = []
    for entry in Path(f"/proc/{proxy.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(f"{entry.name} {entry.readlink()}")
    return found


def end(proxy: Proxy, base: list[str]) -> Outcome:
    """Nothing is left open, nothing leaked, no sanitizer complained, exit code 0."""
    until = time.monotonic() + 30
    # The parser helper comes with the first statement, on a socket of its own.
    while len(now := descriptors(proxy)) > len(base) + len(proxy.helpers()):
        assert time.monotonic() < until, f"{now} are open, {base} at first"
        time.sleep(0.02)
    return proxy.stop()


# --- start-up packets ---


@dataclass(frozen=True)
class Start:
    """What a client says at first. Each piece but the first waits for the byte that answers the last."""

    name: str
    pieces: tuple[bytes, ...]
    fatal: str = ""  # SQLSTATE of the answer; "" when there is none
    forwarded: bool = False
    says_end: bool = False  # the client shuts down its side: the packet is not whole


def packet(code: int, body: bytes = b"", length: int = -1) -> bytes:
    return struct.pack("!II", len(body) + 8 if length < 0 else length, code) + body


def junk(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 # the same in every run


def wrong_lengths() -> Iterator[Start]:
    lengths = (*range(8), 10005, 10006, 10240, 0xFFFF, 0x10000, 0x16030101, *EDGES, 0x80000008, 0xFFFFFFF8)
    bodies = (b"", b"\0", junk(64), STARTUP[4:], struct.pack("!I", CODES["ssl"]), b"\0" * 10_240)
    for length in lengths:
        for n, body in enumerate(bodies):
            if length >> 24 != 0x16:
                yield Start(f"length {length:#x}, body {n}", (struct.pack("!I", length) + body,))
    for name, code in CODES.items():
        for length in (0, 4, 7, 10005, *EDGES):
            yield Start(f"{name} of length {length:#x}", (packet(code, length=length),))


def cut_short() -> Iterator[Start]:
    for size in range(len(STARTUP)):
        yield Start(f"cut after {size} bytes", (STARTUP[:size],), says_end=True)
    for length in (9, 100, STARTUP_MOST):
        yield Start(f"length {length} and no more", (struct.pack("!I", length),), says_end=True)
        yield Start(
            f"length {length}, one byte short", (packet(196608, junk(length - 9), length),), says_end=True
        )
    for name, code in CODES.items():
        yield Start(f"{name} one byte short", (packet(code)[:-1],), says_end=True)


def requests() -> Iterator[Start]:
    both = {"ssl": wire.SSL_REQUEST, "gss": wire.GSSENC_REQUEST}
    behind = {
        "one byte": b"x",
        "a StartupMessage": STARTUP,
        "a ClientHello": bytes.fromhex("1603010200010001fc0303") + junk(200),
        "the same": b"",
        "the other": b"",
        "64 KB": junk(1 << 16),
    }
    for name, request in both.items():
        for size in (1, 2, 3, 4, 8, 92, 992, STARTUP_MOST - 8):
            yield Start(f"{name} of {8 + size} bytes", (packet(CODES[name], junk(size)),))
        for what, data in behind.items():
            other = {"the same": request, "the other": both["gss" if name == "ssl" else "ssl"]}.get(
                what, data
            )
            yield Start(f"{name} with {what} behind (CVE-2021-23214)", (request + other,), fatal="08P01")
        yield Start(f"{name} twice", (request, request), fatal="0A000")
        yield Start(f"{name}, then the end", (request, b""), says_end=True)
        for length in (0, 7, 10005, *EDGES):
            yield Start(f"{name}, then length {length:#x}", (request, struct.pack("!I", length) + junk(30)))
        yield Start(f"{name}, then a cut packet", (request, STARTUP[:-4]), says_end=True)


def other_protocols() -> Iterator[Start]:
    for first in range(256):
        if first != 0x16:
            yield Start(f"first byte {first:#x}", (bytes([first]) * 9,))
    for text in (
        "GET / HTTP/1.1\r\n\r\n",
        "SSH-2.0-x\r\n",
        "EHLO x\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "\x15\x03\x01",
    ):
        yield Start(repr(text), (text.encode("latin-1") + junk(40),))


def strange_parameters() -> Iterator[Start]:
    rows = {
        "none": b"",
        "only the end": b"\0",
        "two ends": b"\0\0",
        "no value": b"user\0",
        "no end of the value": b"user\0someone",
        "no end of the list": b"user\0someone\0",
        "empty user": b"user\0\0\0",
        "empty name": b"\0value\0\0",
        "doubled": b"user\0someone\0user\0other\0database\0a\0database\0b\0\0",
        "behind the end": b"user\0someone\0\0" + junk(40),
        "no text": b"user\0\xff\xfe\x80\0\0",
        "long user": b"user\0" + b"u" * 9000 + b"\0\0",
        "long name": b"n" * 9000 + b"\0v\0\0",
        "many": b"user\0x\0" + b"a\0b\0" * 2400 + b"\0",
        "largest": b"user\0x\0application_name\0" + b"n" * (STARTUP_MOST - 8 - 26) + b"\0\0",
        "replication": b"user\0x\0replication\0perhaps\0\0",
        "options": b"user\0x\0options\0-c a=\\\0\0",
        "_pq_": b"user\0x\0_pq_.\0\0_pq_.x\0y\0\0",
    }
    for name, body in rows.items():
        yield Start(f"parameters: {name}", (packet(196608, body),), forwarded=True)
    for size in (*range(1, 40), 1000, 9996):
        yield Start(f"{size} random bytes as parameters", (packet(196608, junk(size)),), forwarded=True)


def strange_versions() -> Iterator[Start]:
    versions = (0, 1, 0x10000, 0x20000, 0x2FFFF, 0x30001, 0x30002, 0x3270F, 0x3FFFF, 0x40000, 0x50000, *EDGES)
    for version in (*versions, 80877101, 80877105):
        yield Start(f"version {version:#x}", (packet(version, b"user\0x\0\0"),), forwarded=True)


def cancels() -> Iterator[Start]:
    for size in (*range(14), 20, 36, 255, 256, 257, 260, 264, 1000, STARTUP_MOST - 8):
        yield Start(f"cancel of {8 + size} bytes", (packet(CODES["cancel"], junk(size)),), forwarded=True)


START_TABLES: tuple[Callable[[], Iterator[Start]], ...] = (
    *(wrong_lengths, cut_short, requests, other_protocols),
    *(strange_parameters, strange_versions, cancels),
)


def try_start(case: Start, peer: socket.socket, server: Puppet, answer: bytes) -> None:
    for piece in case.pieces[:-1]:
        send(peer, piece)
        assert peer.recv(1) == (b"N" if piece == wire.GSSENC_REQUEST else answer)
    send(peer, case.pieces[-1])
    if case.says_end or case.forwarded:
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_WR)
    if case.forwarded:
        with server.take() as other:
            assert read_to_end(other) == case.pieces[-1]
    said = read_to_end(peer)
    if not case.fatal:
        assert said == b""
        return
    (fatal,) = wire.split(said)
    assert (fatal.type, fatal.fields()["S"], fatal.fields()["C"]) == ("E", "FATAL", case.fatal)


def one_good_session(proxy: Proxy, server: Puppet) -> None:
    """Also a barrier: whatever connected before it has been counted."""
    with dial(proxy) as peer:
        peer.sendall(STARTUP)
        with server.take() as other:
            assert wire.read_exactly(other, len(STARTUP)) == STARTUP
            other.sendall(GREETING)
            assert wire.read_exactly(peer, len(GREETING)) == GREETING


def run_starts(proxy: Proxy, server: Puppet, cases: list[Start]) -> None:
    one_good_session(proxy, server)
    connections = server.connections
    for case in cases:
        with dial(proxy) as peer:
            try:
                try_start(case, peer, server, b"N")
            except (AssertionError, OSError, queue.Empty) as fault:
                pytest.fail(f"{case.name}: {fault!r}")
    one_good_session(proxy, server)
    assert server.connections == connections + 1 + sum(case.forwarded for case in cases)


def test_malformed_start_ups_are_answered_at_once_and_reach_nobody(pgsleuth: StartProxy) -> None:
    cases = [case for table in START_TABLES for case in table()]
    print(f"{len(cases)} malformed start-ups")
    assert len(cases) >= 500
    with puppet() as (server, target):
        proxy = pgsleuth(target)
        base = descriptors(proxy)
        run_starts(proxy, server, cases)
        outcome = end(proxy, base)
    refused = sum(bool(case.fatal) for case in cases)
    assert outcome.report["coverage"]["refused_sessions"] == refused


# --- the same with a certificate, and within TLS ---


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def encrypted(proxy: Proxy, context: ssl.SSLContext) -> ssl.SSLSocket:
    peer = dial(proxy)
    peer.sendall(wire.SSL_REQUEST)
    assert peer.recv(1) == b"S"
    return context.wrap_socket(peer)


def within_tls() -> Iterator[Start]:
    yield Start("ssl within TLS", (wire.SSL_REQUEST,), fatal="0A000")
    yield Start("gss within TLS", (wire.GSSENC_REQUEST,), fatal="0A000")
    yield Start("ssl and more within TLS", (wire.SSL_REQUEST + STARTUP,), fatal="0A000")
    for length in (*range(8), 10005, 0x16030101, *EDGES):
        yield Start(f"length {length:#x} within TLS", (struct.pack("!I", length) + junk(40),))
    yield Start("ssl of 9 bytes within TLS", (packet(CODES["ssl"], b"x"),))
    yield Start("a ClientHello within TLS", (bytes.fromhex("1603010200010001fc0303") + junk(200),))


def no_tls() -> Iterator[bytes]:
    """What a client sends in place of a ClientHello."""
    hello = bytes.fromhex("1603010200010001fc0303")
    yield from (b"", b"\x16", b"\x16\x03", hello[:5], hello, hello + junk(100), hello + junk(600))
    yield from (b"\x16" * 600, b"\x16\x03\x01\0\0" * 20, b"\x16\x03\x01\xff\xff" + junk(1000), STARTUP)
    yield from (b"\x15\x03\x01\0\x02\x02\x28", b"\x14\x03\x01\0\x01\x01", b"\x17\x03\x03\0\x10" + junk(16))
    yield from (b"\x16" + junk(size) for size in range(1, 60))
    yield from (wire.SSL_REQUEST, b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01\0\x02" + junk(41))


def ends_without_data(peer: socket.socket) -> None:
    """Closed; at most a TLS alert comes before."""
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_WR)
    said = read_to_end(peer)
    assert said == b"" or said[:1] == b"\x15", said


def test_malformed_start_ups_with_a_certificate_are_answered_at_once(pgsleuth: StartProxy) -> None:
    context = trusting()
    with contextlib.closing(Authority()) as authority, puppet() as (server, target):
        proxy = pgsleuth(target, **authority.sign(key="ecdsa").options())
        base = descriptors(proxy)
        one_good_session(proxy, server)
        connections = server.connections
        cases = [case for case in (*wrong_lengths(), *requests()) if len(case.pieces) == 1]
        for case in cases:
            with dial(proxy) as peer:
                try_start(case, peer, server, b"S")
        for data in no_tls():
            for asked in (False, True):
                if not asked and data[:1] != b"\x16":
                    continue
                with dial(proxy) as peer:
                    if asked:
                        peer.sendall(wire.SSL_REQUEST)
                        assert peer.recv(1) == b"S"
                    send(peer, data)
                    ends_without_data(peer)
        for case in within_tls():
            with encrypted(proxy, context) as peer:
                try_start(case, peer, server, b"S")
        one_good_session(proxy, server)
        assert server.connections == connections + 1
        end(proxy, base)


def test_direct_tls_without_a_certificate_is_closed_whatever_it_says(pgsleuth: StartProxy) -> None:
    with puppet() as (server, target):
        proxy = pgsleuth(target)
        base = descriptors(proxy)
        for data in no_tls():
            if data[:1] == b"\x16":
                with dial(proxy) as peer:
                    send(peer, data)
                    assert read_to_end(peer) == b""
        assert server.connections == 0
        end(proxy, base)


# --- what a server with TLS says during the login, which pgsleuth looks into ---


def offer(*mechanisms: bytes) -> bytes:
    return wire.message("R", struct.pack("!I", 10) + b"".join(name + b"\0" for name in mechanisms) + b"\0")


PLUS, PLAIN = b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"


def logins() -> Iterator[tuple[bytes, bytes]]:
    """What the server sends and what the client must get."""
    yield offer(PLUS, PLAIN), offer(PLAIN)
    yield offer(PLUS, PLAIN, PLUS, b"OTHER"), offer(PLAIN, b"OTHER")
    whole = offer(PLUS, PLAIN)
    same = [offer(PLUS), offer(PLAIN), offer(), offer(PLUS, PLUS), offer(b"", PLUS, PLAIN), b"E", b"R"]
    same += [wire.message("R", whole[5:size]) for size in range(5, len(whole))]  # no end of the list
    same += [whole[:size] for size in range(1, len(whole))]
    for kind in "RvNEKSZX\0\xff":
        for length in (0, 3, 4, 5, 8, 32_768, 32_769, *EDGES):
            same.append(kind.encode("latin-1") + struct.pack("!I", length) + junk(40))
    same += [
        wire.message(kind, junk(size)) for kind in "RvN" for size in (0, 1, 3, 2001, 32_764, 32_765, 65_536)
    ]
    same += [wire.message("N", b"SNOTICE\0\0") * 50 + offer(PLAIN), wire.message("R", b"\0\0\0\0") + whole]
    yield from ((data, data) for data in same)
    yield wire.message("N", b"SNOTICE\0\0") + whole, wire.message("N", b"SNOTICE\0\0") + offer(PLAIN)


def test_malformed_logins_pass_unchanged_from_a_server_with_tls(pgsleuth: StartProxy) -> None:
    cases = list(logins())
    print(f"{len(cases)} malformed logins")
    assert len(cases) >= 200
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with contextlib.closing(Authority()) as authority:
        pair = authority.sign(key="ecdsa")
        context.load_cert_chain(pair.cert, pair.key)
        with puppet(context) as (server, target):
            proxy = pgsleuth(target, upstream=target.url().replace("sslmode=disable", "sslmode=require"))
            base = descriptors(proxy)
            for sent, expected in cases:
                with dial(proxy) as peer:
                    peer.sendall(STARTUP)
                    with server.take() as other:
                        assert wire.read_exactly(other, len(STARTUP)) == STARTUP
                        other.sendall(sent)
                    assert read_to_end(peer) == expected, sent[:100]
            end(proxy, base)


# --- after the start-up: every byte passes ---


@dataclass(frozen=True)
class Said:
    name: str
    by_client: bool
    data: bytes


CLIENT_TYPES, SERVER_TYPES = "QPBDECSHXFdcfp", "RvKSZTtnDCIs123ENAGHWdcV"
LENGTHS = (0, 3, 4, 5, 8, 10004, 10005, 0x40000003, 0x40000004, *EDGES)
ROW = struct.pack("!HI", 1, 1) + b"1"
COLUMN = b"id\0" + struct.pack("!IHIHIH", 16384, 1, 23, 4, 0xFFFFFFFF, 0)

# Where a case finds the session: what both sides said before it.
STATES: tuple[tuple[bytes, bytes], ...] = (
    (b"", b""),
    (wire.query("SELECT 1"), b""),
    (wire.query("SELECT 1"), wire.message("T", struct.pack("!H", 1) + COLUMN) + wire.message("D", ROW)),
    (wire.query("COPY t FROM STDIN"), wire.message("G", b"\0\0\0")),
    (wire.query("COPY t TO STDOUT"), wire.message("H", b"\0\0\0") + wire.message("d", b"1\n")),
    (wire.message("P", b"\0SELECT 1\0\0\0") + wire.message("B", b"\0" * 8), wire.message("1", b"")),
    (wire.message("P", b"\0SELEC\0\0\0"), wire.message("E", b"SERROR\0C42601\0\0")),
    (wire.TERMINATE, b""),
    (wire.query("START_REPLICATION"), wire.message("W", b"\0\0\0")),
)


def lengths() -> Iterator[Said]:
    for by_client, types in ((True, CLIENT_TYPES), (False, SERVER_TYPES)):
        for kind in types:
            for length in LENGTHS:
                data = kind.encode() + struct.pack("!I", length) + b"body\0of\0eight\0"
                yield Said(f"{kind} of length {length:#x}", by_client, data)


def types() -> Iterator[Said]:
    for kind in range(256):
        data = bytes([kind]) + struct.pack("!I", 12) + b"12345678"
        yield Said(f"type {kind:#x} of the client", True, data)
        yield Said(f"type {kind:#x} of the server", False, data)


def errors() -> Iterator[Said]:
    fields = {
        "S": "ERROR",
        "V": "ERROR",
        "C": "23505",
        "M": "text",
        "D": "d",
        "H": "h",
        "P": "1",
        "F": "f",
        "L": "2",
    }
    for kind in "EN":
        for victim, value in fields.items():
            rest = [(name + text).encode() + b"\0" for name, text in fields.items() if name != victim]
            whole = (victim + value).encode()
            yield Said(f"{kind} without {victim}", False, wire.message(kind, b"".join(rest) + b"\0"))
            for name, odd in (
                ("twice", whole + b"\0" + whole + b"\0\0"),
                ("open", whole),
                ("empty", victim.encode() + b"\0\0"),
            ):
                yield Said(f"{kind}, {victim} {name}", False, wire.message(kind, b"".join(rest) + odd))
        big = b"SERROR\0M" + b"m" * 65536
        for name, body in (
            ("empty", b""),
            ("of nothing", b"\0"),
            ("big", big + b"\0\0"),
            ("big and open", big),
        ):
            yield Said(f"{kind} {name}", False, wire.message(kind, body))


def counted() -> Iterator[Said]:
    for count in (0, 2, 3, 255, 0x7FFF, 0x8000, 0xFFFF):
        n = struct.pack("!H", count)
        yield Said(f"{count} columns", False, wire.message("T", n + COLUMN))
        yield Said(f"row of {count}", False, wire.message("D", n + ROW[2:]))
        yield Said(f"copy of {count}", False, wire.message("G", b"\0" + n + b"\0\0"))
        yield Said(f"{count} types", False, wire.message("t", n + b"\0\0\0\x17"))
        yield Said(f"Parse of {count} types", True, wire.message("P", b"\0SELECT 1\0" + n + b"\0\0\0\x17"))
        yield Said(f"Bind of {count} formats", True, wire.message("B", b"\0\0" + n + b"\0\0"))
        yield Said(f"Bind of {count} values", True, wire.message("B", b"\0\0\0\0" + n + b"\0\0\0\1x\0\0"))
        yield Said(
            f"version of {count}", False, wire.message("v", struct.pack("!II", 0, count << 16) + b"_pq_.x\0")
        )
    for length in (2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE):
        n = struct.pack("!I", length)
        yield Said(f"a column of {length:#x} bytes", False, wire.message("D", b"\0\1" + n + b"x"))
        yield Said(f"a value of {length:#x} bytes", True, wire.message("B", b"\0\0\0\0\0\1" + n + b"x\0\0"))


def single() -> Iterator[Said]:
    for size in (*range(14), 36, 255, 256, 259, 260, 261, 264):
        yield Said(f"key of {size} bytes", False, wire.message("K", junk(size)))
    for tag in (
        b"SELECT 99999999999999999999\0",
        b"SELECT -1\0",
        b"SELECT",
        b"\0",
        b"",
        b"7" * 65536 + b"\0",
    ):
        yield Said(f"tag {tag[:30]!r}", False, wire.message("C", tag))
    for body in (
        b"client_encoding",
        b"client_encoding\0",
        b"\0\0",
        b"a\0" + b"v" * 65536,
        b"client_encoding\0SJIS\0",
    ):
        yield Said(f"parameter {body[:30]!r}", False, wire.message("S", body))
    for body in (b"", b"X", b"II", b"\0"):
        yield Said(f"ready {body!r}", False, wire.message("Z", body))
    for body in (
        b"\0\0\0\1",
        b"\0\0\0\1channel",
        b"\0\0\0\1channel\0",
        b"\0\0\0\1\0\0",
        b"\0\0\0\1" + b"c" * 65536,
    ):
        yield Said(f"notification {body[:20]!r}", False, wire.message("A", body))
    for size in (1, 10, 100, 1000, 20_000, 65_536):
        yield Said(f"{size} random bytes of the client", True, junk(size))
        yield Said(f"{size} random bytes of the server", False, junk(size))
    yield Said("a StartupMessage again", True, STARTUP)
    yield Said("SSLRequest, late", True, wire.SSL_REQUEST)
    yield Said("a ClientHello, late", True, bytes.fromhex("1603010200010001fc0303") + junk(200))


def passes(source: socket.socket, sink: socket.socket, data: bytes) -> None:
    if data:
        source.sendall(data)
        assert wire.read_exactly(sink, len(data)) == data


def relay_one(proxy: Proxy, server: Puppet, case: Said, state: tuple[bytes, bytes]) -> None:
    behind = (
        wire.SYNC + wire.query("SELECT 'behind'"),
        wire.message("C", b"SELECT 1\0") + wire.message("Z", b"I"),
    )
    with dial(proxy) as client:
        client.sendall(STARTUP)
        with server.take() as other:
            assert wire.read_exactly(other, len(STARTUP)) == STARTUP
            passes(other, client, GREETING)
            passes(client, other, state[0])
            passes(other, client, state[1])
            if case.by_client:
                passes(client, other, case.data)
            else:
                passes(other, client, case.data)
            passes(client, other, behind[0])
            passes(other, client, behind[1])
            client.shutdown(socket.SHUT_WR)
            assert wire.read_to_end(other) == b""
        assert wire.read_to_end(client) == b""


def test_malformed_messages_pass_unchanged_both_ways(pgsleuth: StartProxy, tmp_path: Path) -> None:
    cases = [(case, state) for case in lengths() for state in range(len(STATES))]
    cases += [(case, n % len(STATES)) for n, case in enumerate([*types(), *errors(), *counted(), *single()])]
    print(f"{len(cases)} malformed messages")
    assert len(cases) >= 4000
    with puppet() as (server, target):
        proxy = pgsleuth(target, capture=str(tmp_path / "capture"))
        base = descriptors(proxy)
        one_good_session(proxy, server)
        for case, state in cases:
            try:
                relay_one(proxy, server, case, STATES[state])
            except (AssertionError, OSError, queue.Empty) as fault:
                pytest.fail(f"{case.name}, state {state}: {fault!r}")
        outcome = end(proxy, base)
    assert outcome.report["run"]["sessions"] == len(cases) + 1
    assert outcome.report["coverage"]["dropped_records"] == 0
    assert len(cases) // 2 < outcome.report["coverage"]["opaque_sessions"] < len(cases)
    # Every record of such a run is one that the reader of captures takes.
    again = run_command("report", f"--report-dir={tmp_path / 'again'}", str(tmp_path / "capture"))
    assert again.returncode == 0, again.stderr
