from __future__ import annotations

import asyncio
from typing import Any, Optional

from sqlalchemy import ForeignKey, Text, create_engine, event, func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from drivers import scenario
from server import Target

MANY = 2500  # three pages of insertmanyvalues


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "sa_authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.id")


class Book(Base):
    __tablename__ = "sa_books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    year: Mapped[Optional[int]]  # noqa: UP045 # read at run time, by 3.9 too
    author_id: Mapped[int] = mapped_column(ForeignKey("sa_authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")


def some_authors() -> list[Author]:
    return [
        Author(name=f"author {n:03}", books=[Book(title=f"book {n}.{m}", year=2000 + m) for m in range(3)])
        for n in range(30)
    ]


def shelf(authors: Any) -> list[Any]:
    return [(a.id, a.name, [(b.id, b.title, b.year) for b in a.books]) for a in authors]


def told(error: DBAPIError) -> list[Any]:
    cause: Any = error.orig
    return [type(error).__name__, getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)]


def with_session(session: Session) -> list[Any]:
    seen: list[Any] = []
    session.add_all(some_authors())
    session.commit()
    lazily = select(Author).order_by(Author.id)
    seen.append(shelf(session.scalars(lazily)))
    session.expire_all()
    seen.append(shelf(session.scalars(lazily.options(selectinload(Author.books)))))
    session.expire_all()
    joined = lazily.options(joinedload(Author.books)).limit(7)
    seen.append(shelf(session.scalars(joined).unique()))
    ids = session.execute(
        insert(Author).returning(Author.id, sort_by_parameter_order=True),
        [{"name": f"many {n}"} for n in range(MANY)],
    )
    found = [row.id for row in ids]
    seen.append([len(found), found == sorted(found)])
    session.commit()
    try:
        with session.begin_nested():
            session.execute(insert(Author).values(name="author 001"))
    except IntegrityError as error:
        seen.append(told(error))
    seen.append(session.scalar(select(func.count()).select_from(Author)))
    session.rollback()
    streamed = session.execute(
        select(Author.name).order_by(Author.id), execution_options={"stream_results": True, "yield_per": 100}
    )
    seen.append([len(part) for part in streamed.partitions()])
    session.commit()
    try:
        session.execute(text("SELECT 1 / :zero"), {"zero": 0})
    except DBAPIError as error:
        seen.append(told(error))
    session.rollback()
    seen.append(session.get(Author, -1))
    return seen


def synchronous(driver: str, target: Target) -> list[Any]:
    engine = create_engine(
        target.url(f"postgresql+{driver}"),
        pool_pre_ping=True,
        pool_size=2,
        connect_args={"connect_timeout": 20},
    )
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *a: sent.append(a[2].split(None, 1)[0]))
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    try:
        with Session(engine) as session:
            seen = with_session(session)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            seen.append(connection.scalar(text("SELECT 'again from the pool'")))
        return [*seen, sent]
    finally:
        Base.metadata.drop_all(engine)
        engine.dispose()


@scenario("sqlalchemy_on_psycopg2")
def on_psycopg2(target: Target) -> list[Any]:
    return synchronous("psycopg2", target)


@scenario("sqlalchemy_on_psycopg")
def on_psycopg(target: Target) -> list[Any]:
    return synchronous("psycopg", target)


def asynchronous(driver: str, arguments: dict[str, Any]) -> list[Any]:
    async def run() -> list[Any]:
        engine = create_async_engine(f"postgresql+{driver}://", pool_pre_ping=True, connect_args=arguments)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.drop_all)
                await connection.run_sync(Base.metadata.create_all)
            async with AsyncSession(engine) as session:
                seen = await session.run_sync(with_session)
                author = (await session.scalars(select(Author).order_by(Author.id).limit(1))).one()
                seen.append([book.title for book in await author.awaitable_attrs.books])
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.drop_all)
            return seen
        finally:
            await engine.dispose()

    return asyncio.run(run())


@scenario("sqlalchemy_on_asyncpg")
def on_asyncpg(target: Target) -> list[Any]:
    return asynchronous("asyncpg", target.asyncpg())


@scenario("sqlalchemy_on_psycopg_async")
def on_psycopg_async(target: Target) -> list[Any]:
    return asynchronous("psycopg_async", target.libpq())
