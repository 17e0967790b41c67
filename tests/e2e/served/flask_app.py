"""The served application in Flask, on SQLAlchemy with psycopg 3."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from pgsleuth_tags.manifest import write_manifest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

from served.plan import ROUTES, Served, own_statement, shared_statement

HELPER = os.environ["HELPER"]
URL = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:", 1)
app = Flask(__name__)
engine = create_engine(URL, pool_size=4, max_overflow=0)
if HELPER:
    from pgsleuth_tags import flask, sqlalchemy

    flask.init_app(app)
    sqlalchemy.instrument(engine, tags=HELPER != "marks", trace=HELPER == "traces")

SHARED = text(shared_statement(":first", ":rows"))


def ask(connection: Connection, statement: Any, rows: int) -> int:
    return len(connection.execute(statement, {"first": 0, "rows": rows}).all())


def serve(name: str) -> ResponseReturnValue:
    served, route = Served(name), ROUTES[name]
    with engine.connect() as connection:
        for kind in route.order:
            if kind == "own":
                served.own.append(ask(connection, text(own_statement(name, ":first", ":rows")), route.own))
            else:
                served.shared.append(ask(connection, SHARED, route.shared))
    served.write()
    return jsonify({"name": name})


@app.get("/quiet")
def quiet() -> ResponseReturnValue:
    return jsonify({"quiet": True})


@app.get("/books/<int:id>")
def books(id: int) -> ResponseReturnValue:  # noqa: A002
    del id
    return serve("books")


@app.get("/authors")
def authors() -> ResponseReturnValue:
    return serve("authors")


@app.post("/orders")
def orders() -> ResponseReturnValue:
    return serve("orders")


@app.get("/shelves/<int:id>/reviews")
def reviews(id: int) -> ResponseReturnValue:  # noqa: A002
    del id
    return serve("reviews")


write_manifest(os.environ["MANIFEST"], app, engine, Path(__file__).parent)
