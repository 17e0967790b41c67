from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2

from server import Target
from shops import AUTHORS, NAMED, PAGED, STAR, UNBOUNDED, email, shop


def answer(cursor: Any, request: str, tag: str, n: int) -> None:
    def ask(sql: str, *arguments: Any) -> list[Any]:
        cursor.execute(sql + tag, arguments or None)
        return list(cursor.fetchall())

    if request == "n-plus-one":
        for author in ask(AUTHORS):
            ask("SELECT title FROM shop.books WHERE author_id = %s", author[0])
    elif request == "one-query":
        ids = tuple(author[0] for author in ask(AUTHORS))
        ask("SELECT author_id, title FROM shop.books WHERE author_id IN %s", ids)
    elif request == "missing-index":
        ask("SELECT id, total FROM shop.orders WHERE email = %s LIMIT 20", email(n))
    elif request == "by-key":
        ask("SELECT id, total FROM shop.orders WHERE id = %s", n + 1)
    else:
        ask({"select-star": STAR, "named-columns": NAMED, "unbounded": UNBOUNDED, "paged": PAGED}[request])


@shop("psycopg2")
def psycopg2_shop(target: Target, request: str, tag: str, times: int) -> None:
    """A connection for each request, as Django has it by default."""
    for n in range(times):
        with closing(psycopg2.connect(**target.libpq())) as connection:
            with connection.cursor() as cursor:
                answer(cursor, request, tag, n)
            connection.commit()
