"""Several servers behind one pgsleuth: clients choose among its listeners as they do among the servers."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, Callable

import asyncpg
import psycopg
import psycopg2
import pytest

from certs import Authority
from drivers import Scenario
from drivers.with_psycopg2 import cancel as cancel_psycopg2
from drivers.with_psycopg3 import cancel as cancel_psycopg3
from proxy import Proxy, StartProxy
from server import Server, Target, find_program, free_port, run_server

HOST = "127.0.0.1"
ASK = "SHOW port"  # the server's own, whichever way one came
ATTRIBUTES = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
Ports = tuple[int, ...]


@pytest.fixture(scope="module")
def reader(server: Server) -> Iterator[Server]:
    """A server whose transactions only read, with the other's password."""
    made = run_server()
    started = next(made)
    started.sql(f"ALTER ROLE app PASSWORD '{server.app.password}'")
    started.sql("ALTER DATABASE app SET default_transaction_read_only = on")
    yield started
    made.close()


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    made = Authority()
    yield made
    made.close()


# --- clients ---


def among(target: Target, ports: Ports, parameters: str = "") -> Target:
    """For libpq: these ports in their order, by keywords that win over the target's own."""
    hosts = f"host={','.join([HOST] * len(ports))}&port={','.join(map(str, ports))}"
    return replace(target, parameters="&".join(part for part in (hosts, parameters) if part))


def by_psycopg2(target: Target, ports: Ports, parameters: str) -> Any:
    with closing(psycopg2.connect(**among(target, ports, parameters).libpq())) as connection:
        cursor = connection.cursor()
        cursor.execute(ASK)
        return cursor.fetchone()[0]


def by_psycopg3(target: Target, ports: Ports, parameters: str) -> Any:
    with psycopg.connect(**among(target, ports, parameters).libpq()) as connection:
        row = connection.execute(ASK).fetchone()
        assert row is not None
        return row[0]


def by_psql(target: Target, ports: Ports, parameters: str) -> Any:
    done = subprocess.run(
        [find_program("psql"), "-X", "-A", "-t", "-c", ASK],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=among(target, ports, parameters).environment(),
    )
    if done.returncode != 0:
        raise ConnectionError(done.stderr)
    return done.stdout.strip()


def by_asyncpg(target: Target, ports: Ports, parameters: str) -> Any:
    given = replace(target, parameters=parameters)
    arguments = {**given.asyncpg(), "host": [HOST] * len(ports), "port": list(ports)}
    if "target_session_attrs" in given.keywords():
        arguments["target_session_attrs"] = given.keywords()["target_session_attrs"]

    async def ask() -> Any:
        connection = await asyncpg.connect(**arguments)
        try:
            return await connection.fetchval(ASK)
        finally:
            await connection.close()

    return asyncio.run(ask())


CLIENTS: dict[str, Callable[[Target, Ports, str], Any]] = {
    "psycopg2": by_psycopg2,
    "psycopg3": by_psycopg3,
    "psql": by_psql,
    "asyncpg": by_asyncpg,
}
FAILURES = (
    psycopg2.Error,
    psycopg.Error,
    ConnectionError,
    asyncpg.PostgresError,
    asyncpg.TargetServerAttributeNotMatched,
)


def reached(client: str, target: Target, ports: Ports, parameters: str) -> str:
    """The port of the server that the client chose, or the kind of its failure."""
    try:
        return str(CLIENTS[client](target, ports, parameters))
    except FAILURES as error:
        return type(error).__name__


# --- pgsleuth ---


def start_before(start: StartProxy, server: Server, behind: Ports, **options: Any) -> tuple[Proxy, Ports]:
    """A listener for each of these servers."""
    ports = tuple(free_port() for _ in behind)
    proxy = start(
        server.app,
        listen=",".join(f"{HOST}:{port}" for port in ports),
        upstream=f"postgresql://{','.join(f'{HOST}:{port}' for port in behind)}/app",
        **options,
    )
    return proxy, ports


@pytest.mark.parametrize("client", CLIENTS)
def test_client_chooses_among_listeners_as_among_servers(
    client: str, server: Server, reader: Server, pgsleuth: StartProxy
) -> None:
    behind = (reader.app.port, server.app.port)
    proxy, listeners = start_before(pgsleuth, server, behind, workers=2)
    chosen = set()
    for attribute in ATTRIBUTES:
        if (client, attribute) == ("asyncpg", "prefer-standby"):
            continue  # it draws lots
        for order in ((0, 1), (1, 0)):
            parameters = f"target_session_attrs={attribute}"
            direct = reached(client, server.app, tuple(behind[n] for n in order), parameters)
            through = reached(client, server.app, tuple(listeners[n] for n in order), parameters)
            assert through == direct, (attribute, order)
            chosen.add(direct)
    assert {str(port) for port in behind} < chosen, "or nothing was chosen at all"
    coverage = proxy.stop().report["coverage"]
    assert (coverage["opaque_sessions"], coverage["refused_sessions"]) == (0, 0)


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
@pytest.mark.parametrize("client", CLIENTS)
def test_client_goes_on_to_the_next_host_when_the_first_is_down(
    client: str, mode: str, authority: Authority, server: Server, pgsleuth: StartProxy
) -> None:
    options = authority.sign("localhost").options() if mode != "disable" else {}
    down = free_port()
    proxy, listeners = start_before(pgsleuth, server, (down, server.app.port), **options)
    assert reached(client, server.app, listeners, f"sslmode={mode}") == str(server.app.port)
    proxy.stop()


@pytest.mark.parametrize("client", CLIENTS)
def test_client_goes_on_when_the_first_host_goes_down_later_or_falls_silent(
    client: str, server: Server, pgsleuth: StartProxy
) -> None:
    with socket.create_server((HOST, 0)) as silent, socket.create_server((HOST, 0)) as leaves:
        behind = (silent.getsockname()[1], leaves.getsockname()[1], server.app.port)
        proxy, listeners = start_before(pgsleuth, server, behind, connect_timeout_ms="500ms")
        leaves.close()
        assert reached(client, server.app, listeners, "sslmode=disable") == str(server.app.port)
        refused = proxy.stop().report["coverage"]["refused_sessions"]
        assert refused == 2


@pytest.mark.parametrize("client", ["psycopg2", "psycopg3"])
def test_refusal_of_every_host_is_told_for_each(client: str, server: Server, pgsleuth: StartProxy) -> None:
    with socket.create_server((HOST, 0)) as leaves:
        behind = (free_port(), leaves.getsockname()[1])
        _, listeners = start_before(pgsleuth, server, behind)
    with pytest.raises(FAILURES) as refused:
        CLIENTS[client](server.app, listeners, "sslmode=disable")
    words = str(refused.value)
    for port in behind:
        assert f"could not connect to the upstream server at {HOST}:{port}" in words


@pytest.mark.parametrize("scenario", [cancel_psycopg2, cancel_psycopg3], ids=["psycopg2", "psycopg3"])
def test_cancel_reaches_the_server_of_its_session(
    scenario: Scenario, server: Server, reader: Server, pgsleuth: StartProxy
) -> None:
    _, listeners = start_before(pgsleuth, server, (reader.app.port, server.app.port))
    parameters = "target_session_attrs=read-write"
    direct = scenario(among(server.app, (reader.app.port, server.app.port), parameters))
    assert scenario(among(server.app, listeners, parameters)) == direct
