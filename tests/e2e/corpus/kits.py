"""Drivers under one roof: a request asks and runs SQL with $1, $2, and may begin and end transactions."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any, Callable

import asyncpg
import psycopg
import psycopg2

from corpus import RUNNERS, App
from corpus.plain import PLAIN
from server import Target


class DBAPI:
    """psycopg2 and psycopg 3. Without autocommit the driver itself opens a transaction."""

    def __init__(self, connection: Any, tag: str) -> None:
        self.connection = connection
        self.tag = tag

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

    def end_request(self) -> None:
        if not self.connection.autocommit:
            self.connection.rollback()


def run_dbapi(connect: Callable[[Target], Any], autocommit: bool) -> Any:
    def run(target: Target, apps: Iterable[App], tag: Callable[[App], str]) -> None:
        connection = connect(target)
        connection.autocommit = autocommit
        try:
            for app in apps:
                for n in range(app.times):
                    kit = DBAPI(connection, tag(app))
                    app.request(kit, n)
                    kit.end_request()
        finally:
            connection.close()

    return run


class Asyncpg:
    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Any, tag: str) -> None:
        self.loop = loop
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


def run_asyncpg(target: Target, apps: Iterable[App], tag: Callable[[App], str]) -> None:
    loop = asyncio.new_event_loop()

    async def make() -> Any:
        return await asyncpg.create_pool(**target.asyncpg(), min_size=1, max_size=1)

    pool = loop.run_until_complete(make())
    try:
        for app in apps:
            for n in range(app.times):
                connection = loop.run_until_complete(pool.acquire())
                try:
                    app.request(Asyncpg(loop, connection, tag(app)), n)
                finally:
                    loop.run_until_complete(pool.release(connection))
    finally:
        loop.run_until_complete(pool.close())
        loop.close()


RUNNERS["psycopg2"] = (PLAIN, run_dbapi(lambda target: psycopg2.connect(**target.libpq()), False))
RUNNERS["psycopg3"] = (PLAIN, run_dbapi(lambda target: psycopg.connect(**target.libpq()), False))
RUNNERS["psycopg3-autocommit"] = (PLAIN, run_dbapi(lambda target: psycopg.connect(**target.libpq()), True))
RUNNERS["asyncpg"] = (PLAIN, run_asyncpg)
