"""Against a real server: set PGSLEUTH_TEST_DSN (postgresql://...) or these are skipped."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

asyncpg = pytest.importorskip("asyncpg")
sqlalchemy = pytest.importorskip("sqlalchemy")
pytest.importorskip("psycopg")

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine

from pgsleuth_tags import current_endpoint
from pgsleuth_tags.asyncpg import TaggedConnection, tagged_connection_class
from pgsleuth_tags.sqlalchemy import instrument

DSN = os.environ.get("PGSLEUTH_TEST_DSN", "")
HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(not DSN, reason="PGSLEUTH_TEST_DSN is not set")

# What the server has in its hands while it runs the statement, the comment included.
ASK = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"
ROUTE = "/été/{id}/100%"


class _Endpoint:
    def tags(self):
        return ("fastapi", "GET", ROUTE)


@pytest.fixture(autouse=True)
def _serving():
    token = current_endpoint.set(_Endpoint())
    yield
    current_endpoint.reset(token)


def expected(function, doubled=False):
    route = "/%C3%A9t%C3%A9/{id}/100%25"
    return (
        f"code.function.name='{function}'",
        f"framework='fastapi',method='GET',route='{route.replace('%', '%%') if doubled else route}'*/",
    )


def assert_tagged(sent, function):
    for part in expected(function):
        assert part in sent
    assert "code.file.path='test_drivers.py'" in sent


def url(driver):
    return DSN.replace("postgresql://", f"postgresql+{driver}://", 1)


def test_sqlalchemy_psycopg_percent_arrives_single():
    # pg_stat_activity is looked at once a transaction.
    engine = sqlalchemy.create_engine(url("psycopg"), isolation_level="AUTOCOMMIT")
    instrument(engine, root=HERE)
    with engine.connect() as connection:
        assert_tagged(
            connection.execute(text(ASK)).scalar_one(), "test_sqlalchemy_psycopg_percent_arrives_single"
        )
        sent = connection.execute(text(ASK + " AND :a = '%'"), {"a": "%"}).scalar_one()
        assert_tagged(sent, "test_sqlalchemy_psycopg_percent_arrives_single")
        bare = connection.execution_options(no_parameters=True).exec_driver_sql(ASK).scalar_one()
        assert_tagged(bare, "test_sqlalchemy_psycopg_percent_arrives_single")
    engine.dispose()


def test_sqlalchemy_instrument_twice_tags_once():
    engine = sqlalchemy.create_engine(url("psycopg"))
    instrument(engine, root=HERE)
    instrument(engine, root=HERE)
    with engine.connect() as connection:
        assert connection.execute(text(ASK)).scalar_one().count("/*") == 1
    engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_sqlalchemy_async_finds_the_awaiting_caller(driver):
    async def ask(engine):
        async with engine.connect() as connection:
            return (await connection.execute(text(ASK))).scalar_one()

    async def run():
        engine = create_async_engine(url(driver))
        instrument(engine, root=HERE)
        sent = await ask(engine)
        await engine.dispose()
        return sent

    assert_tagged(asyncio.run(run()), "ask")


def test_sqlalchemy_psycopg_statement_cache_still_hits():
    engine = sqlalchemy.create_engine(url("psycopg"))
    instrument(engine, root=HERE)
    with engine.connect() as connection:
        for i in range(20):
            connection.execute(text("SELECT CAST(:i AS int)"), {"i": i})
        connection.info["raw"] = connection.connection.driver_connection
        rows = connection.exec_driver_sql(
            "SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'SELECT CAST(%%'"
        ).all()
    engine.dispose()
    assert len(rows) == 1
    assert "/*code.file.path=" in rows[0][0]


def test_sqlalchemy_asyncpg_statement_cache_still_hits():
    async def run():
        engine = create_async_engine(url("asyncpg"))
        instrument(engine, root=HERE)
        texts = set()
        event.listen(
            engine.sync_engine,
            "after_cursor_execute",
            lambda _c, _cur, statement, *_rest: texts.add(statement),
        )
        async with engine.connect() as connection:
            for i in range(20):
                await connection.execute(text("SELECT CAST(:i AS int)"), {"i": i})
            rows = await connection.execute(
                text("SELECT count(*) FROM pg_prepared_statements WHERE statement ~ 'CAST'")
            )
            count = rows.scalar_one()
        await engine.dispose()
        return texts, count

    texts, count = asyncio.run(run())
    assert len(texts) == 2
    # The counting statement is prepared too, and names CAST itself.
    assert count == 2


def test_asyncpg_tags_each_method():
    async def run():
        pool = await asyncpg.create_pool(
            DSN, connection_class=tagged_connection_class(HERE), min_size=1, max_size=2
        )
        async with pool, pool.acquire() as con:
            sent = [
                (await con.fetch(ASK))[0][0],
                (await con.fetchrow(ASK))[0],
                await con.fetchval(ASK),
                await (await con.prepare(ASK)).fetchval(),
                await pool.fetchval(ASK),
            ]
            async with con.transaction():
                sent += [row[0] async for row in con.cursor(ASK)]
            await con.execute("CREATE TEMP TABLE sent (query text)")
            await con.execute(f"INSERT INTO sent {ASK}")
            await con.executemany(f"INSERT INTO sent {ASK} AND $1 > 0", [(1,)])
            stored = await con.fetch("SELECT query FROM sent")
            return sent + [row[0] for row in stored]

    for sent in asyncio.run(run()):
        assert_tagged(sent, "run")


def test_asyncpg_finds_the_caller_under_gather():
    async def run():
        con = await asyncpg.connect(DSN, connection_class=tagged_connection_class(HERE))
        (sent,) = await asyncio.gather(con.fetchval(ASK))
        await con.close()
        return sent

    assert_tagged(asyncio.run(run()), "run")


def test_asyncpg_own_statements_stay_untagged():
    async def run():
        con = await asyncpg.connect(DSN, connection_class=TaggedConnection)
        seen = []
        con.add_query_logger(lambda record: seen.append(record.query))
        async with con.transaction():
            await con.execute("SELECT 1")
        await con.reset()
        await con.close()
        return seen

    seen = asyncio.run(run())
    assert [query for query in seen if "/*" in query] == [
        query for query in seen if query.startswith("SELECT 1")
    ]
    assert any(query.startswith("BEGIN") for query in seen)


def test_asyncpg_statement_cache_still_hits():
    async def run():
        con = await asyncpg.connect(DSN, connection_class=TaggedConnection)
        for i in range(20):
            await con.fetchval("SELECT $1::int", i)
        count = await con.fetchval(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT $1::int%'"
        )
        await con.close()
        return count

    assert asyncio.run(run()) == 1
