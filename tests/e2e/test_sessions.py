"""The life of a connection: how it begins and ends, what is refused, and that big and strange things pass."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import asyncpg
import psycopg
import pytest

import records
import wire
from proxy import Proxy, StartProxy, run_command
from server import OPEN_ROLE, Server, Target, find_program

MIB = 1 << 20


def eventually(what: str, condition: Callable[[], bool], limit_s: float = 30) -> None:
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, f"not within {limit_s} s: {what}"
        time.sleep(0.02)


def backends(server: Server, name: str) -> int:
    return int(server.sql(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'"))


def same_for_both(server: Server, relay: Proxy, what: Callable[[Target], Any]) -> Any:
    """What the server itself does; pgsleuth's is the same."""
    direct = what(server.app)
    assert what(relay.target) == direct
    return direct


# --- the start ---


def test_session_starts_with_the_servers_own_greeting(server: Server, relay: Proxy) -> None:
    def greet(target: Target) -> list[Any]:
        with wire.log_in(target) as session:
            return [m for m in session.greeting if m.type != "K"]

    assert same_for_both(server, relay, greet)


@pytest.mark.parametrize("requests", [("ssl",), ("gss",), ("ssl", "gss"), ("gss", "ssl")])
def test_encryption_request_is_declined_and_the_session_goes_on(
    relay: Proxy, requests: tuple[str, ...]
) -> None:
    peer = wire.connect(relay.target)
    for request in requests:
        peer.sendall(wire.SSL_REQUEST if request == "ssl" else wire.GSSENC_REQUEST)
        assert wire.read_exactly(peer, 1) == b"N"
    with wire.log_in(relay.target, peer) as session:
        assert session.ask("SELECT 1")[-1].body == b"I"


def ask_twice(target: Target, request: bytes) -> tuple[str, str]:
    with wire.connect(target) as peer:
        peer.sendall(request)
        assert wire.read_exactly(peer, 1) == b"N"
        peer.sendall(request)
        (fatal,) = wire.split(wire.read_to_end(peer))
        return fatal.type, fatal.fields()["C"]


def test_encryption_request_made_twice_is_refused_as_the_server_does(server: Server, relay: Proxy) -> None:
    same_for_both(server, relay, lambda target: ask_twice(target, wire.SSL_REQUEST))
    assert ask_twice(relay.target, wire.GSSENC_REQUEST) == ("E", "0A000")


@pytest.mark.parametrize("request_packet", [wire.SSL_REQUEST, wire.GSSENC_REQUEST])
def test_bytes_behind_an_encryption_request_are_refused(
    server: Server, relay: Proxy, request_packet: bytes
) -> None:
    """CVE-2021-23214 and its kin: what came before the answer must not be taken for what comes after it."""
    name = "smuggled"
    early = request_packet + wire.startup(user=OPEN_ROLE, database="app", application_name=name)
    with wire.connect(relay.target) as peer:
        peer.sendall(early + wire.query("SELECT pg_sleep(0)"))
        answers = wire.split(wire.read_to_end(peer))
    assert [m.type for m in answers] == ["E"]
    assert answers[0].fields()["S"] == "FATAL"
    assert answers[0].fields()["C"] == "08P01"
    assert backends(server, name) == 0


@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 10005, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_start_up_packet_out_of_bounds_is_closed_without_a_word(relay: Proxy, length: int) -> None:
    with wire.connect(relay.target) as peer:
        peer.sendall(struct.pack("!I", length) + b"\0\3\0\0" + b"x" * 64)
        assert wire.read_to_end(peer) == b""


def test_direct_tls_without_a_certificate_is_closed_without_a_word(relay: Proxy) -> None:
    with wire.connect(relay.target) as peer:
        peer.sendall(bytes.fromhex("1603010200010001fc0303") + os.urandom(256))
        assert wire.read_to_end(peer) == b""


