"""Statements without any tag, of a connection with an application_name: named_app.py DRIVER TIMES TARGET.

TARGET is what psycopg2.connect takes, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Callable

TIMES, TARGET = int(sys.argv[2]), json.loads(sys.argv[3])
BOOK = "SELECT title FROM shop.books WHERE id = "
NAMES = ("shop-web", "shop-worker")  # each asks for books on a connection of its own


def by_dbapi(connect: Callable[..., Any]) -> None:
    for name in NAMES:
        connection = connect(**TARGET, application_name=name)
        connection.autocommit = True
        for n in range(TIMES):
            with connection.cursor() as cursor:
                cursor.execute(BOOK + "%s", (100000 + 7 * n,))
        connection.close()


def by_psycopg2() -> None:
    import psycopg2

    by_dbapi(psycopg2.connect)


def by_psycopg() -> None:
    import psycopg

    by_dbapi(psycopg.connect)


def by_sqlalchemy() -> None:
    """The usual place: in the URL."""
    from sqlalchemy import create_engine, text

    where = "{user}:{password}@{host}:{port}/{dbname}".format(**TARGET)
    for name in NAMES:
        engine = create_engine(f"postgresql+psycopg2://{where}?application_name={name}")
        for n in range(TIMES):
            with engine.connect() as connection:
                connection.execute(text(BOOK + ":id"), {"id": 100000 + 7 * n}).fetchall()
        engine.dispose()


async def ask_by_asyncpg() -> None:
    import asyncpg

    target = {name: TARGET[name] for name in ("host", "port", "user", "password")}
    for name in NAMES:
        connection = await asyncpg.connect(
            **target, database=TARGET["dbname"], server_settings={"application_name": name}
        )
        for n in range(TIMES):
            await connection.fetch(BOOK + "$1", 100000 + 7 * n)
        await connection.close()


def by_asyncpg() -> None:
    """Its instrumentation writes no comments: what it does shows nowhere on the wire."""
    from opentelemetry import trace
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    AsyncPGInstrumentor().instrument()
    asyncio.run(ask_by_asyncpg())


DRIVERS = {"psycopg2": by_psycopg2, "psycopg": by_psycopg, "sqlalchemy": by_sqlalchemy, "asyncpg": by_asyncpg}

if __name__ == "__main__":
    DRIVERS[sys.argv[1]]()
