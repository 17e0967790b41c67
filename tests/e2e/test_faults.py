"""Connections that break: at any byte, on either side, in every way.

A case is rerun by its number: PGSLEUTH_FAULTS=SEED:FIRST-LAST, or SEED:NUMBER, takes the place of what
the default run would do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs import Authority
from fault_cases import Front
from fault_jobs import TABLE
from faults import Lane, Loop, loop_in_thread
from proxy import Proxy, eventually
from rest import SANITIZER, Rest
from server import OPEN_ROLE, Server, free_port, run_server

LANES = 8
BATCH = 80
CASES, TLS_CASES = 560, 160
LONG_BATCH, LONG_CASES = 500, 4000


class Bench:
    """A pgsleuth in front of lanes, and what it needs when it is idle."""

    def __init__(self, loop: Loop, server: Server, proxy: Proxy, front: Front) -> None:
        self.loop = loop
        self.server = server
        self.proxy = proxy
        self.front = front
        self.rest: Rest | None = None

    def warm_up(self) -> None:
        self.loop.run(self.front.record())
        cases = [self.front.case(0, n) for n in range(3 * LANES)]
        assert self.loop.run(self.front.run_cases(cases)) == []
        eventually("the sessions end", lambda: self.sessions() == 0)
        self.rest = Rest(self.proxy)

    def sessions(self) -> int:
        return int(
            self.server.sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename IN ('{OPEN_ROLE}', 'app')")
        )

    def check_rest(self) -> None:
        """Nothing of the sessions is left."""
        eventually("the sessions end", lambda: self.sessions() == 0)
        assert self.rest is not None
        self.rest.check()

    def check_rows(self) -> None:
        """What was committed is what was said to be; of all cases so far, for some may be late."""
        found = self.server.sql(
            f"SELECT canary, count(*) FROM {TABLE} GROUP BY 1", self.server.admin_of("app")
        )
        rows = dict(line.split("|") for line in found.splitlines())
        found_rows = {canary: int(rows.get(canary, 0)) for canary in self.front.writers}
        assert [c for c, n in found_rows.items() if n not in self.front.writers[c]] == [], found_rows


def start_bench(loop: Loop, server: Server, folder: Path, lanes: int, **options: str) -> Bench:
    async def open_lanes() -> list[Lane]:
        return [Lane(server.app) for _ in range(lanes)]

    made = loop.run(open_lanes())
    ports = [free_port() for _ in made]
    hosts = ",".join(f"127.0.0.1:{lane.port}" for lane in made)
    proxy = Proxy(
        folder,
        server.app.at("127.0.0.1", ports[0]),
        env=SANITIZER,
        listen=",".join(f"127.0.0.1:{port}" for port in ports),
        upstream=f"postgresql://{hosts}/?sslmode={'require' if 'tls_cert' in options else 'disable'}",
        workers=2,
        report_interval_s=0,
        **options,
    )
    proxy.target = server.app.at("127.0.0.1", ports[0])
    return Bench(loop, server, proxy, Front(server.app, made, ports, tls="tls_cert" in options))


def run_bench(loop: Loop, server: Server, folder: Path, lanes: int, **options: str) -> Iterator[Bench]:
    server.sql(
        f"CREATE TABLE IF NOT EXISTS {TABLE} (canary text, n int, filling text);"
        f"GRANT INSERT ON {TABLE} TO app",
        server.admin_of("app"),
    )
    bench = start_bench(loop, server, folder, lanes, **options)
    try:
        bench.proxy.start()
        bench.warm_up()
        yield bench
        if bench.proxy.process is not None and bench.proxy.process.returncode is None:
            bench.proxy.stop()
    finally:
        bench.proxy.kill()
        for lane, _ in bench.front.lanes:
            loop.run(lane.close())


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with loop_in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def bench(loop: Loop, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    yield from run_bench(loop, server, tmp_path_factory.mktemp("faults") / "plain", LANES)


@pytest.fixture(scope="module")
def tls_bench(loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    authority = Authority()
    pair = authority.sign("localhost")
    folder = tmp_path_factory.mktemp("faults") / "tls"
    try:
        for server in run_server(certificate=pair):
            yield from run_bench(loop, server, folder, LANES // 2, **pair.options())
    finally:
        authority.close()


def batches(cases: int, size: int = BATCH, seed: int = 1) -> list[tuple[int, int, int]]:
    """Seed, first and last."""
    if asked := os.environ.get("PGSLEUTH_FAULTS", ""):
        seed_text, _, numbers = asked.partition(":")
        first, _, last = numbers.partition("-")
        return [(int(seed_text), int(first), int(last or first))]
    return [(seed, first, min(first + size, cases) - 1) for first in range(0, cases, size)]


def run_batch(bench: Bench, seed: int, first: int, last: int) -> None:
    cases = [bench.front.case(seed, n) for n in range(first, last + 1)]
    wrong = bench.loop.run(bench.front.run_cases(cases), limit_s=60 + len(cases))
    assert not wrong, "\n".join(["", *wrong])
    bench.check_rest()
    bench.check_rows()


@pytest.mark.parametrize(("seed", "first", "last"), batches(CASES))
def test_broken_connection_is_told_in_time_and_to_nobody_else(
    bench: Bench, seed: int, first: int, last: int
) -> None:
    run_batch(bench, seed, first, last)


@pytest.mark.parametrize(("seed", "first", "last"), batches(TLS_CASES))
def test_connection_broken_under_tls_is_told_in_time_and_to_nobody_else(
    tls_bench: Bench, seed: int, first: int, last: int
) -> None:
    run_batch(tls_bench, seed, first, last)


@pytest.mark.long
@pytest.mark.parametrize(("seed", "first", "last"), batches(LONG_CASES, LONG_BATCH, seed=2))
def test_more_connections_break(bench: Bench, tls_bench: Bench, seed: int, first: int, last: int) -> None:
    run_batch(bench, seed, first, last)
    run_batch(tls_bench, seed, first, last)
