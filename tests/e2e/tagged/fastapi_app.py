"""FastAPI with OpenTelemetry, whose comments have a traceparent and no route: uvicorn fastapi_app:app.

TARGET, of the environment, is what psycopg.connect takes, as JSON.
"""

from __future__ import annotations

import json
import os

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

target = json.loads(os.environ["TARGET"])
url = URL.create(
    "postgresql+psycopg",
    target.pop("user"),
    target.pop("password"),
    target.pop("host"),
    target.pop("port"),
    target.pop("dbname"),
)
engine = create_engine(url, connect_args=target, pool_size=10)
app = FastAPI()
trace.set_tracer_provider(TracerProvider())
SQLAlchemyInstrumentor().instrument(engine=engine, enable_commenter=True)
FastAPIInstrumentor.instrument_app(app)


@app.get("/healthy")
def healthy() -> str:
    return "yes"


@app.get("/books")
def books() -> list[str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, author_id FROM shop.books ORDER BY id LIMIT 12"))
        ask = text("SELECT name FROM shop.authors WHERE id = :id")
        return [connection.execute(ask, {"id": row.author_id}).scalar_one() for row in rows]


@app.get("/books/{book_id}")
def book(book_id: int) -> str:
    with engine.connect() as connection:
        ask = text("SELECT title FROM shop.books WHERE id = :id")
        return str(connection.execute(ask, {"id": book_id}).scalar_one())
