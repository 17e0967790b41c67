"""Many things at once, for ThreadSanitizer: clients on several workers, reports, plans, kills, the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import psycopg2
import pytest

import wire
from proxy import Proxy, StartProxy
from server import Server

pytestmark = pytest.mark.threads
TRAFFIC_S = 4.0


def with_psycopg2(proxy: Proxy, n: int) -> int:
    connection = psycopg2.connect(**proxy.target.libpq())
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT name AS c{n % 50} FROM people LIMIT %s", (n % 20,))
        rows = len(cursor.fetchall())
    connection.close()
    assert rows == n % 20
    return 1


def with_psycopg3(proxy: Proxy, n: int) -> int:
    with psycopg.connect(**proxy.target.libpq(), prepare_threshold=1) as connection:
        for m in range(10):
            assert connection.execute("SELECT %s + %s, repeat('x', 5000)", (n, m)).fetchone() == (
                n + m,
                "x" * 5000,
            )
        with connection.pipeline():
            for m in range(10):
                connection.execute("SELECT name FROM people WHERE id = %s", (m,))
    return 10


def with_asyncpg(proxy: Proxy, n: int) -> int:
    async def run() -> None:
        connection = await asyncpg.connect(**proxy.target.asyncpg())
        await connection.executemany("SELECT $1::int", [(m,) for m in range(200)])
        with contextlib.suppress(asyncio.TimeoutError):
            await connection.fetch("SELECT pg_sleep(30)", timeout=0.05)
        assert await connection.fetchval("SELECT $1::int", n) == n
        await connection.close()

    asyncio.run(run())
    return 200


def rudely(proxy: Proxy, n: int) -> int:
    """Leaves without a word, in the middle of an answer, or after nonsense."""
    session = wire.log_in(proxy.target)
    with session.socket as peer:
        if n % 3 == 0:
            peer.sendall(wire.query("SELECT repeat('x', 100) FROM generate_series(1, 100000)"))
            wire.read_exactly(peer, 1000)
        elif n % 3 == 1:
            peer.sendall(b"\xff\xff nonsense")
    return 0


CLIENTS = (with_psycopg2, with_psycopg3, with_asyncpg, rudely)


def be_busy(proxy: Proxy, clients: int, seconds: float) -> int:
    until = time.monotonic() + seconds
    serial = iter(range(10**9))

    def client(_: Any) -> int:
        done = 0
        while time.monotonic() < until:
            n = next(serial)
            done += CLIENTS[n % len(CLIENTS)](proxy, n)
        return done

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(client, range(clients)))


@pytest.mark.parametrize("workers", [2, 4])
def test_clients_on_several_workers_while_reports_are_written(
    server: Server, pgsleuth: StartProxy, tmp_path: Path, workers: int
) -> None:
    proxy = pgsleuth(
        server.app,
        workers=workers,
        report_interval_s="1s",
        capture=str(tmp_path / "capture"),
        explain_enabled=True,
        explain_min_mean_ms="0",
        explain_min_total_ms="0",
    )
    over = threading.Event()

    def disturb() -> None:
        while not over.wait(0.1):
            proxy.send(signal.SIGUSR1)
            for pid in proxy.helpers()[:1] if int(time.monotonic()) % 2 else []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        done = be_busy(proxy, 8, TRAFFIC_S)
    finally:
        over.set()
        disturber.join()
    outcome = proxy.stop()
    assert done > 0
    assert outcome.report["run"]["statements"] > 0
    assert outcome.report["coverage"]["opaque_sessions"] > 0  # those that sent nonsense


def test_small_ring_drops_records_and_says_so_but_never_stops_the_relay(
    server: Server, pgsleuth: StartProxy
) -> None:
    proxy = pgsleuth(server.app, workers=2, ring_bytes="64KiB")

    def client(n: int) -> int:
        async def run() -> int:
            connection = await asyncpg.connect(**proxy.target.asyncpg())
            await connection.executemany("SELECT $1::int", [(m,) for m in range(20_000)])
            found: int = await connection.fetchval("SELECT $1::int", n)
            await connection.close()
            return found

        return asyncio.run(run())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(client, range(4))) == list(range(4))
    coverage = proxy.stop().report["coverage"]
    assert coverage["opaque_sessions"] == 0
    assert coverage["dropped_records"] > 0  # some 60,000 of 80,000


def test_stop_while_sessions_come_and_go(server: Server, pgsleuth: StartProxy) -> None:
    proxy = pgsleuth(server.app, workers=4)
    over = threading.Event()

    def client() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, AssertionError), wire.log_in(proxy.target) as session:
                session.ask("SELECT 1")

    threads = [threading.Thread(target=client) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        until = time.monotonic() + 60
        while not (proxy.report_dir / "report.yaml").is_file() and time.monotonic() < until:
            proxy.send(signal.SIGUSR1)
            time.sleep(0.3)
        outcome = proxy.stop()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert outcome.report["run"]["sessions"] > 0
