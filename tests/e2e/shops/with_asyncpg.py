from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from server import Target
from shops import AUTHORS, NAMED, PAGED, STAR, UNBOUNDED, email, shop


async def answer(connection: Any, request: str, tag: str, n: int) -> None:
    if request == "n-plus-one":
        for author in await connection.fetch(AUTHORS + tag):
            await connection.fetch("SELECT title FROM shop.books WHERE author_id = $1" + tag, author["id"])
    elif request == "one-query":
        ids = [author["id"] for author in await connection.fetch(AUTHORS + tag)]
        books = "SELECT author_id, title FROM shop.books WHERE author_id = ANY($1::int[])"
        await connection.fetch(books + tag, ids)
    elif request == "missing-index":
        orders = "SELECT id, total FROM shop.orders WHERE email = $1 LIMIT 20"
        await connection.fetch(orders + tag, email(n))
    elif request == "by-key":
        await connection.fetch("SELECT id, total FROM shop.orders WHERE id = $1" + tag, n + 1)
    else:
        fixed = {"select-star": STAR, "named-columns": NAMED, "unbounded": UNBOUNDED, "paged": PAGED}
        await connection.fetch(fixed[request] + tag)


@shop("asyncpg")
def asyncpg_shop(target: Target, request: str, tag: str, times: int) -> None:
    """A pool, which cleans each connection that comes back."""

    async def run() -> None:
        async with asyncpg.create_pool(**target.asyncpg(), min_size=1, max_size=1) as pool:
            for n in range(times):
                async with pool.acquire() as connection:
                    await answer(connection, request, tag, n)

    asyncio.run(run())
