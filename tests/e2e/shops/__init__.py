"""The same small application on each driver: four faults, each beside a request that does without it.

A shop makes one request over and over: shop(target, request, tag, times). `tag` is appended to every
statement of the request, as the tag helper does; it may be empty. Every shop uses connections as its
framework does, so that requests without a tag can be told apart by that.
"""

from __future__ import annotations

from typing import Callable

from server import Server, Target

Shop = Callable[[Target, str, str, int], None]
SHOPS: dict[str, Shop] = {}

PAGE = 20
CUSTOMER_COLUMNS = 24
ORDERS = 50_000

# request -> the rule that must find something in it, or nothing
FAULTS = {
    "n-plus-one": "n_plus_one",
    "select-star": "select_star",
    "unbounded": "unbounded_result",
    "missing-index": "missing_index",
}
TWINS = ("one-query", "named-columns", "paged", "by-key")

AUTHORS = f"SELECT id, name FROM shop.authors ORDER BY id LIMIT {PAGE}"
STAR = "SELECT * FROM shop.customers ORDER BY id LIMIT 50"
NAMED = "SELECT id, c1, c2 FROM shop.customers ORDER BY id LIMIT 50"
UNBOUNDED = "SELECT id, title FROM shop.books ORDER BY id"
PAGED = "SELECT id, title FROM shop.books ORDER BY id LIMIT 50"


def shop(name: str) -> Callable[[Shop], Shop]:
    def register(function: Shop) -> Shop:
        SHOPS[name] = function
        return function

    return register


def email(n: int) -> str:
    return f"customer{n * 37 % 5000}@example.org"


def make_tables(server: Server) -> None:
    columns = ", ".join(f"c{n} text NOT NULL DEFAULT 'column {n}'" for n in range(1, CUSTOMER_COLUMNS))
    server.sql(
        f"""
        DROP SCHEMA IF EXISTS shop CASCADE;
        CREATE SCHEMA shop;
        CREATE TABLE shop.authors (id int PRIMARY KEY, name text NOT NULL);
        CREATE TABLE shop.books (
            id int PRIMARY KEY, author_id int NOT NULL REFERENCES shop.authors, title text NOT NULL);
        CREATE INDEX ON shop.books (author_id);
        CREATE TABLE shop.customers (id int PRIMARY KEY, {columns});
        CREATE TABLE shop.orders (
            id int PRIMARY KEY, email text NOT NULL, total numeric NOT NULL, note text NOT NULL);
        INSERT INTO shop.authors SELECT n * 1013, 'author ' || n FROM generate_series(1, 200) n;
        INSERT INTO shop.books
            SELECT n * 7 + 100000, (n % 200 + 1) * 1013, 'book ' || n FROM generate_series(1, 2000) n;
        INSERT INTO shop.customers (id) SELECT n FROM generate_series(1, 500) n;
        INSERT INTO shop.orders
            SELECT n, 'customer' || n % 5000 || '@example.org', n, repeat('note ', 10)
            FROM generate_series(1, {ORDERS}) n;
        GRANT USAGE ON SCHEMA shop TO app;
        GRANT SELECT ON ALL TABLES IN SCHEMA shop TO app;
        VACUUM ANALYZE shop.authors, shop.books, shop.customers, shop.orders;
        """,
        target=server.admin_of("app"),
    )
