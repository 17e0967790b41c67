from __future__ import annotations

import io
import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extras
from psycopg2 import extensions

from drivers import BAD_STATEMENTS, NOTICES, TYPES, repeatedly, scenario
from server import Target


@contextmanager
def connected(target: Target) -> Iterator[Any]:
    connection = psycopg2.connect(**target.libpq())
    try:
        yield connection
    finally:
        connection.close()


def described(cursor: Any) -> list[Any]:
    columns = [
        (c.name, c.type_code, c.display_size, c.internal_size, c.precision, c.scale, c.table_column)
        for c in cursor.description or ()
    ]
    return [columns, cursor.rowcount, cursor.statusmessage]


def failure(cursor: Any, sql: str, arguments: Any = None) -> list[Any]:
    try:
        cursor.execute(sql, arguments)
    except psycopg2.Error as error:
        diag = error.diag
        names = (
            "severity",
            "sqlstate",
            "message_primary",
            "message_detail",
            "message_hint",
            "statement_position",
        )
        return [
            type(error).__name__,
            *(getattr(diag, n) for n in names),
            diag.table_name,
            diag.constraint_name,
        ]
    raise AssertionError(f"no error from {sql}")


@scenario("psycopg2_plain_statements")
def plain(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connected(target) as connection, connection.cursor() as cursor:
        seen.append([connection.server_version, connection.encoding, connection.status])
        seen.append(
            [connection.get_parameter_status(n) for n in ("DateStyle", "TimeZone", "integer_datetimes")]
        )
        cursor.execute(TYPES)
        seen.append([cursor.fetchall(), described(cursor)])
        cursor.execute("SELECT %s, %s, %s, %s", ("it's", -1, b"\0\xff", [1, 2]))
        seen.append(
            [[bytes(v) if isinstance(v, memoryview) else v for v in cursor.fetchone()], described(cursor)]
        )
        cursor.execute("CREATE TEMP TABLE t (id serial PRIMARY KEY, name text UNIQUE)")
        cursor.execute("INSERT INTO t (name) VALUES ('a'), ('b') RETURNING id, name")
        seen.append([cursor.fetchall(), described(cursor), connection.get_transaction_status()])
        cursor.execute("SELECT 1; SELECT 2 AS two; UPDATE t SET name = name || '!'")
        seen.append(described(cursor))
        cursor.execute(NOTICES)
        seen.append(connection.notices)
        connection.commit()
        seen.append(connection.get_transaction_status())
        cursor.execute("SELECT * FROM t WHERE false")
        seen.append([cursor.fetchall(), described(cursor)])
        cursor.execute("SELECT FROM t")
        seen.append([cursor.fetchall(), described(cursor)])
        connection.rollback()
    return seen


@scenario("psycopg2_errors")
def errors(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connected(target) as connection, connection.cursor() as cursor:
        for sql in BAD_STATEMENTS:
            seen.append(failure(cursor, sql))
            seen.append([connection.get_transaction_status(), failure(cursor, "SELECT 1")])
            connection.rollback()
        cursor.execute("CREATE TEMP TABLE t (id int PRIMARY KEY, n int CHECK (n > 0)) ON COMMIT DROP")
        cursor.execute("SAVEPOINT s")
        seen.append(failure(cursor, "INSERT INTO t VALUES (1, 1), (1, 2)"))
        cursor.execute("ROLLBACK TO SAVEPOINT s")
        seen.append(failure(cursor, "INSERT INTO t VALUES (%s, %s)", (1, -1)))
        cursor.execute("ROLLBACK TO SAVEPOINT s; INSERT INTO t VALUES (3, 3)")
        cursor.execute("SELECT * FROM t")
        seen.append(cursor.fetchall())
        seen.append(failure(cursor, ""))
    return seen


@scenario("psycopg2_wrong_password")
def wrong_password(target: Target) -> list[Any]:
    try:
        psycopg2.connect(**{**target.libpq(), "password": "not this one"})
    except psycopg2.OperationalError as error:
        return [str(error).replace(str(target.port), "PORT")]
    raise AssertionError("let in")


@scenario("psycopg2_execute_batch_and_values")
def batches(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connected(target) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE t (id int, name text)")
        rows = [(n, f"name {n}") for n in range(2500)]
        psycopg2.extras.execute_batch(cursor, "INSERT INTO t VALUES (%s, %s)", rows)
        seen.append(described(cursor))
        psycopg2.extras.execute_values(cursor, "INSERT INTO t VALUES %s", rows, page_size=1000)
        seen.append(described(cursor))
        back = psycopg2.extras.execute_values(
            cursor, "INSERT INTO t VALUES %s RETURNING id", rows[:250], page_size=100, fetch=True
        )
        seen.append([back, described(cursor)])
        cursor.executemany("INSERT INTO t VALUES (%s, %s)", rows[:50])
        cursor.execute("SELECT count(*), sum(id), min(name), max(name) FROM t")
        seen.append(cursor.fetchall())
    return seen


@scenario("psycopg2_named_cursor")
def named_cursor(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connected(target) as connection:
        with connection.cursor("mine") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT n, repeat('x', n %% 50) FROM generate_series(1, %s) n", (1000,))
            seen.append(list(cursor))
        with connection.cursor("scrolls", scrollable=True) as cursor:
            cursor.execute("SELECT n FROM generate_series(1, 100) n")
            cursor.scroll(50)
            seen.append(cursor.fetchmany(3))
            cursor.scroll(10, mode="absolute")
            seen.append([cursor.fetchone(), described(cursor)])
        with connection.cursor("held", withhold=True) as cursor:
            cursor.execute("SELECT n FROM generate_series(1, 10) n")
            connection.commit()
            seen.append(cursor.fetchall())
    return seen


@scenario("psycopg2_copy_both_ways")
def copy(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connected(target) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE t (id int, name text)")
        lines = "".join(f"{n}\tname {n}\n" for n in range(20000))
        cursor.copy_expert("COPY t FROM STDIN", io.StringIO(lines))
        seen.append(described(cursor))
        out = io.StringIO()
        cursor.copy_expert("COPY (SELECT * FROM t ORDER BY id) TO STDOUT WITH CSV HEADER", out)
        seen.append([described(cursor), out.getvalue()])
        connection.commit()
        try:
            cursor.copy_expert("COPY t FROM STDIN", io.StringIO("1\ta\nnonsense\tb\n"))
        except psycopg2.DataError as error:
            seen.append([error.pgcode, str(error)])
        connection.rollback()
        out = io.StringIO()
        try:
            cursor.copy_expert("COPY (SELECT 10 / (5 - n) FROM generate_series(1, 9) n) TO STDOUT", out)
        except psycopg2.DataError as error:
            seen.append([error.pgcode, out.getvalue()])
        connection.rollback()
        cursor.copy_expert("COPY t FROM STDIN", io.StringIO(""))
        seen.append(described(cursor))
    return seen


@scenario("psycopg2_large_objects")
def large_objects(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connected(target) as connection:
        large = connection.lobject(0, "wb")
        oid = large.oid
        seen.append(large.write(bytes(range(256)) * 1000))
        large.close()
        connection.commit()
        large = connection.lobject(oid, "rwb")
        seen.append([large.seek(100000), large.tell(), large.read(10)])
        large.truncate(500)
        seen.append([large.seek(0), len(large.read())])
        large.close()
        connection.lobject(oid, "n").unlink()
        connection.commit()
        try:
            connection.lobject(oid, "rb")
        except psycopg2.Error as error:
            seen.append(type(error).__name__)
    return seen


@scenario("psycopg2_notify")
def notify(target: Target) -> list[Any]:
    with connected(target) as listener, connected(target) as speaker:
        for connection in (listener, speaker):
            connection.set_isolation_level(extensions.ISOLATION_LEVEL_AUTOCOMMIT)
        with listener.cursor() as cursor:
            cursor.execute("LISTEN news")
        with speaker.cursor() as cursor:
            for n in range(3):
                cursor.execute("SELECT pg_notify('news', %s)", (f"payload {n}",))
        while len(listener.notifies) < 3:
            ready, _, _ = select.select([listener], [], [], 30)
            assert ready, "no notification within 30 s"
            listener.poll()
        pid = speaker.get_backend_pid()
        return [[(n.channel, n.payload, n.pid == pid) for n in listener.notifies]]


@scenario("psycopg2_cancel")
def cancel(target: Target) -> list[Any]:
    with connected(target) as connection, connection.cursor() as cursor:
        with repeatedly(connection.cancel):
            seen = failure(cursor, "SELECT pg_sleep(60)")
        connection.rollback()
        # A cancel that came late is allowed to hit the statement after.
        for _ in range(20):
            try:
                cursor.execute("SELECT 'still here'")
                return [seen, cursor.fetchall()]
            except psycopg2.errors.QueryCanceled:
                connection.rollback()
    raise AssertionError("cancelled for ever")


@scenario("psycopg2_transactions")
def transactions(target: Target) -> list[Any]:
    seen: list[Any] = []
    with connected(target) as connection, connection.cursor() as cursor:
        for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
            connection.set_session(isolation_level=level, readonly=True, deferrable=True)
            cursor.execute("SHOW transaction_isolation")
            seen.append([cursor.fetchall(), failure(cursor, "CREATE TABLE never (id int)")])
            connection.rollback()
        connection.set_session(
            isolation_level="DEFAULT", readonly="DEFAULT", deferrable="DEFAULT", autocommit=True
        )
        cursor.execute("SELECT txid_current_if_assigned()")
        seen.append([cursor.fetchall(), connection.get_transaction_status()])
        connection.reset()
        seen.append(connection.get_transaction_status())
    return seen
