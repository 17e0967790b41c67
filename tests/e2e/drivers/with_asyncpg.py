from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Awaitable
from typing import Any, Callable

import asyncpg

from drivers import BAD_STATEMENTS, LARGE_ROW_BYTES, NOTICES, TYPES, scenario
from server import Target

AsyncScenario = Callable[[Any], Awaitable[list[Any]]]
ROWS = 5000


def on_connection(name: str, **options: Any) -> Callable[[AsyncScenario], AsyncScenario]:
    """A scenario of one connection, in an event loop of its own."""

    def register(function: AsyncScenario) -> AsyncScenario:
        async def run(target: Target) -> list[Any]:
            connection = await asyncpg.connect(**{**target.asyncpg(), **options})
            try:
                return await function(connection)
            finally:
                await connection.close(timeout=20)

        scenario(name)(lambda target: asyncio.run(run(target)))
        return function

    return register


async def failure(call: Awaitable[Any]) -> list[Any]:
    try:
        await call
    except asyncpg.PostgresError as error:
        names = (
            "severity",
            "sqlstate",
            "message",
            "detail",
            "hint",
            "position",
            "table_name",
            "constraint_name",
        )
        return [type(error).__name__, *(getattr(error, n, None) for n in names)]
    raise AssertionError("no error")


def plain(records: Any) -> list[Any]:
    return [tuple(record.items()) for record in records]


@on_connection("asyncpg_statements")
async def statements(c: Any) -> list[Any]:
    seen: list[Any] = [c.get_server_version(), c.get_settings().server_encoding]
    seen.append(plain(await c.fetch(TYPES)))
    seen.append(await c.execute("CREATE TEMP TABLE t (id serial PRIMARY KEY, name text UNIQUE)"))
    seen.append(plain(await c.fetch("INSERT INTO t (name) VALUES ($1), ($2) RETURNING id, name", "a", "b")))
    seen.append(await c.execute("UPDATE t SET name = name || '!'"))
    seen.append(await c.execute("SELECT 1; SELECT 2"))
    seen.append(tuple(await c.fetchrow("SELECT * FROM t ORDER BY id")))
    seen.append(await c.fetchval("SELECT name FROM t WHERE id = $1", 2))
    seen.append(await c.fetch("SELECT * FROM t WHERE false"))
    seen.append(
        plain(await c.fetch("SELECT $1::int[] AS a, $2::jsonb AS j, $3::bytea AS b", [1, 2], "{}", b"\0\xff"))
    )
    return seen


@on_connection("asyncpg_errors_and_notices")
async def errors(c: Any) -> list[Any]:
    seen: list[Any] = []
    notices: list[Any] = []
    c.add_log_listener(lambda _, m: notices.append([m.severity, m.sqlstate, m.message]))
    for bad in BAD_STATEMENTS:
        seen.append(await failure(c.execute(bad)))
        seen.append(await failure(c.fetch(bad)))
    await c.execute("CREATE TEMP TABLE t (id int PRIMARY KEY)")
    await c.execute("INSERT INTO t VALUES ($1)", 1)
    seen.append(await failure(c.execute("INSERT INTO t VALUES ($1)", 1)))
    seen.append(await failure(c.executemany("INSERT INTO t VALUES ($1)", [(2,), (3,), (1,), (4,)])))
    seen.append(await c.fetchval("SELECT count(*) FROM t"))
    await c.execute(NOTICES)
    seen.append(await c.fetchval("SELECT 'usable'"))
    await asyncio.sleep(0)  # listeners are called from the loop
    return [*seen, notices]


@on_connection("asyncpg_prepared_and_cursors")
async def prepared(c: Any) -> list[Any]:
    seen: list[Any] = []
    statement = await c.prepare("SELECT n, n::text AS t FROM generate_series($1::int, $2::int) n")
    seen.append([(a.name, a.type.name) for a in statement.get_attributes()])
    seen.append([p.name for p in statement.get_parameters()])
    seen.append([plain(await statement.fetch(1, 3)), statement.get_statusmsg()])
    seen.append(tuple(await statement.fetchrow(7, 9)))
    async with c.transaction():
        seen.append([tuple(r) async for r in c.cursor("SELECT * FROM generate_series(1, 500)", prefetch=50)])
        cursor = await statement.cursor(1, 100)
        seen.append([tuple(r) for r in await cursor.fetch(5)])
        seen.append(await cursor.forward(10))
        seen.append(tuple(await cursor.fetchrow()))
        seen.append(len(await cursor.fetch(1000)))
    seen.append(await failure(c.prepare("SELECT nope")))
    return seen


@on_connection("asyncpg_executemany")
async def executemany(c: Any) -> list[Any]:
    await c.execute("CREATE TEMP TABLE t (id int, name text)")
    await c.executemany("INSERT INTO t VALUES ($1, $2)", [(n, f"name {n}" * 10) for n in range(ROWS)])
    many = await c.fetchmany("UPDATE t SET name = $2 WHERE id = $1 RETURNING id, name", [(1, "x"), (2, "y")])
    return [plain(many), plain(await c.fetch("SELECT count(*), sum(id), sum(length(name)) FROM t"))]


