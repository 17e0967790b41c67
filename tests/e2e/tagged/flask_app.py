"""A bookshop in Flask whose statements somebody else's package tags: flask_app.py PACKAGE TIMES TARGET.

TARGET is what psycopg2.connect takes, as JSON. Every route is asked so often, in turn, in this process.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Callable

from flask import Flask, g, jsonify
from flask.typing import ResponseReturnValue

Ask = Callable[[str, dict[str, Any]], list[Any]]
PACKAGE, TIMES, TARGET = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
ROUTES = ("/", "/books/", "/books/{book}", "/shelves/a/b/{author}")


def trace_flask(**options: Any) -> None:
    from opentelemetry import trace
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    FlaskInstrumentor().instrument_app(app, **options)


def by_sqlalchemy(listen: Callable[[Any], None]) -> Ask:
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import URL

    target = dict(TARGET)
    url = URL.create(
        "postgresql+psycopg2",
        target.pop("user"),
        target.pop("password"),
        target.pop("host"),
        target.pop("port"),
        target.pop("dbname"),
    )
    engine = create_engine(url, connect_args=target)
    listen(engine)

    def ask(sql: str, values: dict[str, Any]) -> list[Any]:
        if "connection" not in g:
            g.connection = engine.connect()
        return [tuple(row) for row in g.connection.execute(text(sql), values)]

    return ask


def by_dbapi(connect: Callable[..., Any], **options: Any) -> Ask:
    connection = connect(**TARGET, **options)
    connection.autocommit = True

    def ask(sql: str, values: dict[str, Any]) -> list[Any]:
        for name in values:
            sql = sql.replace(f":{name}", f"%({name})s")
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())

    return ask


def opentelemetry_sqlalchemy() -> Ask:
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

    trace_flask()
    return by_sqlalchemy(
        lambda engine: SQLAlchemyInstrumentor().instrument(engine=engine, enable_commenter=True)
    )


def opentelemetry_psycopg2() -> Ask:
    import psycopg2
    from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor

    trace_flask()
    Psycopg2Instrumentor().instrument(enable_commenter=True)
    return by_dbapi(psycopg2.connect)


def opentelemetry_psycopg() -> Ask:
    import psycopg
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

    trace_flask()
    PsycopgInstrumentor().instrument(enable_commenter=True)
    return by_dbapi(psycopg.connect)


def opentelemetry_traces_only() -> Ask:
    """Flask's part turned off: the comments have a traceparent and no route, as with FastAPI."""
    import psycopg
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

    trace_flask(enable_commenter=False)
    PsycopgInstrumentor().instrument(enable_commenter=True)
    return by_dbapi(psycopg.connect)


def google_sqlalchemy() -> Ask:
    from google.cloud.sqlcommenter.sqlalchemy.executor import BeforeExecuteFactory
    from sqlalchemy import event

    hook = BeforeExecuteFactory(with_db_driver=True, with_db_framework=True)
    return by_sqlalchemy(lambda engine: event.listen(engine, "before_cursor_execute", hook, retval=True))


def google_psycopg2() -> Ask:
    import psycopg2
    from google.cloud.sqlcommenter.psycopg2.extension import CommenterCursorFactory

    factory = CommenterCursorFactory(with_db_driver=True, with_libpq_version=True, with_dbapi_level=True)
    return by_dbapi(psycopg2.connect, cursor_factory=factory)


PACKAGES: dict[str, Callable[[], Ask]] = {
    "opentelemetry-sqlalchemy": opentelemetry_sqlalchemy,
    "opentelemetry-psycopg2": opentelemetry_psycopg2,
    "opentelemetry-psycopg": opentelemetry_psycopg,
    "opentelemetry-traces-only": opentelemetry_traces_only,
    "google-sqlalchemy": google_sqlalchemy,
    "google-psycopg2": google_psycopg2,
}

app = Flask(__name__)
state: dict[str, Ask] = {}


@app.teardown_appcontext
def give_back(error: BaseException | None) -> None:
    """One connection and one transaction a request, as Flask-SQLAlchemy has it."""
    del error
    if "connection" in g:
        g.pop("connection").close()


@app.get("/")
def front() -> ResponseReturnValue:
    return jsonify(
        state["ask"]("SELECT name FROM shop.authors WHERE name LIKE 'author%' ORDER BY id LIMIT 1", {})
    )


@app.get("/books/")
def books() -> ResponseReturnValue:
    ask = state["ask"]
    found = ask("SELECT id, author_id FROM shop.books ORDER BY id LIMIT 12", {})
    return jsonify([ask("SELECT name FROM shop.authors WHERE id = :id", {"id": row[1]}) for row in found])


@app.get("/books/<int:book_id>")
def book(book_id: int) -> ResponseReturnValue:
    return jsonify(state["ask"]("SELECT title FROM shop.books WHERE id = :id", {"id": book_id}))


@app.get("/shelves/<path:place>")
def shelf(place: str) -> ResponseReturnValue:
    last = int(place.rpartition("/")[2])
    sql = "SELECT title FROM shop.books WHERE author_id = :author LIMIT 5"
    return jsonify(state["ask"](sql, {"author": last}))


def main() -> None:
    state["ask"] = PACKAGES[PACKAGE]()
    client = app.test_client()
    for n in range(1, TIMES + 1):
        for route in ROUTES:
            answer = client.get(route.format(book=100000 + 7 * n, author=1013 * n))
            assert answer.status_code == 200, (route, answer.data)


if __name__ == "__main__":
    main()
