from __future__ import annotations

from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from server import Target
from shops import AUTHORS, NAMED, PAGED, STAR, UNBOUNDED, email, shop


def answer(connection: psycopg.Connection[Any], request: str, tag: str, n: int) -> None:
    def ask(sql: str, *arguments: Any) -> list[Any]:
        return connection.execute((sql + tag).encode(), arguments or None).fetchall()

    if request == "n-plus-one":
        for author in ask(AUTHORS):
            ask("SELECT title FROM shop.books WHERE author_id = %s", author[0])
    elif request == "one-query":
        ids = [author[0] for author in ask(AUTHORS)]
        ask("SELECT author_id, title FROM shop.books WHERE author_id = ANY(%s)", ids)
    elif request == "missing-index":
        ask("SELECT id, total FROM shop.orders WHERE email = %s LIMIT 20", email(n))
    elif request == "by-key":
        ask("SELECT id, total FROM shop.orders WHERE id = %s", n + 1)
    else:
        ask({"select-star": STAR, "named-columns": NAMED, "unbounded": UNBOUNDED, "paged": PAGED}[request])


@shop("psycopg3")
def psycopg3_shop(target: Target, request: str, tag: str, times: int) -> None:
    """A pool that checks each connection it hands out."""
    check = ConnectionPool.check_connection
    with ConnectionPool(
        kwargs=target.libpq(), min_size=1, max_size=1, open=True, check=check, timeout=30
    ) as pool:
        for n in range(times):
            with pool.connection() as connection:
                answer(connection, request, tag, n)
