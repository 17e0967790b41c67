"""Each way to PostgreSQL sends a known number of statements; the count of the test is held against it."""

import asyncio
import os

import asyncpg
import psycopg
import psycopg2
import psycopg2.extras
import psycopg_pool
import pytest
import sqlalchemy
from psycopg import sql
from sqlalchemy.ext.asyncio import create_async_engine

DSN = os.environ["DATABASE_URL"]
ONE = "SELECT name FROM things WHERE id = {}"
MANY = [(number, f"thing {number}") for number in range(3)]


@pytest.fixture(autouse=True, scope="session")
def _things():
    with psycopg.connect(DSN, autocommit=True) as connection:
        connection.execute("CREATE TABLE things (id integer, name text)")
        connection.execute("INSERT INTO things VALUES (1, 'one'), (2, 'two')")


@pytest.fixture(autouse=True)
def _counted(request, pgsleuth):
    """Held against what pgsleuth itself has counted by the test that runs this one."""
    yield
    with open("expected.txt", "a", encoding="utf-8") as file:
        file.write(f"{request.node.nodeid} {request.node.expected}\n")


@pytest.fixture
def expect(request, pgsleuth):
    def check(number):
        request.node.expected = number
        assert pgsleuth.count == number, [(query.shape, query.where) for query in pgsleuth.queries]
        assert {query.where.split(":")[0] for query in pgsleuth.queries} == {"test_drivers.py"}

    return check


def test_psycopg(expect):
    with psycopg.connect(DSN) as connection:
        connection.execute("SET application_name = 'x'")
        connection.execute(ONE.format("%s"), (1,))
        cursor = connection.cursor()
        cursor.executemany("INSERT INTO things VALUES (%s, %s)", iter(MANY))
        with connection.transaction():
            cursor.execute(sql.SQL("SELECT {} FROM things").format(sql.Identifier("name")))
        assert len(list(cursor.stream("SELECT id FROM things"))) == 5
        with cursor.copy(b"COPY things TO STDOUT") as copy:
            assert len(list(copy.rows())) == 5
        with connection.cursor("named") as named:
            assert len(named.execute("SELECT name FROM things").fetchall()) == 5
        connection.rollback()
    # In the server's cursor the DECLARE; what fetches from it is the driver's.
    expect(8)


def test_psycopg_pool_and_async(expect):
    async def main():
        async with psycopg_pool.AsyncConnectionPool(
            DSN, min_size=1, open=False, check=psycopg_pool.AsyncConnectionPool.check_connection
        ) as pool:
            for number in (1, 2):
                async with pool.connection() as connection:
                    await connection.execute(ONE.format("%s"), (number,))
            async with pool.connection() as connection, connection.cursor() as cursor:
                await cursor.executemany("INSERT INTO things VALUES (%s, %s)", MANY)
                await connection.rollback()

    asyncio.run(main())
    expect(5)


def test_psycopg2(expect):
    connection = psycopg2.connect(DSN)
    with connection, connection.cursor() as cursor:
        cursor.execute(ONE.format("%s"), (1,))
        cursor.executemany("INSERT INTO things VALUES (%s, %s)", iter(MANY))
        with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as rows:
            rows.execute(ONE.format(2))
            assert rows.fetchone() == {"name": "two"}
        connection.rollback()
    connection.close()
    expect(5)


def test_asyncpg(expect):
    async def main():
        async with asyncpg.create_pool(DSN, min_size=1, max_size=1) as pool:
            async with pool.acquire() as connection:
                assert await connection.fetchval(ONE.format("$1"), 1) == "one"
                await connection.fetch("SELECT id FROM things")
                await connection.fetchrow("SELECT id FROM things LIMIT 1")
                await connection.execute("SELECT name FROM things LIMIT 2")
            async with pool.acquire() as connection, connection.transaction():
                prepared = await connection.prepare(ONE.format("$1"))
                assert await prepared.fetchval(2) == "two"
                assert [dict(row) for row in await prepared.fetch(1)] == [{"name": "one"}]
                assert len([row async for row in connection.cursor("SELECT id FROM things")]) == 2
            async with pool.acquire() as connection:
                await connection.executemany(
                    "UPDATE things SET name = name WHERE id = $1", [(7,), (8,), (9,)]
                )

    asyncio.run(main())
    expect(10)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_sqlalchemy(driver, expect):
    engine = sqlalchemy.create_engine(
        DSN.replace("postgresql://", f"postgresql+{driver}://", 1), pool_pre_ping=True
    )
    for number in (1, 2):
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text(ONE.format(":id")), {"id": number}).one()
            statement = sqlalchemy.text("UPDATE things SET name = name WHERE id = :id")
            connection.execute(statement, [{"id": 7}, {"id": 8}, {"id": 9}])
            connection.rollback()
    engine.dispose()
    expect(8)


def test_sqlalchemy_asyncpg(expect):
    async def main():
        engine = create_async_engine(
            DSN.replace("postgresql://", "postgresql+asyncpg://", 1), pool_pre_ping=True
        )
        for number in (1, 2):
            async with engine.connect() as connection:
                await connection.execute(sqlalchemy.text(ONE.format(":id")), {"id": number})
                await connection.execute(sqlalchemy.text("SELECT count(*) FROM things"))
        await engine.dispose()

    asyncio.run(main())
    expect(4)


def test_threads(expect):
    import threading

    def work():
        with psycopg.connect(DSN) as connection:
            for _ in range(20):
                connection.execute(ONE.format("%s"), (1,))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(80)
