"""A bookshop whose functions are edited by test_source_edit.py: fastapi_app.py TIMES TARGET.

TARGET is what psycopg.connect takes, as JSON. Every route is asked so often; the answers are printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from pgsleuth_tags.fastapi import TagMiddleware
from pgsleuth_tags.sqlalchemy import instrument
from sqlalchemy import ForeignKey, create_engine, select, text
from sqlalchemy.engine import URL
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

target = json.loads(sys.argv[2])
url = URL.create(
    "postgresql+psycopg",
    target.pop("user"),
    target.pop("password"),
    target.pop("host"),
    target.pop("port"),
    target.pop("dbname"),
)
engine = create_engine(url, connect_args=target)
instrument(engine)
app = FastAPI()
app.add_middleware(TagMiddleware)


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    __table_args__ = {"schema": "shop"}  # noqa: RUF012 # as its documentation has it
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.id")


class Book(Base):
    __tablename__ = "books"
    __table_args__ = {"schema": "shop"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("shop.authors.id"))
    title: Mapped[str]
    author: Mapped[Author] = relationship(back_populates="books")


def open_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@app.get("/authors")
def authors(session: Session = Depends(open_session)) -> list[dict[str, Any]]:  # noqa: B008
    stmt = (
        select(Author)
        .where(Author.name != "author 1", Author.name != "author 2")
        .where(Author.id > 1013)
        .order_by(Author.id)
        .limit(20)
    )
    out = []
    for author in session.scalars(stmt):
        titles = [book.title for book in author.books]
        out.append({"author": author.name, "titles": titles})
    return out


@app.get("/books")
def books(
    title: str = "",
    session: Session = Depends(open_session),  # noqa: B008
) -> list[tuple[str, str]]:
    stmt = select(Book).order_by(Book.title)
    if title:
        stmt = stmt.where(Book.title == title)
    # Each of them with its author.
    return [(book.title, book.author.name) for book in session.scalars(stmt.limit(40)).all()]


@app.get("/old")
def old(session: Session = Depends(open_session)) -> dict[str, int]:  # noqa: B008
    query = session.query(Author).filter(Author.id > 1013)
    found = query.order_by(Author.id).limit(15).all()
    return {author.name: len(author.books) for author in found}


class Shelf:
    def __init__(self, session: Session) -> None:
        self.session = session

    def titles(self) -> list[list[str]]:
        rows = self.session.scalars(select(Author).order_by(Author.name).limit(12)).all()
        return [[book.title for book in author.books] for author in rows]


@app.get("/shelf")
def shelf(session: Session = Depends(open_session)) -> list[list[str]]:  # noqa: B008
    return Shelf(session).titles()


@app.get("/top")
def top(session: Session = Depends(open_session)) -> list[str]:  # noqa: B008
    return [book.title for book in session.scalars(select(Book).order_by(Book.title)).all()[:10]]


@app.get("/customers")
def customers(session: Session = Depends(open_session)) -> list[str]:  # noqa: B008
    rows = session.execute(text("SELECT * FROM shop.customers ORDER BY id LIMIT 50"))
    return [row.c7 for row in rows]


@app.get("/by-hand")
def by_hand(session: Session = Depends(open_session)) -> list[str]:  # noqa: B008
    out = []
    for book in session.scalars(select(Book).order_by(Book.author_id, Book.id).limit(1600)):
        if book.id % 8 == 0:
            author = session.get(Author, book.author_id)
            out.append(author.name if author else "")
    return out


ROUTES = ("/authors", "/books", "/old", "/shelf", "/top", "/customers", "/by-hand")

if __name__ == "__main__":
    client = TestClient(app)
    answers = {}
    for route in ROUTES:
        for _ in range(int(sys.argv[1])):
            response = client.get(route)
            assert response.status_code == 200, response.text
            answers[route] = response.json()
    engine.dispose()
    print(json.dumps(answers))
