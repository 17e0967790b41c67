"""Drivers under one roof: a request asks and runs SQL with $1, $2, and may begin and end transactions.

`new` gives a second connection of the same driver for as long as it is wanted. `word` is a name of the kit
that SQL takes: in a statement it makes it one of this kit's own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Callable

import asyncpg
import psycopg
import psycopg2

from corpus import RUNNERS, Call, Runner
from corpus.connections import EXTENDED, POOL, SIMPLE
from corpus.plain import PLAIN
from server import Target

Connect = Callable[[Target], Any]


class DBAPI:
    """psycopg2 and psycopg 3. Without autocommit the driver itself opens a transaction."""

    def __init__(self, connect: Callable[[], Any], autocommit: bool) -> None:
        self.connect = connect
        self.connection = connect()
        self.connection.autocommit = autocommit
        self.tag = ""

    @property
    def word(self) -> str:
        return type(self.connection).__module__.partition(".")[0] + "_" * self.connection.autocommit

    def ask(self, sql: str, *arguments: Any) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(re.sub(r"\$\d+", "%s", sql) + self.tag, arguments or None)
            return list(cursor.fetchall()) if cursor.description else []

    def fails(self, sql: str, *arguments: Any) -> None:
        try:
            self.ask(sql, *arguments)
        except (psycopg2.Error, psycopg.Error):
            return
        raise AssertionError(f"no error from {sql}")

    def begin(self) -> None:
        if self.connection.autocommit:
            self.ask("BEGIN")

    def commit(self) -> None:
        self.ask("COMMIT") if self.connection.autocommit else self.connection.commit()

    def rollback(self) -> None:
        self.ask("ROLLBACK") if self.connection.autocommit else self.connection.rollback()

    @contextmanager
    def new(self) -> Iterator[DBAPI]:
        other = DBAPI(self.connect, self.connection.autocommit)
        other.tag = self.tag
        try:
            yield other
            other.end_request()
        finally:
            other.connection.close()

    def end_request(self) -> None:
        if not self.connection.autocommit:
            self.connection.rollback()


def run_dbapi(connect: Connect, autocommit: bool = False) -> Runner:
    def run(target: Target, calls: Iterable[Call]) -> None:
        kit = DBAPI(lambda: connect(target), autocommit)
        try:
            for each in calls:
                kit.tag = each.tag
                each.app.request(kit, each.n)
                kit.end_request()
        finally:
            kit.connection.close()

    return run


class Asyncpg:
    word = "asyncpg"

    def __init__(
        self, loop: asyncio.AbstractEventLoop, target: Target, pool: Any, connection: Any, tag: str
    ) -> None:
        self.loop = loop
        self.target = target
        self.pool = pool
        self.connection = connection
        self.tag = tag

    def ask(self, sql: str, *arguments: Any) -> list[Any]:
        return [
            tuple(row)
            for row in self.loop.run_until_complete(self.connection.fetch(sql + self.tag, *arguments))
        ]

    def fails(self, sql: str, *arguments: Any) -> None:
        try:
            self.ask(sql, *arguments)
        except asyncpg.PostgresError:
            return
        raise AssertionError(f"no error from {sql}")

    def begin(self) -> None:
        self.loop.run_until_complete(self.connection.execute("BEGIN;"))

    def commit(self) -> None:
        self.loop.run_until_complete(self.connection.execute("COMMIT;"))

    def rollback(self) -> None:
        self.loop.run_until_complete(self.connection.execute("ROLLBACK;"))

    def at_once(self, *statements: str) -> None:
        """Each on a connection of its own."""

        async def ask() -> None:
            await asyncio.gather(*(self.pool.fetch(sql + self.tag) for sql in statements))

        self.loop.run_until_complete(ask())

    def walk(self, sql: str, size: int) -> int:
        """The number of rows, taken by a portal, `size` at a time."""

        async def count() -> int:
            async with self.connection.transaction():
                return sum([1 async for _ in self.connection.cursor(sql + self.tag, prefetch=size)])

        return self.loop.run_until_complete(count())

    @contextmanager
    def new(self) -> Iterator[Asyncpg]:
        connection = self.loop.run_until_complete(asyncpg.connect(**self.target.asyncpg()))
        try:
            yield Asyncpg(self.loop, self.target, self.pool, connection, self.tag)
        finally:
            self.loop.run_until_complete(connection.close())


def run_asyncpg(target: Target, calls: Iterable[Call]) -> None:
    loop = asyncio.new_event_loop()

    async def make() -> Any:
        return await asyncpg.create_pool(**target.asyncpg(), min_size=1, max_size=5)

    pool = loop.run_until_complete(make())
    try:
        for each in calls:
            connection = loop.run_until_complete(pool.acquire())
            try:
                each.app.request(Asyncpg(loop, target, pool, connection, each.tag), each.n)
            finally:
                loop.run_until_complete(pool.release(connection))
    finally:
        loop.run_until_complete(pool.close())
        loop.close()


def with_psycopg2(target: Target) -> Any:
    return psycopg2.connect(**target.libpq())


def with_psycopg3(target: Target) -> Any:
    return psycopg.connect(**target.libpq())


RUNNERS["psycopg2"] = (PLAIN, run_dbapi(with_psycopg2))
RUNNERS["psycopg3"] = (PLAIN, run_dbapi(with_psycopg3))
RUNNERS["psycopg3-autocommit"] = (PLAIN, run_dbapi(with_psycopg3, autocommit=True))
RUNNERS["asyncpg"] = (PLAIN, run_asyncpg)
RUNNERS["psycopg2-text"] = (SIMPLE, run_dbapi(with_psycopg2))
RUNNERS["psycopg3-text"] = (EXTENDED, run_dbapi(with_psycopg3))
RUNNERS["psycopg3-autocommit-text"] = (EXTENDED, run_dbapi(with_psycopg3, autocommit=True))
RUNNERS["asyncpg-text"] = (EXTENDED, run_asyncpg)
RUNNERS["asyncpg-pool"] = (POOL, run_asyncpg)
