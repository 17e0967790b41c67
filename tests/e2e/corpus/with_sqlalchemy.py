"""Applications on SQLAlchemy 2, with Session and with AsyncSession (on asyncpg)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Callable

from sqlalchemy import ForeignKey, Text, cast, create_engine, event, func, insert, select, update
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
from sqlalchemy.pool import NullPool

from corpus import RUNNERS, SIZES, Book, Call, Runner
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


class Stock(Base):
    __tablename__ = "stock"
    id: Mapped[int] = mapped_column(primary_key=True)
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


@app("selectin", near="n_plus_one")
def selectin(session: Session, n: int) -> None:
    assert [len(a.books) for a in session.scalars(some_authors(n, 20).options(selectinload(Author.books)))]


@app("joined-to-one", near="n_plus_one")
def joined_to_one(session: Session, n: int) -> None:
    assert [a.country.name for a in session.scalars(some_authors(n, 20).options(joinedload(Author.country)))]


@app("deferred-column")
def deferred(session: Session, n: int) -> None:
    assert session.scalars(some_authors(n, 20).options(defer(Author.name))).all()


@app("get-by-key")
def get_by_key(session: Session, n: int) -> None:
    author = session.get(Author, (n + 1) * 1013)
    assert session.get(Author, (n + 1) * 1013) is author  # from the identity map


@app("one-author-and-books", near="n_plus_one")
def one_author(session: Session, n: int) -> None:
    author = session.get(Author, (n + 1) * 1013)
    assert author is not None
    assert author.books


@app("add-all", near="write_loop")
def add_all(session: Session, n: int) -> None:
    session.add_all([Log(what="orm", n=i) for i in range(30)])
    session.commit()


@app("flush-in-a-loop", "write_loop")
def flush_in_a_loop(session: Session, n: int) -> None:
    for i in range(12):
        session.add(Log(what="orm", n=i))
        session.flush()
    session.commit()


@app("bulk-insert", near="write_loop")
def bulk_insert(session: Session, n: int) -> None:
    session.execute(insert(Log), [{"what": "bulk", "n": i} for i in range(30)])
    session.commit()


@app("whole-table", "unbounded_result")
def whole_table(session: Session, n: int) -> None:
    assert session.execute(select(Title.id, Title.title)).all()


@app("page", near="unbounded_result")
def page(session: Session, n: int) -> None:
    assert session.scalars(select(Title).order_by(Title.id).limit(20).offset(n * 20)).all()


# --- two sessions at once ---


@contextmanager
def somebody_else(session: Session) -> Iterator[Session]:
    """A request beside this one, on a connection of its own, committed at its end."""
    with Session(session.get_bind()) as other, other.begin():
        yield other


def take_one(session: Session, key: int) -> None:
    with somebody_else(session) as other:
        other.execute(update(Stock).where(Stock.id == key).values(n=Stock.n - 1))


@app("write-back", "lost_update")
def write_back(session: Session, n: int) -> None:
    stock = session.get(Stock, 2002 + n * 11)
    assert stock is not None
    take_one(session, stock.id)
    stock.n -= 1
    session.commit()


@app("write-back-locked", near="lost_update")
def write_back_locked(session: Session, n: int) -> None:
    take_one(session, 2002 + n * 11)
    stock = session.get(Stock, 2002 + n * 11, with_for_update=True)
    assert stock is not None
    stock.n -= 1
    session.commit()


@app("write-back-of-another-row", near="lost_update")
def write_back_of_another(session: Session, n: int) -> None:
    stock = session.get(Stock, 2002 + n * 11)
    assert stock is not None
    take_one(session, stock.id + 11)
    stock.n -= 1
    session.commit()


@app("computed-by-the-database", near="lost_update")
def computed(session: Session, n: int) -> None:
    stock = session.get(Stock, 2002 + n * 11)
    assert stock is not None
    take_one(session, stock.id)
    stock.n = Stock.n - 1  # type: ignore[assignment]
    session.commit()


# --- transactions of one request, which has a trace id ---


@app("session-for-each-read", "transaction_overhead", traced=True)
def session_for_each_read(session: Session, n: int) -> None:
    for model, step, base in ((Author, 1013, 0), (Country, 17, 5000), (Title, 7, 100000)):
        with somebody_else(session) as other:
            assert other.get(model, (n + 1) * step + base)


@app("one-session", near="transaction_overhead", traced=True)
def one_session(session: Session, n: int) -> None:
    assert session.get(Author, (n + 1) * 1013)
    assert session.get(Country, (n + 1) * 17 + 5000)
    assert session.get(Title, (n + 1) * 7 + 100000)


# --- a large result ---


@app("large-texts", "whole_result", also="wide_columns slow_statement", times=2)
def large_texts(session: Session, n: int) -> None:
    pages = func.repeat(func.md5(cast(Title.id, Text)), 6500)
    assert len(session.execute(select(Title.id, pages).order_by(Title.id).limit(60)).all()) == 60


@app("large-texts-streamed", near="whole_result", also="slow_statement", times=2)
def large_texts_streamed(session: Session, n: int) -> None:
    pages = func.repeat(func.md5(cast(Title.id, Text)), 6500)
    found = session.execute(select(Title.id, pages).where(Title.id < 100420).execution_options(yield_per=10))
    assert sum(1 for _ in found) == 59


# --- a new connection for each request ---

NO_POOL = Book()


@NO_POOL.app("get-by-key", "connection_churn", times=12)
def without_pool(session: Session, n: int) -> None:
    assert session.get(Author, (n + 1) * 1013)


@NO_POOL.app("page", "connection_churn", times=12)
def page_without_pool(session: Session, n: int) -> None:
    assert session.scalars(select(Title).order_by(Title.id).limit(20).offset(n * 20)).all()


@NO_POOL.app("few-requests", near="connection_churn", times=9)
def few_without_pool(session: Session, n: int) -> None:
    assert session.get(Author, (n + 1) * 1013)


def tagged(engine: Any, tag: list[str]) -> None:
    def add_tag(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, _m: bool) -> tuple[str, Any]:
        return statement + tag[0], parameters

    event.listen(engine, "before_cursor_execute", add_tag, retval=True)


def run_sync(driver: str, **options: Any) -> Runner:
    def run(target: Target, calls: Iterable[Call]) -> None:
        engine = create_engine(target.url(f"postgresql+{driver}"), **options)
        current = [""]
        tagged(engine, current)
        try:
            for each in calls:
                current[0] = each.tag
                with Session(engine) as session:
                    each.app.request(session, each.n)
        finally:
            engine.dispose()

    return run


def run_async(target: Target, calls: Iterable[Call]) -> None:
    async def run() -> None:
        engine = create_async_engine(target.url("postgresql+asyncpg"), pool_size=2)
        current = [""]
        tagged(engine.sync_engine, current)
        try:
            for each in calls:
                current[0] = each.tag
                async with AsyncSession(engine) as session:
                    await session.run_sync(each.app.request, each.n)
        finally:
            await engine.dispose()

    asyncio.run(run())


RUNNERS["sqlalchemy-psycopg2"] = (ORM, run_sync("psycopg2", pool_size=2))
RUNNERS["sqlalchemy-psycopg3"] = (ORM, run_sync("psycopg", pool_size=2))
RUNNERS["sqlalchemy-asyncpg"] = (ORM, run_async)
RUNNERS["sqlalchemy-no-pool"] = (NO_POOL, run_sync("psycopg", poolclass=NullPool))
