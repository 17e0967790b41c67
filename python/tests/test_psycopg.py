"""psycopg 3 and psycopg2, against a real server."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

psycopg = pytest.importorskip("psycopg")

from psycopg import sql
from psycopg.rows import dict_row
from served import ASK, DSN, Served, assert_tagged, needs_server

import pgsleuth_tags.psycopg as tagged

pytestmark = needs_server
HERE = Path(__file__).resolve().parent
FILE = Path(__file__).name
Connection = tagged.tagged_connection_class(tagged.TaggedConnection, HERE)
AsyncConnection = tagged.tagged_connection_class(tagged.TaggedAsyncConnection, HERE)
PERCENT = ASK + " AND %s = '%%'"


@pytest.fixture(autouse=True)
def _serving():
    with Served():
        yield


@pytest.fixture
def connection():
    with Connection.connect(DSN, autocommit=True) as made:
        yield made


def check(sent, function):
    assert_tagged(sent, function, FILE)


def test_execute_tags_what_the_server_gets(connection):
    name = "test_execute_tags_what_the_server_gets"
    check(connection.execute(ASK).fetchone()[0], name)
    check(connection.execute(ASK + ";").fetchone()[0].rstrip(";"), name)
    check(connection.execute(PERCENT, ("%",)).fetchone()[0], name)
    check(connection.execute(PERCENT.replace("%s", "%(a)s"), {"a": "%"}).fetchone()[0], name)
    check(connection.execute(ASK, ()).fetchone()[0], name)
    check(connection.execute(ASK.encode()).fetchone()[0], name)
    check(connection.execute(ASK, binary=True, prepare=True).fetchone()[0], name)
    with connection.cursor(row_factory=dict_row) as cursor:
        check(cursor.execute(ASK).fetchone()["query"], name)


def test_execute_composable_is_tagged_once(connection):
    query = sql.SQL("SELECT query, {} FROM pg_stat_activity WHERE pid = pg_backend_pid()").format(
        sql.Literal("naïve 100%")
    )
    sent, value = connection.execute(query).fetchone()
    check(sent, "test_execute_composable_is_tagged_once")
    assert value == "naïve 100%"


def test_execute_bytes_of_another_encoding_stay_whole(connection):
    connection.execute("SET client_encoding TO latin1")
    sent, value = connection.execute(
        f"SELECT ({ASK}), 'é'".encode("latin-1"),
    ).fetchone()
    check(sent, "test_execute_bytes_of_another_encoding_stay_whole")
    assert value == "é"


def test_executemany_tags_each(connection):
    connection.execute("CREATE TEMP TABLE sent (query text)")
    connection.cursor().executemany(f"INSERT INTO sent {ASK} AND %s > 0 AND '%%' <> ''", [(1,), (2,)])
    rows = connection.execute("SELECT query FROM sent").fetchall()
    assert len(rows) == 2
    for (sent,) in rows:
        check(sent, "test_executemany_tags_each")


def test_pipeline_tags_each(connection):
    with connection.pipeline():
        cursors = [connection.execute(PERCENT, ("%",)) for _ in range(3)]
    for cursor in cursors:
        check(cursor.fetchone()[0], "test_pipeline_tags_each")


def test_stream_and_copy_are_tagged(connection):
    with connection.cursor() as cursor:
        ((sent,),) = cursor.stream(PERCENT, ("%",))
        check(sent, "test_stream_and_copy_are_tagged")
        with cursor.copy(f"COPY ({ASK}) TO STDOUT") as copy:
            ((sent,),) = copy.rows()
            check(sent, "test_stream_and_copy_are_tagged")
        with cursor.copy(f"COPY ({PERCENT}) TO STDOUT", ("%",)) as copy:
            ((sent,),) = copy.rows()
            check(sent, "test_stream_and_copy_are_tagged")


def test_server_cursor_declares_with_the_tag(connection):
    for query, parameters in ((ASK, None), (PERCENT, ("%",)), (ASK.encode(), None), (sql.SQL(ASK), None)):
        with connection.transaction(), connection.cursor("mine") as cursor:
            cursor.execute(query, parameters)
            assert len(cursor.fetchall()) == 1
            with psycopg.Cursor(connection) as plain:
                sent = plain.execute("SELECT statement FROM pg_cursors WHERE name = 'mine'").fetchone()[0]
        assert sent.startswith('DECLARE "mine" CURSOR FOR SELECT')
        check(sent, "test_server_cursor_declares_with_the_tag")


def test_client_cursor_percent_arrives_single():
    with Connection.connect(DSN, cursor_factory=tagged.TaggedClientCursor, autocommit=True) as connection:
        name = "test_client_cursor_percent_arrives_single"
        check(connection.execute(PERCENT, ("%",)).fetchone()[0], name)
        check(connection.execute(ASK, ()).fetchone()[0], name)
        check(connection.execute(ASK).fetchone()[0], name)


def test_raw_cursor_percent_is_not_doubled():
    raw = getattr(psycopg, "RawCursor", None)
    if raw is None:
        pytest.skip("psycopg has no RawCursor before 3.2")

    class Cursor(tagged.TagMixin, raw):
        pass

    with Connection.connect(DSN, cursor_factory=Cursor) as connection:
        sent = connection.execute(ASK + " AND $1 = '%'", ("%",)).fetchone()[0]
    check(sent, "test_raw_cursor_percent_is_not_doubled")


def test_cursor_factory_alone_is_tagged():
    with psycopg.connect(DSN, cursor_factory=tagged.TaggedCursor) as connection:
        sent = connection.execute(ASK).fetchone()[0]
    assert "code.function.name='test_cursor_factory_alone_is_tagged'" in sent


def test_tags_false_leaves_the_statement():
    untagged = tagged.tagged_connection_class(tags=False)
    with untagged.connect(DSN, autocommit=True) as connection:
        assert connection.execute(ASK).fetchone()[0] == ASK
        assert connection.execute(ASK.encode(), ()).fetchone()[0] == ASK


def test_async_tags_each_method():
    async def run():
        sent = []
        async with await AsyncConnection.connect(DSN, autocommit=True) as connection:
            sent.append(await (await connection.execute(PERCENT, ("%",))).fetchone())
            sent.append(await (await connection.execute(sql.SQL(ASK))).fetchone())
            cursor = connection.cursor()
            sent.append(await (await cursor.execute(ASK)).fetchone())
            sent += [row async for row in cursor.stream(ASK)]
            async with cursor.copy(f"COPY ({ASK}) TO STDOUT") as copy:
                sent += [row async for row in copy.rows()]
            async with connection.pipeline():
                await cursor.execute(PERCENT, ("%",))
                sent.append(await cursor.fetchone())
            await connection.execute("CREATE TEMP TABLE sent (query text)")
            await cursor.executemany(f"INSERT INTO sent {ASK} AND %s > 0", [(1,)])
            sent += await (await connection.execute("SELECT query FROM sent")).fetchall()
            async with connection.transaction(), connection.cursor("mine", withhold=True) as held:
                await held.execute(ASK)
                sent += await (await connection.execute("SELECT statement FROM pg_cursors")).fetchall()
        return sent

    sent = asyncio.run(run())
    assert len(sent) == 8
    for (query,) in sent:
        check(query, "run")


def test_async_finds_the_caller_under_gather():
    async def run():
        async with await AsyncConnection.connect(DSN) as connection:
            (cursor,) = await asyncio.gather(connection.execute(ASK))
            (again,) = await asyncio.gather(connection.cursor().execute(ASK))
            return [await cursor.fetchone(), await again.fetchone()]

    for (sent,) in asyncio.run(run()):
        check(sent, "run")


def test_pool_connections_are_tagged():
    pool_module = pytest.importorskip("psycopg_pool")
    pool = pool_module.ConnectionPool(DSN, connection_class=Connection, min_size=1, open=False)
    with pool, pool.connection() as connection:
        check(connection.execute(ASK).fetchone()[0], "test_pool_connections_are_tagged")


def test_psycopg2_tags_each_method():
    psycopg2 = pytest.importorskip("psycopg2")
    from psycopg2 import extras
    from psycopg2 import sql as sql2

    from pgsleuth_tags.psycopg2 import TaggedCursor, TagMixin, tagged_cursor_class

    class Dict(TagMixin, extras.DictCursor):
        pass

    connection = psycopg2.connect(DSN, cursor_factory=tagged_cursor_class(TaggedCursor, HERE))
    connection.autocommit = True  # pg_stat_activity is looked at once a transaction
    sent = []
    with connection.cursor() as cursor:
        for query, parameters in ((ASK, None), (ASK, ()), (PERCENT, ("%",)), (ASK.encode(), None)):
            cursor.execute(query, parameters)
            sent.append(cursor.fetchone()[0])
        cursor.execute(sql2.SQL(ASK))
        sent.append(cursor.fetchone()[0])
        cursor.execute("CREATE TEMP TABLE sent (query text)")
        cursor.executemany(f"INSERT INTO sent {ASK} AND %s > 0 AND '%%' <> ''", [(1,), (2,)])
        extras.execute_values(
            cursor, f"INSERT INTO sent {ASK} AND (1, 'a%%') IN (VALUES %s)", [(1, "a%")], template="(%s, %s)"
        )
        cursor.execute("SELECT query FROM sent")
        sent += [row[0] for row in cursor.fetchall()]
        with connection.cursor("mine", withhold=True) as named:
            named.execute(ASK)
            cursor.execute("SELECT statement FROM pg_cursors")
            sent.append(cursor.fetchone()[0])
        with connection.cursor(cursor_factory=tagged_cursor_class(Dict, HERE)) as by_name:
            by_name.execute(PERCENT, ("%",))
            sent.append(by_name.fetchone()["query"])
        copied = io.StringIO()
        cursor.copy_expert(f"COPY ({ASK}) TO STDOUT", copied)
        sent.append(copied.getvalue().strip())
    connection.close()
    assert len(sent) == 11
    for query in sent:
        check(query, "test_psycopg2_tags_each_method")
