from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, create_engine, event, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

from server import Target
from shops import NAMED, PAGE, STAR, email, shop


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    __table_args__ = {"schema": "shop"}  # noqa: RUF012 # as its documentation has it
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list[Book]] = relationship()


class Book(Base):
    __tablename__ = "books"
    __table_args__ = {"schema": "shop"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("shop.authors.id"))
    title: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    __table_args__ = {"schema": "shop"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    total: Mapped[int]


def answer(session: Session, request: str, n: int) -> None:
    authors = select(Author).order_by(Author.id).limit(PAGE)
    titles = select(Book.id, Book.title).order_by(Book.id)
    if request == "n-plus-one":
        assert [len(author.books) for author in session.scalars(authors)]
    elif request == "one-query":
        assert [len(a.books) for a in session.scalars(authors.options(selectinload(Author.books)))]
    elif request == "unbounded":
        assert session.execute(titles).all()
    elif request == "paged":
        assert session.execute(titles.limit(50)).all()
    elif request == "missing-index":
        session.execute(select(Order.id, Order.total).where(Order.email == email(n)).limit(20)).all()
    elif request == "by-key":
        session.get(Order, n + 1)
    else:
        session.execute(text({"select-star": STAR, "named-columns": NAMED}[request])).all()


@shop("sqlalchemy")
def sqlalchemy_shop(target: Target, request: str, tag: str, times: int) -> None:
    """A session for each request, on a pool that pings."""
    engine = create_engine(
        target.url("postgresql+psycopg"), pool_pre_ping=True, connect_args={"connect_timeout": 20}
    )

    def add_tag(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, _m: bool) -> tuple[str, Any]:
        return statement + tag, parameters

    event.listen(engine, "before_cursor_execute", add_tag, retval=True)
    try:
        for n in range(times):
            with Session(engine) as session:
                answer(session, request, n)
    finally:
        engine.dispose()
