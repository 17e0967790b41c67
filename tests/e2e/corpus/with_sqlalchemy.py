"""Applications on SQLAlchemy 2, with Session and with AsyncSession (on asyncpg)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Callable

from sqlalchemy import ForeignKey, create_engine, event, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    defer,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from corpus import RUNNERS, SIZES, App, Book
from server import Target

ORM = Book()
app = ORM.app


class Base(DeclarativeBase):
    __table_args__ = {"schema": "corpus"}  # noqa: RUF012 # as its documentation has it


class Country(Base):
    __tablename__ = "countries"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    country_id: Mapped[int] = mapped_column(ForeignKey("corpus.countries.id"))
    books: Mapped[list[Title]] = relationship(order_by="Title.id", back_populates="author")
    country: Mapped[Country] = relationship()


class Title(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("corpus.authors.id"))
    title: Mapped[str]
    author: Mapped[Author] = relationship(back_populates="books")
    reviews: Mapped[list[Review]] = relationship()


class Review(Base):
    __tablename__ = "reviews"
    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("corpus.books.id"))
    stars: Mapped[int]


class Log(Base):
    __tablename__ = "log"
    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str]
    n: Mapped[int]


def some_authors(n: int, size: int) -> Any:
    return select(Author).where(Author.id > n * 3000).order_by(Author.id).limit(size)


def lazy_books(size: int) -> Callable[[Session, int], None]:
    def request(session: Session, n: int) -> None:
        assert [len(author.books) for author in session.scalars(some_authors(n, size))]

    return request


def lazy_country(size: int) -> Callable[[Session, int], None]:
    def request(session: Session, n: int) -> None:
        assert [author.country.name for author in session.scalars(some_authors(n, size))]

    return request


for number in SIZES:
    ORM.add(f"lazy-books-{number}", lazy_books(number), "n_plus_one")
    ORM.add(f"lazy-country-{number}", lazy_country(number), "n_plus_one")


@app("lazy-nested", "n_plus_one")
def lazy_nested(session: Session, n: int) -> None:
    for author in session.scalars(some_authors(n, 5)):
        assert [len(book.reviews) for book in author.books]


@app("lazy-count", "n_plus_one")
def lazy_count(session: Session, n: int) -> None:
    for author in session.scalars(some_authors(n, 10)):
        session.scalar(select(func.count()).select_from(Title).where(Title.author_id == author.id))


@app("selectin")
def selectin(session: Session, n: int) -> None:
    assert [len(a.books) for a in session.scalars(some_authors(n, 20).options(selectinload(Author.books)))]


@app("joined-to-one")
def joined_to_one(session: Session, n: int) -> None:
    assert [a.country.name for a in session.scalars(some_authors(n, 20).options(joinedload(Author.country)))]


@app("deferred-column")
def deferred(session: Session, n: int) -> None:
    assert session.scalars(some_authors(n, 20).options(defer(Author.name))).all()


@app("get-by-key")
def get_by_key(session: Session, n: int) -> None:
    author = session.get(Author, (n + 1) * 1013)
    assert session.get(Author, (n + 1) * 1013) is author  # from the identity map


@app("one-author-and-books")
def one_author(session: Session, n: int) -> None:
    author = session.get(Author, (n + 1) * 1013)
    assert author is not None
    assert author.books


@app("add-all")
def add_all(session: Session, n: int) -> None:
    session.add_all([Log(what="orm", n=i) for i in range(30)])
    session.commit()


@app("flush-in-a-loop", "write_loop")
def flush_in_a_loop(session: Session, n: int) -> None:
    for i in range(12):
        session.add(Log(what="orm", n=i))
        session.flush()
    session.commit()


@app("bulk-insert")
def bulk_insert(session: Session, n: int) -> None:
    session.execute(insert(Log), [{"what": "bulk", "n": i} for i in range(30)])
    session.commit()


@app("whole-table", "unbounded_result")
def whole_table(session: Session, n: int) -> None:
    assert session.execute(select(Title.id, Title.title)).all()


@app("page")
def page(session: Session, n: int) -> None:
    assert session.scalars(select(Title).order_by(Title.id).limit(20).offset(n * 20)).all()


def tagged(engine: Any, tag: list[str]) -> None:
    def add_tag(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, _m: bool) -> tuple[str, Any]:
        return statement + tag[0], parameters

    event.listen(engine, "before_cursor_execute", add_tag, retval=True)


def run_sync(driver: str) -> Any:
    def run(target: Target, apps: Iterable[App], tag: Callable[[App], str]) -> None:
        engine = create_engine(target.url(f"postgresql+{driver}"), pool_size=1)
        current = [""]
        tagged(engine, current)
        try:
            for each in apps:
                current[0] = tag(each)
                for n in range(each.times):
                    with Session(engine) as session:
                        each.request(session, n)
        finally:
            engine.dispose()

    return run


def run_async(target: Target, apps: Iterable[App], tag: Callable[[App], str]) -> None:
    async def run() -> None:
        engine = create_async_engine(target.url("postgresql+asyncpg"), pool_size=1)
        current = [""]
        tagged(engine.sync_engine, current)
        try:
            for each in apps:
                current[0] = tag(each)
                for n in range(each.times):
                    async with AsyncSession(engine) as session:
                        await session.run_sync(each.request, n)
        finally:
            await engine.dispose()

    asyncio.run(run())


RUNNERS["sqlalchemy-psycopg2"] = (ORM, run_sync("psycopg2"))
RUNNERS["sqlalchemy-psycopg3"] = (ORM, run_sync("psycopg"))
RUNNERS["sqlalchemy-asyncpg"] = (ORM, run_async)
