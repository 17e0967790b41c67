"""The trace of a request in its statements: only where it was asked for, and then behind all else."""

from __future__ import annotations

import asyncio

import pytest
from served import ASK, DSN, Served, needs_server

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def psycopg(**asked):
    from pgsleuth_tags.psycopg import tagged_connection_class

    with tagged_connection_class(**asked).connect(DSN, autocommit=True) as connection:
        return [connection.execute(ASK).fetchone()[0] for _ in range(2)]


def psycopg2(**asked):
    driver = pytest.importorskip("psycopg2")
    from pgsleuth_tags.psycopg2 import tagged_cursor_class

    connection = driver.connect(DSN, cursor_factory=tagged_cursor_class(**asked))
    try:
        with connection.cursor() as cursor:
            cursor.execute(ASK)
            return [cursor.fetchone()[0]]
    finally:
        connection.close()


def asyncpg(**asked):
    driver = pytest.importorskip("asyncpg")
    from pgsleuth_tags.asyncpg import tagged_connection_class

    async def run():
        connection = await driver.connect(DSN, connection_class=tagged_connection_class(**asked))
        try:
            return [await connection.fetchval(ASK) for _ in range(2)]
        finally:
            await connection.close()

    return asyncio.run(run())


def sqlalchemy(**asked):
    library = pytest.importorskip("sqlalchemy")
    from pgsleuth_tags.sqlalchemy import instrument

    engine = library.create_engine(DSN.replace("postgresql:", "postgresql+psycopg:", 1))
    instrument(engine, **asked)
    try:
        with engine.connect() as connection:
            return [connection.execute(library.text(ASK)).scalar_one()]
    finally:
        engine.dispose()


DRIVERS = [psycopg, psycopg2, asyncpg, sqlalchemy]


@needs_server
@pytest.mark.parametrize("ask", DRIVERS)
def test_trace_stands_in_the_statement_where_it_was_asked_for(ask):
    with Served(traceparent=TRACE):
        for sent in ask(trace=True):
            assert sent.endswith(f"%25',traceparent='{TRACE}'*/"), sent
            assert sent.count("/*") == 1


@needs_server
@pytest.mark.parametrize("ask", DRIVERS)
@pytest.mark.parametrize(("trace", "asked"), [(TRACE, {}), (TRACE, {"trace": False}), ("", {"trace": True})])
def test_no_trace_stands_in_a_statement_otherwise(ask, trace, asked):
    with Served(traceparent=trace):
        for sent in ask(**asked):
            assert "code.line.number" in sent
            assert "traceparent" not in sent


@needs_server
def test_trace_with_tags_off_leaves_the_statement_as_it_is():
    with Served(traceparent=TRACE):
        assert psycopg(trace=True, tags=False) == [ASK, ASK]


@needs_server
def test_trace_outside_of_a_request_is_none():
    for sent in psycopg(trace=True):
        assert "traceparent" not in sent
