"""Applications that spread over a pool of connections, one of the same four kits at a time.

A request may `ask` on a connection of the pool, ask `each` of many keys at once, `hold` one meanwhile,
and stand for several `clients` at once. `mark` is an alias of tables that no other application has: it
tells them apart where they carry no tag.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Callable

import asyncpg
from psycopg2.pool import ThreadedConnectionPool
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from corpus import RUNNERS, App, Book, Call
from server import Target

POOLS = Book()
app = POOLS.app
POOL_SIZE = 10
SIZES = (5, 20, 200)
Ask = tuple[str, list[Any]]


class Kit:
    """One of the pools; `tag` goes behind every statement, `other` is the tag of another route."""

    # As `ask`, and the connection is given back at the end of the context.
    hold: Callable[..., AbstractContextManager[list[Any]]]

    def __init__(self, tag: str, mark: str) -> None:
        self.tag = tag
        self.other = tag.replace("',route='", "',route='/other")
        self.mark = mark

    def ask(self, sql: str, *arguments: Any) -> list[Any]:
        return self.together([[(sql + self.tag, list(arguments))]])[0]

    def each(self, sql: str, keys: Iterable[Any]) -> None:
        self.together([[(sql + self.tag, [key])] for key in keys])

    def clients(self, asks: list[list[Ask]], tag: str | None = None) -> None:
        """Requests of their own: each takes a connection for each of its statements."""
        end = self.tag if tag is None else tag
        self.together([[(sql + end, arguments) for sql, arguments in ask] for ask in asks])

    def together(self, asks: list[list[Ask]]) -> list[list[Any]]:
        """Run them at once, the statements of each one after the other; the rows of their last statements."""
        raise NotImplementedError


# --- applications ---


def page(kit: Kit, size: int) -> str:
    return (
        f"SELECT id, name, country_id FROM corpus.authors {kit.mark} WHERE id > $1 ORDER BY id LIMIT {size}"
    )


def books(kit: Kit) -> str:
    return f"SELECT id, title FROM corpus.books {kit.mark} WHERE author_id = $1 ORDER BY id"


def start(n: int) -> int:
    return n * 1013 * 3


def gathered(size: int) -> Callable[[Kit, int], None]:
    def request(kit: Kit, n: int) -> None:
        kit.each(books(kit), [row[0] for row in kit.ask(page(kit, size), start(n))])

    return request


def gathered_while_held(size: int) -> Callable[[Kit, int], None]:
    def request(kit: Kit, n: int) -> None:
        with kit.hold(page(kit, size), start(n)) as rows:
            kit.each(books(kit), [row[0] for row in rows])

    return request


for number in SIZES:
    POOLS.add(f"gather-{number}", gathered(number), "n_plus_one")
    POOLS.add(f"gather-held-{number}", gathered_while_held(number), "n_plus_one")


@app("gather-to-one", "n_plus_one")
def to_one(kit: Kit, n: int) -> None:
    rows = kit.ask(page(kit, 20), start(n))
    kit.each(f"SELECT name FROM corpus.countries {kit.mark} WHERE id = $1", [row[2] for row in rows])


@app("gather-two-children", "n_plus_one")
def two_children(kit: Kit, n: int) -> None:
    rows = kit.ask(page(kit, 20), start(n))
    count = f"SELECT count(*) FROM corpus.books {kit.mark} WHERE author_id = $1"
    kit.clients([[(books(kit), [row[0]]), (count, [row[0]])] for row in rows])


@app("gather-same-page-by-4", "n_plus_one")
def by_four(kit: Kit, n: int) -> None:
    pages = kit.together([[(page(kit, 20) + kit.tag, [start(n)])]] * 4)
    kit.each(books(kit), [row[0] for rows in zip(*pages) for row in rows])


# --- what looks like one and is none ---


@app("details-of-a-list-by-16", near="n_plus_one")
def details(kit: Kit, n: int) -> None:
    rows = kit.ask(page(kit, 16), start(0))
    chosen = random.Random(n)  # noqa: S311 # the same in every run
    kit.clients([[(books(kit), [chosen.choice(rows)[0]])] for _ in range(16)])


@app("list-then-one-by-16", near="n_plus_one")
def one_by_sixteen(kit: Kit, n: int) -> None:
    rows = kit.ask(page(kit, 16), start(0))
    kit.clients([[(page(kit, 16), [start(0)]), (books(kit), [row[0]])] for row in rows])


@app("two-at-once", near="n_plus_one")
def two_at_once(kit: Kit, n: int) -> None:
    first = start(n) + 1013
    kit.clients([[(page(kit, 5), [start(n)]), (books(kit), [first])] for _ in range(2)])


@app("batches-at-once", near="n_plus_one")
def batches(kit: Kit, n: int) -> None:
    keys = [row[0] for row in kit.ask(page(kit, 20), start(n))]
    sql = f"SELECT id, title FROM corpus.books {kit.mark} WHERE author_id = ANY($1) LIMIT 99"
    kit.clients([[(sql, [keys[at : at + 5]])] for at in range(0, 20, 5)])


@app("items-by-requests-of-another-route", near="n_plus_one")
def items(kit: Kit, n: int) -> None:
    """A browser that loads a list and then each of its items, without a tag the same traffic as `gather`."""
    rows = kit.ask(page(kit, 20), start(n))
    kit.clients([[(books(kit), [row[0]])] for row in rows], kit.other)


# --- kits ---


class Looped(Kit):
    """Of asyncio: `run` gives one connection's rows of some statements."""

    def __init__(self, tag: str, mark: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(tag, mark)
        self.loop = loop

    def together(self, asks: list[list[Ask]]) -> list[list[Any]]:
        async def gather() -> list[list[Any]]:
            return await asyncio.gather(*(self.run(ask) for ask in asks))

        return self.loop.run_until_complete(gather())

    def run(self, asks: list[Ask]) -> Coroutine[Any, Any, list[Any]]:
        raise NotImplementedError

    def open(self) -> Any:
        """An asynchronous context of one connection, whose `run_on` gives rows."""
        raise NotImplementedError

    async def run_on(self, connection: Any, ask: Ask) -> list[Any]:
        raise NotImplementedError

    @contextmanager
    def hold(self, sql: str, *arguments: Any) -> Iterator[list[Any]]:
        context = self.open()
        connection = self.loop.run_until_complete(context.__aenter__())
        try:
            yield self.loop.run_until_complete(self.run_on(connection, (sql + self.tag, list(arguments))))
        finally:
            self.loop.run_until_complete(context.__aexit__(None, None, None))


class Pooled(Looped):
    def __init__(self, tag: str, mark: str, loop: asyncio.AbstractEventLoop, pool: Any) -> None:
        super().__init__(tag, mark, loop)
        self.pool = pool

    async def run(self, asks: list[Ask]) -> list[Any]:
        rows: list[Any] = []
        for ask in asks:
            async with self.open() as connection:
                rows = await self.run_on(connection, ask)
        return rows


class Asyncpg(Pooled):
    def open(self) -> Any:
        return self.pool.acquire()

    async def run_on(self, connection: Any, ask: Ask) -> list[Any]:
        return list(await connection.fetch(ask[0], *ask[1]))


class Psycopg3(Pooled):
    def open(self) -> Any:
        return self.pool.connection()

    async def run_on(self, connection: Any, ask: Ask) -> list[Any]:
        done = await connection.execute(re.sub(r"\$\d+", "%s", ask[0]), ask[1])
        return list(await done.fetchall())


class SQLAlchemy(Pooled):
    def open(self) -> Any:
        return AsyncSession(self.pool)

    async def run_on(self, connection: Any, ask: Ask) -> list[Any]:
        sql = text(re.sub(r"\$(\d+)", r":p\1", ask[0]))
        return list(await connection.execute(sql, {f"p{i + 1}": value for i, value in enumerate(ask[1])}))


class Psycopg2(Kit):
    def __init__(self, tag: str, mark: str, pool: Any, threads: ThreadPoolExecutor) -> None:
        super().__init__(tag, mark)
        self.pool = pool
        self.threads = threads

    def run_on(self, connection: Any, ask: Ask) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(re.sub(r"\$\d+", "%s", ask[0]), ask[1])
            return list(cursor.fetchall())

    def run(self, asks: list[Ask]) -> list[Any]:
        rows: list[Any] = []
        for sql, arguments in asks:
            with self.hold_plain(sql, arguments) as found:
                rows = found
        return rows

    def together(self, asks: list[list[Ask]]) -> list[list[Any]]:
        return list(self.threads.map(self.run, asks))

    @contextmanager
    def hold_plain(self, sql: str, arguments: list[Any]) -> Iterator[list[Any]]:
        connection = self.pool.getconn()
        try:
            yield self.run_on(connection, (sql, arguments))
        finally:
            self.pool.putconn(connection)

    @contextmanager
    def hold(self, sql: str, *arguments: Any) -> Iterator[list[Any]]:
        with self.hold_plain(sql + self.tag, list(arguments)) as rows:
            yield rows


def mark_of(each: App) -> str:
    return each.name.replace("-", "_")


def make_requests(make: Callable[[str, str], Kit], calls: Iterable[Call]) -> None:
    for each in calls:
        each.app.request(make(each.tag, mark_of(each.app)), each.n)


def looped(kit: Callable[..., Kit], opened: Callable[[Target], Any]) -> Any:
    """`opened(target)` gives an open pool and what closes it."""

    def run(target: Target, calls: Iterable[Call]) -> None:
        loop = asyncio.new_event_loop()
        pool, close = loop.run_until_complete(opened(target))
        try:
            make_requests(lambda tag, mark: kit(tag, mark, loop, pool), calls)
        finally:
            loop.run_until_complete(close())
            loop.close()

    return run


async def open_asyncpg(target: Target) -> Any:
    pool = await asyncpg.create_pool(**target.asyncpg(), min_size=POOL_SIZE, max_size=POOL_SIZE)
    return pool, pool.close


async def open_psycopg3(target: Target) -> Any:
    pool = AsyncConnectionPool(target.url(), min_size=POOL_SIZE, max_size=POOL_SIZE, open=False)
    await pool.open(wait=True)
    return pool, pool.close


async def open_sqlalchemy(target: Target) -> Any:
    engine = create_async_engine(
        target.url("postgresql+asyncpg"), pool_size=POOL_SIZE, max_overflow=0, pool_timeout=60
    )
    return engine, engine.dispose


def run_threads(target: Target, calls: Iterable[Call]) -> None:
    pool = ThreadedConnectionPool(POOL_SIZE + 1, POOL_SIZE + 1, **target.libpq())
    try:
        with ThreadPoolExecutor(POOL_SIZE) as threads:
            make_requests(lambda tag, mark: Psycopg2(tag, mark, pool, threads), calls)
    finally:
        pool.closeall()


RUNNERS["pool-asyncpg"] = (POOLS, looped(Asyncpg, open_asyncpg))
RUNNERS["pool-psycopg3"] = (POOLS, looped(Psycopg3, open_psycopg3))
RUNNERS["pool-sqlalchemy"] = (POOLS, looped(SQLAlchemy, open_sqlalchemy))
RUNNERS["pool-psycopg2"] = (POOLS, run_threads)
