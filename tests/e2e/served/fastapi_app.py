"""The served application in FastAPI, on a pool of asyncpg's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from fastapi import FastAPI
from pgsleuth_tags.manifest import write_manifest

from served.plan import ROUTES, Served, own_statement, shared_statement

HELPER = os.environ["HELPER"]
HELPED: dict[str, Any] = {}
if HELPER:
    from pgsleuth_tags.asyncpg import tagged_connection_class
    from pgsleuth_tags.fastapi import TagMiddleware

    HELPED["connection_class"] = tagged_connection_class(tags=HELPER != "marks", trace=HELPER == "traces")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=5, **HELPED) as pool:
        app.state.pool = pool
        write_manifest(os.environ["MANIFEST"], app, pool, Path(__file__).parent)
        yield


app = FastAPI(lifespan=lifespan)
if HELPER:
    app.add_middleware(TagMiddleware)


async def serve(name: str) -> dict[str, str]:
    served, route = Served(name), ROUTES[name]
    async with app.state.pool.acquire() as connection:
        for kind in route.order:
            if kind == "own":
                found = await connection.fetch(own_statement(name, "$1", "$2"), 0, route.own)
                served.own.append(len(found))
            else:
                found = await connection.fetch(shared_statement("$1", "$2"), 0, route.shared)
                served.shared.append(len(found))
            await asyncio.sleep(0)  # somebody else's turn
    served.write()
    return {"name": name}


@app.get("/quiet")
async def quiet() -> dict[str, bool]:
    return {"quiet": True}


@app.get("/books/{id}")
async def books(id: int) -> dict[str, str]:  # noqa: A002
    del id
    return await serve("books")


@app.get("/authors")
async def authors() -> dict[str, str]:
    return await serve("authors")


@app.post("/orders")
async def orders() -> dict[str, str]:
    return await serve("orders")


@app.get("/shelves/{id}/reviews")
async def reviews(id: int) -> dict[str, str]:  # noqa: A002
    del id
    return await serve("reviews")
