"""The same routes in SQL by hand on an asyncpg pool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Depends, FastAPI, Request
from pgsleuth_tags.asyncpg import TaggedConnection

from app.parameters import After, Email, Genre, Limit, Rows
from app.settings import APPLICATION_NAME, database_url

router = APIRouter(prefix="/asyncpg", tags=["asyncpg"])


@asynccontextmanager
async def open_pool(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(
        database_url(),
        min_size=2,
        max_size=10,
        connection_class=TaggedConnection,
        server_settings={"application_name": APPLICATION_NAME},
    ) as pool:
        app.state.pool = pool
        yield


async def borrow(request: Request) -> AsyncIterator[Any]:
    async with request.app.state.pool.acquire() as connection:
        yield connection


Connection = Annotated[Any, Depends(borrow)]

AUTHOR_PAGE = "SELECT id, name FROM authors WHERE id > $1 ORDER BY id LIMIT $2"
BOOK_PAGE = "SELECT id, title FROM books WHERE id > $1 ORDER BY id LIMIT $2"
NO_RATING = {"reviews": 0, "rating": None}


@router.get("/authors-n-plus-one")
async def authors_n_plus_one(db: Connection, after: After = 0, limit: Limit = 30) -> Rows:
    """Fault: one more statement for each author."""
    found = []
    for author in await db.fetch(AUTHOR_PAGE, after, limit):
        books = await db.fetch("SELECT title FROM books WHERE author_id = $1 ORDER BY id", author["id"])
        found.append({**author, "books": [book["title"] for book in books]})
    return found


@router.get("/authors")
async def authors(db: Connection, after: After = 0, limit: Limit = 30) -> Rows:
    """The books of all authors of the page in one more statement."""
    page = await db.fetch(AUTHOR_PAGE, after, limit)
    titles: dict[int, list[str]] = {author["id"]: [] for author in page}
    books = await db.fetch(
        "SELECT author_id, title FROM books WHERE author_id = ANY($1::bigint[]) ORDER BY id", list(titles)
    )
    for book in books:
        titles[book["author_id"]].append(book["title"])
    return [{**author, "books": titles[author["id"]]} for author in page]


@router.get("/ratings-n-plus-one")
async def ratings_n_plus_one(db: Connection, after: After = 0, limit: Limit = 30) -> Rows:
    """Fault: one aggregate a book."""
    one = "SELECT count(*) AS reviews, avg(rating) AS rating FROM reviews WHERE book_id = $1"
    books = await db.fetch(BOOK_PAGE, after, limit)
    return [{**book, **await db.fetchrow(one, book["id"])} for book in books]


@router.get("/ratings")
async def ratings(db: Connection, after: After = 0, limit: Limit = 30) -> Rows:
    """All books of the page in one aggregate."""
    books = await db.fetch(BOOK_PAGE, after, limit)
    found = await db.fetch(
        "SELECT book_id, count(*) AS reviews, avg(rating) AS rating FROM reviews"
        " WHERE book_id = ANY($1::bigint[]) GROUP BY book_id",
        [book["id"] for book in books],
    )
    ratings = {row["book_id"]: {"reviews": row["reviews"], "rating": row["rating"]} for row in found}
    return [{**book, **ratings.get(book["id"], NO_RATING)} for book in books]


@router.get("/customers-select-star")
async def customers_select_star(db: Connection, after: After = 0, limit: Limit = 50) -> Rows:
    """Fault: 24 columns, one of them a long text, for a list that shows three."""
    rows = await db.fetch("SELECT * FROM customers WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
    return [{"id": row["id"], "full_name": row["full_name"], "city": row["city"]} for row in rows]


@router.get("/customers")
async def customers(db: Connection, after: After = 0, limit: Limit = 50) -> Rows:
    """The three columns that are shown."""
    page = "SELECT id, full_name, city FROM customers WHERE id > $1 ORDER BY id LIMIT $2"
    return [dict(row) for row in await db.fetch(page, after, limit)]


@router.get("/books-unbounded")
async def books_unbounded(db: Connection, genre: Genre = "crime") -> Rows:
    """Fault: as many rows as the genre has books, some 2,500 today."""
    shelf = "SELECT id, title, price FROM books WHERE genre = $1 ORDER BY id"
    return [dict(row) for row in await db.fetch(shelf, genre)]


@router.get("/books")
async def books(db: Connection, genre: Genre = "crime", after: After = 0, limit: Limit = 50) -> Rows:
    """The same shelf by pages, continued after the last id."""
    shelf = "SELECT id, title, price FROM books WHERE genre = $1 AND id > $2 ORDER BY id LIMIT $3"
    return [dict(row) for row in await db.fetch(shelf, genre, after, limit)]


@router.get("/orders-by-email")
async def orders_by_email(db: Connection, email: Email) -> Rows:
    """Fault: no index on customer_email, so all 200,000 orders are read for twenty."""
    latest = (
        "SELECT id, status, total, placed_at FROM orders"
        " WHERE customer_email = $1 ORDER BY placed_at DESC LIMIT 20"
    )
    return [dict(row) for row in await db.fetch(latest, email)]


@router.get("/customers/{customer_id}/orders")
async def orders_of_customer(db: Connection, customer_id: int) -> Rows:
    """The latest orders by an indexed column, and the items of all of them in one more statement."""
    orders = await db.fetch(
        "SELECT id, status, total FROM orders WHERE customer_id = $1 ORDER BY placed_at DESC LIMIT 20",
        customer_id,
    )
    books: dict[int, list[int]] = {order["id"]: [] for order in orders}
    items = await db.fetch(
        "SELECT order_id, book_id FROM order_items"
        " WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, line",
        list(books),
    )
    for item in items:
        books[item["order_id"]].append(item["book_id"])
    return [{**order, "books": books[order["id"]]} for order in orders]
