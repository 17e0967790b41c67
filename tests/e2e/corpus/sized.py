"""Applications whose pools leak, or are too large or refused, or nearly so: it shows after a minute only.

Each is a client of its own (by its application_name), with a thread of its own, and all run at once, for
LASTS_S. What an application holds is held until pgsleuth has stopped: a leak that ends is none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Callable

import asyncpg
import psycopg
import psycopg2

from corpus import App, Book, call
from corpus.kits import DBAPI, Asyncpg
from proxy import Outcome
from server import Server, Target

SIZED = Book()
app = SIZED.app
LASTS_S = 66
PAUSE_S = 0.4
LIMIT = 12  # of connections, for the roles that have one
REFUSALS = (psycopg2.OperationalError, psycopg.OperationalError, asyncpg.TooManyConnectionsError)


def limited(kit: str, size: int) -> str:
    """A role that may have so many connections."""
    return f"sized_{kit}_{size}"


def make_roles(server: Server) -> None:
    for kit in KITS:
        for size in (LIMIT, 3):
            role = limited(kit, size)
            server.sql(
                f"""
                DROP ROLE IF EXISTS {role};
                CREATE ROLE {role} LOGIN CONNECTION LIMIT {size}
                    PASSWORD '{server.app.password}' IN ROLE app;
                """
            )


class Client:
    """One application and its connections."""

    def __init__(self, kit: str, target: Target, tag: str) -> None:
        self.kit = kit
        self.target = target
        self.tag = tag
        self.loop = asyncio.new_event_loop()
        self.open: list[Any] = []
        self.served = 0

    def limit(self, size: int) -> None:
        self.target = replace(self.target, user=limited(self.kit, size))

    def connect(self) -> Any:
        connection = KITS[self.kit](self)
        self.open.append(connection)
        return connection

    def close(self, connection: Any) -> None:
        self.open.remove(connection)
        done = connection.connection.close()
        if done is not None:
            self.loop.run_until_complete(done)

    def serve(self, *connections: Any) -> None:
        """A request on each, all at the same time."""
        for connection in connections:
            self.served += 1
            connection.begin()
            key = (self.served % 400 + 1) * 1013
            connection.ask("SELECT name FROM corpus.authors WHERE id = $1", key)
        for connection in connections:
            connection.commit()

    def serve_for_a_minute(self, *connections: Any) -> None:
        for n in self.rounds(PAUSE_S):
            self.serve(connections[n % len(connections)])

    def rounds(self, pause_s: float) -> Iterator[int]:
        began = time.monotonic()
        n = 0
        while time.monotonic() - began < LASTS_S:
            yield n
            n += 1
            time.sleep(max(0.0, began + n * pause_s - time.monotonic()))

    def end(self) -> None:
        for connection in list(self.open):
            self.close(connection)
        self.loop.close()


def name_of(client: Client) -> str:
    """That of its route, which no other has."""
    return client.tag.partition("route='")[2].partition("'")[0]


def dbapi(connect: Callable[..., Any]) -> Callable[[Client], DBAPI]:
    def make(client: Client) -> DBAPI:
        kit = DBAPI(lambda: connect(**client.target.libpq(), application_name=name_of(client)), False)
        kit.tag = client.tag
        return kit

    return make


def with_asyncpg(client: Client) -> Asyncpg:
    settings = {"application_name": name_of(client)}
    connecting = asyncpg.connect(**client.target.asyncpg(), server_settings=settings)
    connection = client.loop.run_until_complete(connecting)
    return Asyncpg(client.loop, client.target, None, connection, client.tag)


KITS: dict[str, Callable[[Client], Any]] = {
    "psycopg2": dbapi(psycopg2.connect),
    "psycopg3": dbapi(psycopg.connect),
    "asyncpg": with_asyncpg,
}


def run(target: Target, apps: Iterable[tuple[str, App]], stop: Callable[[], Outcome]) -> Outcome:
    """Run them at once; what `stop` gives, which is called while all still hold what they hold."""
    clients = [(each, Client(kit, target, call(kit, each, 0).tag)) for kit, each in apps]
    try:
        with ThreadPoolExecutor(len(clients)) as threads:
            for done in [threads.submit(each.request, client, 0) for each, client in clients]:
                done.result()
        return stop()
    finally:
        for _, client in clients:
            client.end()


# --- leaks ---


@app("never-given-back", "pool_size")
def never_given_back(client: Client, n: int) -> None:
    for _ in client.rounds(3):
        client.serve(client.connect())


@app("given-back", near="pool_size", also="connection_churn")
def given_back(client: Client, n: int) -> None:
    for _ in client.rounds(3):
        connection = client.connect()
        client.serve(connection)
        client.close(connection)


@app("filled-at-the-start", near="pool_size")
def filled_at_the_start(client: Client, n: int) -> None:
    connections = [client.connect() for _ in range(8)]
    client.serve(*connections[:3])
    client.serve_for_a_minute(connections[0])


@app("grows-with-its-work", near="pool_size")
def grows_with_its_work(client: Client, n: int) -> None:
    for _ in client.rounds(4.5):
        client.connect()
        client.serve(*client.open)


# --- sizes ---


@app("larger-than-its-use", "pool_size")
def larger(client: Client, n: int) -> None:
    connections = [client.connect() for _ in range(16)]
    client.serve_for_a_minute(*connections)


@app("as-large-as-its-use", near="pool_size")
def as_large(client: Client, n: int) -> None:
    connections = [client.connect() for _ in range(LIMIT)]
    for _ in client.rounds(5):
        client.serve(*connections)


# --- refusals ---


def refuse(client: Client, size: int) -> None:
    client.limit(size)
    connections = [client.connect() for _ in range(size)]
    for n in client.rounds(8):
        client.serve(*connections)
        try:
            client.connect()
        except REFUSALS:
            continue
        raise AssertionError(f"not refused: {n}")


@app("refused-while-many-are-open", "pool_size")
def refused(client: Client, n: int) -> None:
    refuse(client, LIMIT)


@app("refused-with-few-open", near="pool_size")
def refused_with_few(client: Client, n: int) -> None:
    refuse(client, 3)
