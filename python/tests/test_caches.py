"""Drivers' statement caches still hit with tags on: counted by the server and by the drivers themselves."""

from __future__ import annotations

import asyncio

import pytest
from served import DSN, Served, needs_server

pytestmark = needs_server
ROUNDS = 40
PREPARED = (
    "SELECT statement, generic_plans + custom_plans FROM pg_prepared_statements "
    "WHERE statement LIKE 'SELECT $1%'"
)


def requests():
    """Many requests of one route: what differs between them must not reach the text."""
    for number in range(ROUNDS):
        trace = f"00-{number + 1:032x}-00f067aa0ba902b7-01"
        yield Served(request_id=f"request-{number}", traceparent=trace), number


def assert_prepared_once(rows, executions):
    ((statement, uses),) = rows
    assert "route='/%C3%A9t%C3%A9/{id}/100%25'*/" in statement
    assert uses == executions


def test_psycopg_prepared_statement_is_used_again():
    pytest.importorskip("psycopg")
    from pgsleuth_tags.psycopg import TaggedConnection

    with TaggedConnection.connect(DSN, autocommit=True) as connection:
        for request, number in requests():
            with request:
                value = connection.execute("SELECT %s::int + 0", (number,)).fetchone()[0]
            assert value == number
        rows = connection.cursor().execute(PREPARED, prepare=False).fetchall()
        # The first executions, up to the threshold, are not prepared.
        assert_prepared_once(rows, ROUNDS - connection.prepare_threshold)
        assert len(connection._prepared._names) == 1


def test_psycopg_executemany_prepares_once():
    pytest.importorskip("psycopg")
    from pgsleuth_tags.psycopg import TaggedConnection

    with TaggedConnection.connect(DSN, autocommit=True) as connection:
        for request, number in requests():
            with request, connection.cursor() as cursor:
                cursor.executemany("SELECT %s::int + 1", [(number,), (number,)])
        assert_prepared_once(connection.execute(PREPARED).fetchall(), 2 * ROUNDS)


def test_psycopg_async_prepared_statement_is_used_again():
    pytest.importorskip("psycopg")
    from pgsleuth_tags.psycopg import TaggedAsyncConnection

    async def run():
        async with await TaggedAsyncConnection.connect(DSN, autocommit=True) as connection:
            for request, number in requests():
                with request:
                    await connection.execute("SELECT %s::int + 2", (number,))
            rows = await (await connection.execute(PREPARED)).fetchall()
            return rows, connection.prepare_threshold

    rows, threshold = asyncio.run(run())
    assert_prepared_once(rows, ROUNDS - threshold)


def test_asyncpg_statement_cache_is_used_again():
    asyncpg = pytest.importorskip("asyncpg")
    from pgsleuth_tags.asyncpg import TaggedConnection

    async def run():
        async with asyncpg.create_pool(
            DSN, connection_class=TaggedConnection, min_size=1, max_size=1
        ) as pool:
            for request, number in requests():
                with request:
                    async with pool.acquire() as connection:
                        assert await connection.fetchval("SELECT $1::int + 3", number) == number + 3
            async with pool.acquire() as connection:
                cached = [statement.query for statement in connection._con._stmt_cache.iter_statements()]
                return await connection.fetch(PREPARED), cached

    rows, cached = asyncio.run(run())
    assert_prepared_once([tuple(row) for row in rows], ROUNDS)
    assert len(cached) == 1


def test_two_lines_and_two_routes_are_four_texts():
    pytest.importorskip("psycopg")
    from pgsleuth_tags.psycopg import TaggedConnection

    with TaggedConnection.connect(DSN, autocommit=True, prepare_threshold=0) as connection:
        for route in ("/a", "/b", "/a", "/b"):
            with Served(route):
                connection.execute("SELECT %s::int", (1,))
                connection.execute("SELECT %s::int", (1,))
        rows = connection.cursor().execute(PREPARED, prepare=False).fetchall()
    assert [uses for _statement, uses in rows] == [2, 2, 2, 2]