def test_start_up_packet_byte_by_byte_is_taken(relay: Proxy) -> None:
    peer = wire.connect(relay.target)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in wire.startup(user=OPEN_ROLE, database="app"):
        peer.sendall(bytes([byte]))
    assert wire.read_until(peer, "Z")
    peer.close()


def test_largest_start_up_packet_is_taken(server: Server, relay: Proxy) -> None:
    def greet(target: Target) -> Any:
        room = 10004 - len(wire.startup(user=OPEN_ROLE, database="app", application_name=""))
        with wire.log_in(target, application_name="n" * room) as session:
            return [m for m in session.greeting if m.type != "K"]

    same_for_both(server, relay, greet)


@pytest.mark.parametrize("version", [0x00020000, 0x00030002, 0x0003270F, 0x00040000])
def test_other_protocol_versions_are_the_servers_to_answer(
    server: Server, relay: Proxy, version: int
) -> None:
    def greet(target: Target) -> Any:
        with wire.connect(target) as peer:
            peer.sendall(wire.startup(version, user=OPEN_ROLE, database="app") + wire.TERMINATE)
            data = wire.read_to_end(peer)
        # The version 2 of long ago has no lengths.
        return data if version < 0x00030000 else [m for m in wire.split(data) if m.type != "K"]

    assert same_for_both(server, relay, greet)


@pytest.mark.parametrize(
    "parameters", [{}, {"user": ""}, {"user": "nobody here"}, {"user": OPEN_ROLE, "database": "nowhere"}]
)
def test_refused_login_is_the_servers_own(server: Server, relay: Proxy, parameters: dict[str, str]) -> None:
    def try_it(target: Target) -> list[Any]:
        with wire.connect(target) as peer:
            peer.sendall(wire.startup(**parameters))
            peer.shutdown(socket.SHUT_WR)
            return [
                m for m in wire.split(wire.read_to_end(peer)) if m.type in "ER" and m.body[:4] != b"\0\0\0\n"
            ]

    same_for_both(server, relay, try_it)


def test_probe_that_connects_and_closes_is_no_session(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app)
    for _ in range(20):
        wire.connect(proxy.target).close()
    outcome = proxy.stop()
    assert outcome.report["run"]["sessions"] == 0
    assert "error" not in outcome.stderr


# --- the end ---


def test_half_closed_client_still_gets_its_answer(server: Server, relay: Proxy) -> None:
    def ask(target: Target) -> list[Any]:
        session = wire.log_in(target)
        with session.socket as peer:
            peer.sendall(wire.query("SELECT n, repeat('x', 1000) FROM generate_series(1, 3000) n"))
            peer.shutdown(socket.SHUT_WR)
            return wire.split(wire.read_to_end(peer))

    answers = same_for_both(server, relay, ask)
    assert len(answers) == 3003


def test_client_that_leaves_in_the_middle_of_a_result_ends_its_backend(server: Server, relay: Proxy) -> None:
    name = "leaves in the middle"
    session = wire.log_in(relay.target, application_name=name)
    session.socket.sendall(wire.query("SELECT repeat('x', 1000) FROM generate_series(1, 100000000)"))
    wire.read_exactly(session.socket, MIB)
    assert backends(server, name) == 1
    session.socket.close()
    eventually("the backend ends", lambda: backends(server, name) == 0)


def test_client_that_leaves_while_idle_ends_its_backend(server: Server, relay: Proxy) -> None:
    name = "leaves while idle"
    session = wire.log_in(relay.target, application_name=name)
    session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    session.socket.close()
    eventually("the backend ends", lambda: backends(server, name) == 0)


def test_terminated_backend_reaches_the_client_as_its_own_error(server: Server, relay: Proxy) -> None:
    def terminate(target: Target) -> list[Any]:
        session = wire.log_in(target)
        with session.socket as peer:
            server.sql(f"SELECT pg_terminate_backend({session.pid})")
            return wire.split(wire.read_to_end(peer))

    (fatal,) = same_for_both(server, relay, terminate)
    assert (fatal.type, fatal.fields()["S"], fatal.fields()["C"]) == ("E", "FATAL", "57P01")


