from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import psycopg
import psycopg_pool
from psycopg import rows, sql
from psycopg.types.json import Jsonb

from drivers import BAD_STATEMENTS, LARGE_ROW_BYTES, NOTICES, TYPES, repeatedly, scenario
from server import Target

ROWS = 3000


def connect(target: Target, **more: Any) -> psycopg.Connection[Any]:
    return psycopg.connect(**target.libpq(), **more)


def described(cursor: psycopg.Cursor[Any]) -> list[Any]:
    columns = [(c.name, c.type_code, c.internal_size, c.precision, c.scale) for c in cursor.description or ()]
    return [columns, cursor.rowcount, cursor.statusmessage]


def told(error: psycopg.Error) -> list[Any]:
    diag = error.diag
    names = (
        "severity",
        "sqlstate",
        "message_primary",
        "message_detail",
        "message_hint",
        "statement_position",
    )
    return [type(error).__name__, *(getattr(diag, n) for n in names), diag.table_name, diag.constraint_name]


def failure(cursor: Any, statement: str, arguments: Any = None, **more: Any) -> list[Any]:
    try:
        cursor.execute(statement, arguments, **more)
    except psycopg.Error as error:
        return told(error)
    raise AssertionError(f"no error from {statement}")


def statements(cursor_factory: Any, target: Target) -> list[Any]:
    seen: list[Any] = []
    with connect(target, cursor_factory=cursor_factory) as connection:
        notices: list[Any] = []
        connection.add_notice_handler(
            lambda d: notices.append([d.severity, d.message_primary, d.message_hint])
        )
        cursor = connection.cursor()
        seen.append(
            [connection.info.server_version, connection.info.encoding, connection.info.transaction_status]
        )
        cursor.execute(TYPES)
        seen.append([cursor.fetchall(), described(cursor)])
        for small in (1, -1, 40000, 2**40, 2**70):
            cursor.execute("SELECT %s + 1, %s", (small, "it's"))
            seen.append([cursor.fetchall(), described(cursor)])
        cursor.execute("SELECT %s::jsonb, %s::bytea, %s::int[]", (Jsonb({"a": [1]}), b"\0\xff", [1, 2]))
        seen.append(cursor.fetchall())
        cursor.execute("CREATE TEMP TABLE t (id serial PRIMARY KEY, name text UNIQUE)")
        cursor.execute("INSERT INTO t (name) VALUES (%s), (%s) RETURNING id", ("a", "b"))
        seen.append([cursor.fetchall(), described(cursor)])
        cursor.execute(NOTICES)
        seen.append(notices)
        connection.commit()
        for bad in BAD_STATEMENTS:
            seen.append([failure(cursor, bad), connection.info.transaction_status])
            connection.rollback()
        seen.append(failure(cursor, "INSERT INTO t (name) VALUES (%s)", ("a",)))
        connection.rollback()
        cursor.execute("")
        seen.append([described(cursor), connection.info.transaction_status])
        with connection.transaction(), connection.transaction() as inner:
            cursor.execute("DELETE FROM t")
            raise psycopg.Rollback(inner)
        cursor.execute("SELECT count(*) FROM t")
        seen.append(cursor.fetchall())
    return seen


@scenario("psycopg3_server_binding")
def server_binding(target: Target) -> list[Any]:
    return statements(psycopg.Cursor, target)


@scenario("psycopg3_client_binding")
def client_binding(target: Target) -> list[Any]:
    return statements(psycopg.ClientCursor, target)


@scenario("psycopg3_raw_binding")
def raw_binding(target: Target) -> list[Any]:
    with connect(target, cursor_factory=psycopg.RawCursor) as connection:
        cursor = connection.execute("SELECT $1::int + $2::int, $1", (1, 2))
        return [cursor.fetchall(), described(cursor)]


