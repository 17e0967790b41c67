"""SQLAlchemy 2 on psycopg 3: a Session a request, in ``def`` routes that FastAPI runs in its thread pool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends
from pgsleuth_tags.sqlalchemy import instrument
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session, selectinload

from app.models import Author, Book, Customer, Order
from app.parameters import After, Email, Genre, Limit, Rows
from app.settings import APPLICATION_NAME, database_url

# Every route reads, so none pays for BEGIN and ROLLBACK.
engine = create_engine(
    database_url().replace("postgresql://", "postgresql+psycopg://", 1),
    isolation_level="AUTOCOMMIT",
    pool_size=10,
    max_overflow=10,
    connect_args={"application_name": APPLICATION_NAME},
)
instrument(engine)
router = APIRouter(prefix="/orm", tags=["SQLAlchemy"])


def open_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


Database = Annotated[Session, Depends(open_session)]


def _with_books(authors: list[Author]) -> Rows:
    return [
        {"id": author.id, "name": author.name, "books": [book.title for book in author.books]}
        for author in authors
    ]


@router.get("/authors-n-plus-one")
def authors_n_plus_one(session: Database, after: After = 0, limit: Limit = 30) -> Rows:
    """Fault: one more statement for each author, when its books are first looked at."""
    page = select(Author).where(Author.id > after).order_by(Author.id).limit(limit)
    return _with_books(list(session.scalars(page)))


@router.get("/authors")
def authors(session: Database, after: After = 0, limit: Limit = 30) -> Rows:
    """The books of all authors of the page in one more statement."""
    page = select(Author).where(Author.id > after).order_by(Author.id).limit(limit)
    return _with_books(list(session.scalars(page.options(selectinload(Author.books)))))


BOOK_PAGE = text("SELECT id, title FROM books WHERE id > :after ORDER BY id LIMIT :limit")
NO_RATING = {"reviews": 0, "rating": None}


@router.get("/ratings-n-plus-one")
def ratings_n_plus_one(session: Database, after: After = 0, limit: Limit = 30) -> Rows:
    """Fault: the same in SQL by hand, one aggregate a book."""
    books = session.execute(BOOK_PAGE, {"after": after, "limit": limit}).mappings().all()
    one = text("SELECT count(*) AS reviews, avg(rating) AS rating FROM reviews WHERE book_id = :book_id")
    return [{**book, **session.execute(one, {"book_id": book["id"]}).mappings().one()} for book in books]


@router.get("/ratings")
def ratings(session: Database, after: After = 0, limit: Limit = 30) -> Rows:
    """All books of the page in one aggregate."""
    books = session.execute(BOOK_PAGE, {"after": after, "limit": limit}).mappings().all()
    many = text(
        "SELECT book_id, count(*) AS reviews, avg(rating) AS rating FROM reviews"
        " WHERE book_id = ANY(CAST(:book_ids AS bigint[])) GROUP BY book_id"
    )
    found = session.execute(many, {"book_ids": [book["id"] for book in books]}).mappings()
    ratings = {row["book_id"]: {"reviews": row["reviews"], "rating": row["rating"]} for row in found}
    return [{**book, **ratings.get(book["id"], NO_RATING)} for book in books]


@router.get("/customers-select-star")
def customers_select_star(session: Database, after: After = 0, limit: Limit = 50) -> Rows:
    """Fault: 24 columns, one of them a long text, for a list that shows three."""
    page = text("SELECT * FROM customers WHERE id > :after ORDER BY id LIMIT :limit")
    rows = session.execute(page, {"after": after, "limit": limit}).mappings()
    return [{"id": row["id"], "full_name": row["full_name"], "city": row["city"]} for row in rows]


@router.get("/customers")
def customers(session: Database, after: After = 0, limit: Limit = 50) -> Rows:
    """The three columns that are shown."""
    columns = select(Customer.id, Customer.full_name, Customer.city)
    page = columns.where(Customer.id > after).order_by(Customer.id).limit(limit)
    return [dict(row) for row in session.execute(page).mappings()]


@router.get("/books-unbounded")
def books_unbounded(session: Database, genre: Genre = "crime") -> Rows:
    """Fault: as many rows as the genre has books, some 2,500 today."""
    shelf = select(Book.id, Book.title, Book.price).where(Book.genre == genre).order_by(Book.id)
    return [dict(row) for row in session.execute(shelf).mappings()]


@router.get("/books")
def books(session: Database, genre: Genre = "crime", after: After = 0, limit: Limit = 50) -> Rows:
    """The same shelf by pages, continued after the last id."""
    shelf = select(Book.id, Book.title, Book.price).where(Book.genre == genre, Book.id > after)
    return [dict(row) for row in session.execute(shelf.order_by(Book.id).limit(limit)).mappings()]


@router.get("/orders-by-email")
def orders_by_email(session: Database, email: Email) -> Rows:
    """Fault: no index on customer_email, so all 200,000 orders are read for twenty."""
    columns = select(Order.id, Order.status, Order.total, Order.placed_at)
    latest = columns.where(Order.customer_email == email).order_by(Order.placed_at.desc()).limit(20)
    return [dict(row) for row in session.execute(latest).mappings()]


@router.get("/customers/{customer_id}/orders")
def orders_of_customer(session: Database, customer_id: int) -> Rows:
    """The latest orders by an indexed column, and the items of all of them in one more statement."""
    latest = select(Order).where(Order.customer_id == customer_id).order_by(Order.placed_at.desc()).limit(20)
    orders = session.scalars(latest.options(selectinload(Order.items)))
    return [
        {
            "id": order.id,
            "status": order.status,
            "total": order.total,
            "books": [item.book_id for item in order.items],
        }
        for order in orders
    ]