def test_backend_terminated_in_a_statement_raises_in_the_driver(relay: Proxy) -> None:
    with psycopg.connect(**relay.target.libpq()) as connection:
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(30)")
        assert connection.broken


def test_server_that_vanishes_leaves_no_invented_bytes(pgsleuth: StartProxy) -> None:
    greeting = wire.message("R", b"\0\0\0\0") + wire.message("Z", b"I")

    def serve(peer: socket.socket) -> None:
        if peer.recv(1 << 16):
            peer.sendall(greeting + b"D\0\0\1\0 and no more")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with wire.fake_server(serve) as upstream:
        proxy = pgsleuth(upstream)
        with wire.connect(proxy.target) as peer:
            peer.sendall(wire.startup(user="someone"))
            data = wire.read_to_end(peer)
        proxy.stop()
    # A reset may overtake what was sent before it; it may not be followed by anything.
    assert (greeting + b"D\0\0\1\0 and no more").startswith(data)


def test_upstream_that_refuses_is_told_with_57p03(pgsleuth: StartProxy) -> None:
    with wire.fake_server(lambda _: None) as upstream:
        proxy = pgsleuth(upstream)
    with wire.connect(proxy.target) as peer:
        peer.sendall(wire.startup(user="someone"))
        (fatal,) = wire.split(wire.read_to_end(peer))
    assert (fatal.type, fatal.fields()["S"], fatal.fields()["C"]) == ("E", "FATAL", "57P03")
    with pytest.raises(psycopg.OperationalError, match="could not connect to the upstream server"):
        psycopg.connect(**{**proxy.target.libpq(), "password": "x"})
    assert proxy.stop().report["coverage"]["refused_sessions"] == 2


def test_open_sessions_end_when_pgsleuth_is_stopped(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app)
    name = "open at the end"
    with wire.log_in(proxy.target, application_name=name) as session:
        outcome = proxy.stop()
        assert wire.read_to_end(session.socket) == b""
    eventually("the backend ends", lambda: backends(server, name) == 0)
    assert outcome.report["run"]["sessions"] == 1


# --- limits and cancel ---


def test_session_over_the_limit_is_refused_with_53300(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app, max_sessions=2)
    with wire.log_in(proxy.target) as first:
        second = wire.log_in(proxy.target)
        with wire.connect(proxy.target) as third:
            third.sendall(wire.startup(user=OPEN_ROLE, database="app"))
            (fatal,) = wire.split(wire.read_to_end(third))
        assert (fatal.fields()["S"], fatal.fields()["C"]) == ("FATAL", "53300")
        # A cancel is no session.
        first.socket.sendall(wire.query("SELECT pg_sleep(60)"))
        eventually("the statement runs", lambda: sleeping(server, first.pid))
        cancel(proxy.target, first)
        assert [m.fields()["C"] for m in wire.read_until(first.socket, "Z") if m.type == "E"] == ["57014"]
        second.socket.close()

        def admitted() -> bool:
            with wire.connect(proxy.target) as peer:
                peer.sendall(wire.startup(user=OPEN_ROLE, database="app"))
                return wire.read_message(peer).type == "R"

        eventually("a place is free again", admitted)
    assert proxy.stop().report["coverage"]["refused_sessions"] >= 1


def sleeping(server: Server, pid: int) -> bool:
    return server.sql(f"SELECT wait_event FROM pg_stat_activity WHERE pid = {pid}") == "PgSleep"


def cancel(target: Target, session: wire.Session, key: bytes = b"") -> None:
    """Returns when the server has closed: libpq takes that for "the signal is sent"."""
    with wire.connect(target) as peer:
        peer.sendall(wire.cancel_request(session.pid, key or session.key))
        assert wire.read_to_end(peer) == b""