@scenario("psycopg3_multiple_results")
def multiple_results(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connect(target) as connection:
        cursor = connection.execute(
            "SELECT 1 AS a; SELECT 'x' AS b, 2; CREATE TEMP TABLE t (id int); SELECT 3"
        )
        while True:
            seen.append([described(cursor), cursor.fetchall() if cursor.description else None])
            if not cursor.nextset():
                return seen


@scenario("psycopg3_prepared")
def prepared(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connect(target, prepare_threshold=2) as connection:
        connection.prepared_max = 5
        for n in range(40):
            # Twelve texts, so that prepared statements are evicted, and two types of the parameter.
            value = n if n % 2 else n + 100000
            cursor = connection.execute(f"SELECT %s + {n % 12} AS c", (value,))
            seen.append([cursor.fetchall(), described(cursor)])
        names = connection.execute("SELECT count(*) FROM pg_prepared_statements", prepare=True)
        seen.append(names.fetchall())
        seen.append(failure(connection, "SELECT 1 / %s", (0,), prepare=True))
        connection.rollback()  # sends DEALLOCATE ALL
        for n in range(6):
            seen.append(connection.execute("SELECT %s + 1", (n,), prepare=True).fetchall())
        connection.execute("DEALLOCATE ALL")
        seen.append(connection.execute("SELECT %s + 1", (1,), prepare=True).fetchall())
        connection.execute("PREPARE mine AS SELECT $1::int * 2")
        seen.append(connection.execute("EXECUTE mine(21)").fetchall())
        connection.execute("DISCARD ALL") if connection.autocommit else connection.commit()
    return seen


def failed_pipeline(connection: psycopg.Connection[Any]) -> list[Any]:
    """Which line raises depends on when the answer comes; what it raises does not."""
    try:
        with connection.pipeline():
            connection.execute("INSERT INTO t VALUES (%s)", (1000,))
            connection.execute("INSERT INTO t VALUES (%s)", (1,))
            connection.execute("SELECT count(*) FROM t").fetchall()
    except psycopg.errors.UniqueViolation as error:
        return told(error)
    raise AssertionError("no error")


@scenario("psycopg3_pipeline")
def pipeline(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connect(target, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE t (id int PRIMARY KEY)")
        with connection.pipeline() as pipe:
            cursors = [connection.execute("INSERT INTO t VALUES (%s) RETURNING id", (n,)) for n in range(200)]
            pipe.sync()
            cursors += [connection.execute("SELECT %s || 'x'", (str(n),)) for n in range(200)]
        seen.append([[c.fetchall(), described(c)] for c in cursors])
        seen.append([failed_pipeline(connection), connection.info.transaction_status])
        seen.append(connection.execute("SELECT count(*), max(id) FROM t").fetchall())
        with connection.pipeline(), connection.transaction():
            connection.execute("INSERT INTO t VALUES (2000)")
        seen.append(connection.execute("SELECT count(*) FROM t").fetchall())
    return seen


@scenario("psycopg3_executemany")
def executemany(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE t (id int, name text)")
        data = [(n, f"name {n}" if n % 7 else None) for n in range(ROWS)]
        cursor.executemany("INSERT INTO t VALUES (%s, %s)", data)
        seen.append(cursor.rowcount)
        cursor.executemany(
            "UPDATE t SET name = %s WHERE id = %s RETURNING id", [("x", 1), ("y", 2)], returning=True
        )
        seen.append([cursor.fetchall(), cursor.nextset(), cursor.fetchall(), cursor.nextset()])
        cursor.execute("SELECT count(*), count(name), sum(id) FROM t")
        seen.append(cursor.fetchall())
    return seen


@scenario("psycopg3_binary_results")
def binary(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connect(target) as connection, connection.cursor(binary=True, row_factory=rows.dict_row) as cursor:
        cursor.execute(TYPES)
        seen.append([cursor.fetchall(), described(cursor)])
        cursor.execute("SELECT %b::int8 AS n, %t::text AS t", (7, "seven"))
        seen.append(cursor.fetchall())
    return seen


@scenario("psycopg3_copy_both_ways")
def copy(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connect(target) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE t (id int4, name text)")
        with cursor.copy("COPY t FROM STDIN") as out:
            for n in range(ROWS):
                out.write_row((n, f"tab\t{n}" if n % 5 else None))
        seen.append(described(cursor))
        with cursor.copy("COPY t (id, name) FROM STDIN (FORMAT BINARY)") as out:
            out.set_types(["int4", "text"])
            for n in range(ROWS):
                out.write_row((n + ROWS, "binary"))
        seen.append(described(cursor))
        with cursor.copy("COPY (SELECT * FROM t ORDER BY id) TO STDOUT") as back:
            seen.append(list(back.rows()))
        with cursor.copy("COPY t TO STDOUT (FORMAT BINARY)") as back:
            seen.append(sum(len(block) for block in back))
        connection.commit()
        try:
            with cursor.copy("COPY t FROM STDIN") as out:
                out.write("not a number\tx\n")
        except psycopg.Error as error:
            seen.append(told(error))
        connection.rollback()
        try:
            with cursor.copy("COPY t FROM STDIN") as out:
                out.write("1\tx\n")
                raise ValueError("the application gives up")
        except ValueError:
            seen.append(connection.info.transaction_status)
        connection.rollback()
        try:
            with cursor.copy("COPY (SELECT 10 / (5 - n) FROM generate_series(1, 9) n) TO STDOUT") as back:
                for block in back:
                    seen.append(bytes(block))
        except psycopg.Error as error:
            seen.append(told(error))
        connection.rollback()
        seen.append(cursor.execute("SELECT count(*) FROM t").fetchall())
    return seen


@scenario("psycopg3_server_cursor")
def server_cursor(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connect(target) as connection:
        with connection.cursor("mine") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT n, repeat('x', n %% 50) FROM generate_series(1, %s) n", (1000,))
            seen.append([[(c.name, c.type_code) for c in cursor.description or ()], list(cursor)])
        with connection.cursor("scrolls", scrollable=True, binary=True) as cursor:
            cursor.execute("SELECT n FROM generate_series(1, 100) n")
            cursor.scroll(50)
            seen.append(cursor.fetchmany(3))
            cursor.scroll(10, mode="absolute")
            seen.append(cursor.fetchone())
        with connection.cursor("held", withhold=True) as cursor:
            cursor.execute("SELECT n FROM generate_series(1, 10) n")
            connection.commit()
            seen.append(cursor.fetchall())
    return seen


@scenario("psycopg3_stream_in_chunks")
def stream(target: Target) -> list[Any]:
    with connect(target) as connection, connection.cursor() as cursor:
        seen = [list(cursor.stream("SELECT n, 'x' FROM generate_series(1, %s) n", (500,)))]
        try:
            for row in cursor.stream("SELECT 10 / (5 - n) FROM generate_series(1, 9) n"):
                seen.append(row)
        except psycopg.Error as error:
            seen.append(told(error))
        connection.rollback()
        return seen


@scenario("psycopg3_notify")
def notify(target: Target) -> list[Any]:
    with connect(target, autocommit=True) as listener, connect(target, autocommit=True) as speaker:
        listener.execute("LISTEN news")
        for n in range(3):
            speaker.execute("SELECT pg_notify('news', %s)", (f"payload {n}",))
        pid = speaker.info.backend_pid
        found = [(n.channel, n.payload, n.pid == pid) for n in listener.notifies(timeout=30, stop_after=3)]
        assert len(found) == 3
        return found


def cancelled_by(connection: psycopg.Connection[Any], action: Callable[[], None]) -> list[Any]:
    with repeatedly(action):
        seen = failure(connection, "SELECT pg_sleep(60)")
    connection.rollback()
    # A cancel that came late is allowed to hit the statement after.
    for _ in range(20):
        try:
            return [seen, connection.execute("SELECT 'still here'").fetchall()]
        except psycopg.errors.QueryCanceled:
            connection.rollback()
    raise AssertionError("cancelled for ever")


@scenario("psycopg3_cancel")
def cancel(target: Target) -> list[Any]:
    """By a connection that is encrypted as the session is, then by one in the clear."""
    with connect(target) as connection:
        safe = cancelled_by(connection, lambda: connection.cancel_safe(timeout=20))
        connection.rollback()
        return [safe, cancelled_by(connection, connection.cancel)]


@scenario("psycopg3_protocol_3_2_and_its_long_cancel_keys")
def long_cancel_keys(target: Target) -> list[Any]:
    with connect(target, max_protocol_version="3.2") as connection:
        seen: list[Any] = [connection.info.full_protocol_version]
        seen.append(cancelled_by(connection, lambda: connection.cancel_safe(timeout=20)))
        connection.rollback()
        return [*seen, cancelled_by(connection, connection.cancel)]


@scenario("psycopg3_row_of_64_mib")
def large_row(target: Target) -> list[Any]:
    sent = b"\xff\0 pgsleuth" * (LARGE_ROW_BYTES // 11)
    with connect(target) as connection, connection.cursor(binary=True) as cursor:
        cursor.execute("SELECT %b::bytea, length(%b::bytea)", (sent, sent[:100]))
        row = cursor.fetchone()
        assert row is not None
        return [hashlib.sha256(row[0]).hexdigest(), len(row[0]), row[1]]


@scenario("psycopg3_pool")
def pool(target: Target) -> list[Any]:
    seen: list[Any] = []
    check = psycopg_pool.ConnectionPool.check_connection
    with psycopg_pool.ConnectionPool(
        kwargs=target.libpq(), min_size=1, max_size=2, open=True, check=check, timeout=30
    ) as connections:
        for n in range(10):
            with connections.connection() as connection:
                seen.append(connection.execute("SELECT %s::int", (n,)).fetchone())
    return seen


@scenario("psycopg3_async_concurrent")
def concurrent(target: Target) -> list[Any]:
    async def one(n: int) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(**target.libpq()) as connection:
            found = []
            for m in range(20):
                cursor = await connection.execute("SELECT %s * 1000 + %s", (n, m))
                found.append(await cursor.fetchone())
            return found

    async def all_of_them() -> list[Any]:
        return list(await asyncio.gather(*(one(n) for n in range(8))))

    return asyncio.run(all_of_them())


@scenario("psycopg3_many_and_large_parameters")
def large(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connect(target) as connection:
        many = list(range(20000))
        terms = sql.SQL(" + ").join([sql.SQL("%s::int")] * 1000)
        query = sql.SQL("SELECT {}").format(terms)
        seen.append(connection.execute(query, many[:1000]).fetchall())
        seen.append(connection.execute("SELECT sum(n) FROM unnest(%s::int[]) n", (many,)).fetchall())
        for size in (1, 8191, 65535, 65536, 3_000_000):
            cursor = connection.execute("SELECT length(%s), md5(%s)", ("x" * size, "y" * size))
            seen.append(cursor.fetchall())
        seen.append(connection.execute("SELECT repeat('z', 3000000)").fetchall())
        wide = ", ".join(f"{n} AS c{n}" for n in range(1600))
        seen.append(described(connection.execute(f"SELECT {wide}")))
    return seen