@on_connection("asyncpg_copy_both_ways")
async def copy(c: Any) -> list[Any]:
    seen: list[Any] = [await c.execute("CREATE TEMP TABLE t (id int, name text)")]
    seen.append(await c.copy_records_to_table("t", records=[(n, f"name {n}") for n in range(ROWS)]))
    seen.append(await c.copy_to_table("t", source=io.BytesIO(b"1\tx\n2\t\\N\n")))
    out = io.BytesIO()
    seen.append(
        await c.copy_from_query("SELECT * FROM t ORDER BY id, name LIMIT $1", 1000, output=out, format="csv")
    )
    seen.append(out.getvalue())
    out = io.BytesIO()
    seen.append(await c.copy_from_table("t", output=out, format="binary"))
    seen.append(len(out.getvalue()))
    seen.append(await failure(c.copy_to_table("t", source=io.BytesIO(b"nonsense\tx\n"))))
    seen.append(
        await failure(
            c.copy_from_query("SELECT 1 / (5 - n) FROM generate_series(1, 9) n", output=io.BytesIO())
        )
    )
    seen.append(await c.fetchval("SELECT count(*) FROM t"))
    return seen


@on_connection("asyncpg_transactions_and_savepoints")
async def transactions(c: Any) -> list[Any]:
    seen: list[Any] = []
    await c.execute("CREATE TEMP TABLE t (id int)")
    async with c.transaction(isolation="serializable"):
        await c.execute("INSERT INTO t VALUES (1)")
        try:
            async with c.transaction():
                await c.execute("INSERT INTO t VALUES (2)")
                raise ValueError("back to the savepoint")
        except ValueError:
            seen.append(c.is_in_transaction())
        try:
            async with c.transaction():
                seen.append(await failure(c.execute("SELECT 1/0")))
                seen.append(await failure(c.execute("SELECT 1")))
                raise ValueError("out of the failed one")
        except ValueError:
            seen.append(await c.fetchval("SELECT count(*) FROM t"))
    seen.append(plain(await c.fetch("SELECT * FROM t ORDER BY id")))
    transaction = c.transaction(readonly=True)
    await transaction.start()
    seen.append(await failure(c.execute("CREATE TABLE never (id int)")))
    await transaction.rollback()
    return [*seen, c.is_in_transaction()]


@on_connection("asyncpg_statement_cache", statement_cache_size=5)
async def cache(c: Any) -> list[Any]:
    seen: list[Any] = []
    for n in range(60):
        seen.append(await c.fetchval(f"SELECT $1::int + {n % 12}", n))
    seen.append(await c.fetchval("SELECT count(*) <= 6 FROM pg_prepared_statements"))
    await c.execute("CREATE TEMP TABLE t AS SELECT 1 AS id")
    seen.append(plain(await c.fetch("SELECT * FROM t")))
    await c.execute("ALTER TABLE t ADD COLUMN name text DEFAULT 'new'")
    seen.append(plain(await c.fetch("SELECT * FROM t")))  # prepared again after "cached plan must not change"
    await c.execute("DEALLOCATE ALL")
    await c.reload_schema_state()
    seen.append(await c.fetchval(f"SELECT $1::int + {59 % 12}", 1))
    return seen


@on_connection("asyncpg_type_lookups")
async def types(c: Any) -> list[Any]:
    await c.execute("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'happy')")
    await c.execute("CREATE TYPE pg_temp.pair AS (n int, m pg_temp.mood)")
    row = await c.fetchrow(
        "SELECT 'sad'::pg_temp.mood, ROW(1, 'happy')::pg_temp.pair, ARRAY['sad']::pg_temp.mood[]"
    )
    return [row[0], tuple(row[1]), row[2]]


@on_connection("asyncpg_cancel_by_timeout")
async def timeout(c: Any) -> list[Any]:
    seen: list[Any] = []
    for _ in range(3):
        try:
            await c.fetch("SELECT pg_sleep(60)", timeout=0.3)
        except asyncio.TimeoutError:
            seen.append("timeout")
        seen.append(await c.fetchval("SELECT 'still here'"))
    return seen


@on_connection("asyncpg_row_of_64_mib")
async def large_row(c: Any) -> list[Any]:
    sent = b"\xff\0 pgsleuth" * (LARGE_ROW_BYTES // 11)
    back = await c.fetchval("SELECT $1::bytea", sent)
    return [hashlib.sha256(back).hexdigest(), len(back)]


@scenario("asyncpg_listen")
def listen(target: Target) -> list[Any]:
    async def run() -> list[Any]:
        listener = await asyncpg.connect(**target.asyncpg())
        speaker = await asyncpg.connect(**target.asyncpg())
        heard: asyncio.Queue[Any] = asyncio.Queue()
        await listener.add_listener(
            "news", lambda _, pid, channel, text: heard.put_nowait((pid, channel, text))
        )
        for n in range(3):
            await speaker.execute("SELECT pg_notify('news', $1)", f"payload {n}")
        found = [await asyncio.wait_for(heard.get(), 30) for _ in range(3)]
        pid = speaker.get_server_pid()
        await listener.close()
        await speaker.close()
        return [(who == pid, channel, text) for who, channel, text in found]

    return asyncio.run(run())


@scenario("asyncpg_pool_concurrent")
def pool(target: Target) -> list[Any]:
    async def one(pool: Any, n: int) -> Any:
        async with pool.acquire() as connection, connection.transaction():
            return await connection.fetchval("SELECT $1::int * 2", n)

    async def run() -> list[Any]:
        async with asyncpg.create_pool(**target.asyncpg(), min_size=2, max_size=6) as pool:
            return list(await asyncio.gather(*(one(pool, n) for n in range(100))))

    return asyncio.run(run())