def test_cancel_request_reaches_the_statement(server: Server, relay: Proxy) -> None:
    with wire.log_in(relay.target) as session:
        session.socket.sendall(wire.query("SELECT pg_sleep(60)"))
        eventually("the statement runs", lambda: sleeping(server, session.pid))
        cancel(relay.target, session, b"\0\0\0\0")  # the wrong key: nothing
        assert sleeping(server, session.pid)
        cancel(relay.target, session)
        answers = wire.read_until(session.socket, "Z")
        assert [m.fields()["C"] for m in answers if m.type == "E"] == ["57014"]
        assert session.ask("SELECT 1")[-2].body == b"SELECT 1\0"


def test_interrupted_psql_cancels_its_statement(server: Server, relay: Proxy) -> None:
    # psql does so by a second connection, after asking for encryption on it.
    psql = subprocess.Popen(
        [find_program("psql"), "-X", "-c", "SELECT pg_sleep(60)"],
        env={**relay.target.environment(), "PGAPPNAME": "interrupted"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        busy = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'interrupted' AND wait_event = 'PgSleep'"
        )
        eventually("the statement runs", lambda: server.sql(busy) == "1")
        psql.send_signal(signal.SIGINT)
        _, said = psql.communicate(timeout=30)
    finally:
        psql.kill()
        psql.wait()
    assert "canceling statement due to user request" in said


# --- what pgsleuth does not understand passes all the same ---


def test_garbage_after_start_up_gets_the_servers_own_answer(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app)

    def send(target: Target, garbage: bytes) -> list[Any]:
        session = wire.log_in(target)
        with session.socket as peer:
            peer.sendall(garbage)
            peer.shutdown(socket.SHUT_WR)
            return wire.split(wire.read_to_end(peer))

    pieces = [
        b"\xff\0\0\0\x04",
        b"Q\0\0\0\1",
        b"Q\xff\xff\xff\xff",
        b"P\0\0\0\x08abcd" + wire.SYNC,
        b"B\0\0\0\x06\0\0" + wire.SYNC,
        wire.message("Q", b"SELECT 1"),  # no terminator
        wire.query("SELECT 1") + b"?garbage?",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ]
    for piece in pieces:
        assert send(proxy.target, piece) == send(server.app, piece), piece
    with wire.log_in(proxy.target) as session:
        assert session.ask("SELECT 1")[-1].body == b"I"
    coverage = proxy.stop().report["coverage"]
    assert 1 <= coverage["opaque_sessions"] <= len(pieces)


def test_random_bytes_pass_unchanged_both_ways(pgsleuth: StartProxy) -> None:
    there, back = os.urandom(5 * MIB + 1), os.urandom(5 * MIB + 3)
    start = wire.startup(user="someone")
    arrived: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        if not (first := peer.recv(1, socket.MSG_PEEK)):
            return  # the preflight
        assert first
        sender = threading.Thread(target=peer.sendall, args=(back,))
        sender.start()
        arrived.append(wire.read_to_end(peer))
        sender.join()

    with wire.fake_server(serve) as upstream:
        proxy = pgsleuth(upstream)
        with wire.connect(proxy.target) as peer:
            peer.sendall(start)
            sender = threading.Thread(target=lambda: (peer.sendall(there), peer.shutdown(socket.SHUT_WR)))
            sender.start()
            received = wire.read_to_end(peer)
            sender.join()
        outcome = proxy.stop()
    assert received == back
    assert arrived == [start + there]
    assert outcome.report["coverage"]["opaque_sessions"] == 1


# --- size and number ---


def test_row_of_64_mib_to_a_slow_reader_keeps_memory_flat(pgsleuth: StartProxy, server: Server) -> None:
    proxy = pgsleuth(server.app)
    size = 64 * MIB
    with wire.log_in(proxy.target) as session:
        session.ask("SELECT repeat('x', 1000000)")
        before = most = proxy.rss_bytes()
        session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        session.socket.sendall(wire.query(f"SELECT repeat('x', {size})"))
        wire.read_until(session.socket, "T")
        kind, length = struct.unpack("!cI", wire.read_exactly(session.socket, 5))
        left = length - 4
        assert (kind, left) == (b"D", 2 + 4 + size)
        while left > 0:
            if left % (1 << 22) < (1 << 18):
                time.sleep(0.02)  # slow: the proxy has every chance to read ahead
                most = max(most, proxy.rss_bytes())
            left -= len(session.socket.recv(min(left, 1 << 18)))
        assert [m.type for m in wire.read_until(session.socket, "Z")] == ["C", "Z"]
    assert most - before < 16 * MIB


def swallow(peer: socket.socket, size: int, watch: Callable[[], None]) -> None:
    block = memoryview(bytearray(1 << 20))
    while size > 0:
        got = peer.recv_into(block, min(size, len(block)))
        assert got > 0, f"closed {size} bytes early"
        size -= got
        watch()


@pytest.mark.long
def test_messages_of_a_gigabyte_keep_memory_flat(pgsleuth: StartProxy, server: Server) -> None:
    """A parameter and a row, each nearly as large as PostgreSQL takes them."""
    size = 1_000_000_000
    proxy = pgsleuth(server.app)
    with wire.log_in(proxy.target) as session:
        session.ask("SELECT repeat('x', 1000000)")
        before = most = proxy.rss_bytes()

        def watch() -> None:
            nonlocal most
            most = max(most, proxy.rss_bytes())

        session.socket.settimeout(300)
        session.socket.sendall(wire.message("P", b"\0SELECT length($1), $1::text\0\0\0"))
        head = b"\0\0" + struct.pack("!HHI", 0, 1, size)
        session.socket.sendall(b"B" + struct.pack("!I", 4 + len(head) + size + 2) + head)
        block = b"x" * 1_000_000
        for _ in range(size // len(block)):
            session.socket.sendall(block)
            watch()
        session.socket.sendall(b"\0\0" + wire.message("E", b"\0\0\0\0\0") + wire.SYNC)
        assert [wire.read_message(session.socket).type for _ in range(2)] == ["1", "2"]
        kind, length = struct.unpack("!cI", wire.read_exactly(session.socket, 5))
        assert (kind, wire.read_exactly(session.socket, 2 + 4 + 10)[6:]) == (b"D", b"1000000000")
        assert struct.unpack("!I", wire.read_exactly(session.socket, 4)) == (size,)
        assert length == 4 + 2 + 4 + 10 + 4 + size
        swallow(session.socket, size, watch)
        assert [m.type for m in wire.read_until(session.socket, "Z")] == ["C", "Z"]
        assert [m.type for m in session.ask("SELECT 1")] == ["T", "D", "C", "Z"]
    assert proxy.stop().report["coverage"]["opaque"] == []
    assert most - before < 16 * MIB


@pytest.mark.long
def test_a_minute_of_ever_new_statements_stays_within_bounds(server: Server, pgsleuth: StartProxy) -> None:
    """Every shape, route and tag is new, so that whatever is kept for each of them meets its cap."""
    proxy = pgsleuth(server.app, workers=2, report_interval_s="5s")
    until = time.monotonic() + 60

    def client(n: int) -> int:
        sent = 0
        with psycopg.connect(**proxy.target.libpq(), autocommit=True, prepare_threshold=None) as connection:
            while time.monotonic() < until:
                sql = f"SELECT id AS c{n}_{sent} FROM people LIMIT 1 /*method='GET',route='/{n}/{sent}'*/"
                connection.execute(sql.encode())
                sent += 1
        return sent

    before = proxy.rss_bytes()
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(client, range(8))) > 0
    # The sanitizers keep freed memory for a while, up to 256 MiB.
    assert proxy.rss_bytes() - before < 768 * MIB
    proxy.stop(limit_s=300)  # two reports of 2000 endpoints, sanitized


def test_large_statement_passes_whole(server: Server, relay: Proxy) -> None:
    def ask(target: Target) -> Any:
        with wire.log_in(target) as session:
            return session.ask(f"SELECT md5('{'y' * (32 * MIB)}')")

    same_for_both(server, relay, ask)


def test_executemany_of_100000_rows_passes_and_what_follows_is_read(
    server: Server, pgsleuth: StartProxy, tmp_path: Path
) -> None:
    """Megabytes one way while megabytes come back; more outstanding requests than the analysis holds."""
    proxy = pgsleuth(server.app, capture=tmp_path / "capture")

    async def run() -> Any:
        options = {**proxy.target.asyncpg(), "server_settings": {"application_name": "many"}}
        connection = await asyncpg.connect(**options)
        await connection.execute("CREATE TEMP TABLE t (id int, name text)")
        await connection.executemany(
            "INSERT INTO t VALUES ($1, $2)", [(n, f"name of number {n}") for n in range(100_000)]
        )
        found = await connection.fetchrow("SELECT count(*), sum(id) FROM t")
        await connection.close()
        return tuple(found)

    assert asyncio.run(run()) == (100_000, 4_999_950_000)
    assert proxy.stop().report["coverage"]["opaque"] == []
    statements = records.read(tmp_path / "capture", "many").statements()
    assert statements[-1] == "select count(*), sum(id) from t"


def test_pipeline_with_large_answers_does_not_deadlock(relay: Proxy) -> None:
    with psycopg.connect(**relay.target.libpq(), autocommit=True) as connection:
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s, repeat('x', 2000)", ("y" * 2000,)) for _ in range(5000)]
        assert {tuple(map(len, cursor.fetchone() or ())) for cursor in cursors} == {(2000, 2000)}


def test_copy_of_200_mb_passes_both_ways(relay: Proxy) -> None:
    row = b"%s\n" % (b"x" * 999)
    block, blocks = row * 1000, 100  # 100 MB each way
    with psycopg.connect(**relay.target.libpq()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE UNLOGGED TABLE copied (line text)")
        with cursor.copy("COPY copied FROM STDIN") as sink:
            for _ in range(blocks):
                sink.write(block)
        assert cursor.rowcount == 1000 * blocks
        with cursor.copy("COPY copied TO STDOUT") as source:
            received = sum(len(chunk) for chunk in source)
        assert received == len(block) * blocks
        connection.rollback()


def test_fifty_clients_at_once_over_two_workers(relay: Proxy) -> None:
    def client(n: int) -> int:
        total = 0
        with psycopg.connect(**relay.target.libpq()) as connection:
            for m in range(20):
                row = connection.execute("SELECT %s + %s, repeat('x', %s)", (n, m, n * 50)).fetchone()
                assert row is not None
                assert len(row[1]) == n * 50
                total += row[0]
        return total

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(client, range(50))) == sum(n + m for n in range(50) for m in range(20))


# --- other places to listen at ---


@pytest.mark.parametrize("workers", [1, 3])
def test_unix_sockets_serve_on_both_sides(server: Server, pgsleuth: StartProxy, workers: int) -> None:
    folder = server.folder / "listen"
    folder.mkdir(exist_ok=True)
    upstream = f"postgresql:///app?host={server.socket_folder}&port={server.app.port}"
    proxy = pgsleuth(server.app, listen=f"{folder}/.s.PGSQL.6432", upstream=upstream, workers=workers)
    mine = {**server.app.libpq(), "host": str(folder), "port": 6432}
    for _ in range(10):
        with psycopg.connect(**mine) as connection:
            assert connection.execute("SELECT inet_server_addr()").fetchone() == (None,)
    proxy.stop()
    assert list(folder.iterdir()) == []


def test_file_that_stands_where_to_listen_is_left_alone(server: Server, tmp_path: Path) -> None:
    """It refuses connections as a socket does that was left behind."""
    precious = tmp_path / "notes"
    precious.write_text("precious", encoding="ascii")
    done = run_command("run", f"--listen={precious}", f"--upstream={server.app.url()}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert precious.read_text(encoding="ascii") == "precious"
