"""The application behind the HTTP listener: every route knows how many statements it sends.

`GET /ask/N` and its likes send the same statement N times, so that a statement counted for the wrong request
shows in the count. DATABASE_URL is pgsleuth's. HELPER is "tags" or "marks" where the tag helper is to be
used, with python/src on the path: comments in the SQL, or marks beside SQL that stays as it is.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from brotli_asgi import BrotliMiddleware
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

HELPER = os.environ.get("HELPER", "")
HELPED: dict[str, Any] = {}
if HELPER:
    from pgsleuth_tags.asyncpg import tagged_connection_class
    from pgsleuth_tags.fastapi import TagMiddleware

    HELPED["connection_class"] = tagged_connection_class(tags=HELPER == "tags")

QUESTION = "SELECT count(*) FROM people WHERE id > $1"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=10, **HELPED)
    narrow = {"min_size": 1, "max_size": 1, "server_settings": {"application_name": "narrow"}}
    app.state.narrow = await asyncpg.create_pool(os.environ["DATABASE_URL"], **narrow)
    yield
    await app.state.narrow.close()
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)
if HELPER:
    app.add_middleware(TagMiddleware)


async def ask(request: Request, times: int, comment: str = "") -> dict[str, int]:
    async with request.app.state.pool.acquire() as connection:
        for i in range(times):
            await connection.fetchval(QUESTION + comment, i)
    return {"asked": times}


@app.get("/ask/one")
async def ask_one(request: Request) -> dict[str, int]:
    return await ask(request, 1)


@app.get("/ask/two")
async def ask_two(request: Request) -> dict[str, int]:
    return await ask(request, 2)


@app.post("/ask/seven")
async def ask_seven(request: Request) -> dict[str, int]:
    return await ask(request, 7)


@app.get("/people/{person}/posts/{post}")
async def ask_three(request: Request, person: int, post: str) -> dict[str, Any]:
    return {"person": person, "post": post, **await ask(request, 3)}


@app.get("/slow")
async def slow(request: Request) -> dict[str, int]:
    await asyncio.sleep(0.2)
    return await ask(request, 4)


@app.get("/traced")
async def traced(request: Request) -> dict[str, int]:
    """As an instrumented application does: the incoming trace goes into the SQL."""
    parent = request.headers.get("traceparent", "")
    return await ask(request, 5, f" /*traceparent='{parent}'*/" if parent else "")


@app.get("/quiet")
async def quiet() -> PlainTextResponse:
    return PlainTextResponse("quiet")


@app.get("/header")
async def header(request: Request) -> dict[str, str]:
    return {"traceparent": request.headers.get("traceparent", "")}


@app.api_route("/echo/{status}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def echo(request: Request, status: int) -> PlainTextResponse:
    """What came, back; with the headers that the request asks for."""
    body = await request.body()
    text = "" if status in (204, 304) else f"{request.method} {request.url.query} {body.hex()}"
    return PlainTextResponse(text, status_code=status)


@app.api_route("/stream/{pieces}/{size}", methods=["GET", "HEAD"])
async def stream(pieces: int, size: int) -> StreamingResponse:
    """Chunked, since its length is not told."""

    async def body() -> AsyncIterator[bytes]:
        for i in range(pieces):
            yield bytes([97 + i % 26]) * size

    return StreamingResponse(body())


@app.post("/swallow")
async def swallow(request: Request) -> dict[str, Any]:
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return {"bytes": total}


# --- routes that are told apart by what they send: one statement is of all, one of each ---

WHO = "SELECT name FROM people WHERE id = $1"
OWN = {
    name: f"SELECT id AS of_{name} FROM people WHERE id > $1 ORDER BY id LIMIT {rows}"
    for name, rows in (("books", 5), ("authors", 10), ("orders", 15), ("reviews", 20))
}


def add_route(name: str, own: str) -> None:
    @app.get(f"/learn/{name}")
    async def handler(request: Request) -> dict[str, str]:
        async with request.app.state.pool.acquire() as connection:
            if name == "orders":
                async with connection.transaction():
                    await connection.fetchval(WHO, 1)
                    await connection.fetch(own, 1)
            else:
                await connection.fetchval(WHO, 1)
                await asyncio.sleep(0.002)
                await connection.fetch(own, 1)
        return {"name": name}


for word, statement in OWN.items():
    add_route(word, statement)


# --- routes with a fault, and their twins without ---

BOOKS = [{"id": n, "title": f"book {n}", "genre": "poetry", "price": n * 100} for n in range(500)]


@app.get("/faults/plain")
async def plain(page: int = 0) -> list[dict[str, Any]]:
    """24 KiB of JSON as they are."""
    return [{**book, "page": page} for book in BOOKS]


@app.get("/twins/gzip")
async def compressed(page: int = 0) -> Response:
    body = gzip.compress(json.dumps([{**book, "page": page} for book in BOOKS]).encode(), 5)
    return Response(body, media_type="application/json", headers={"Content-Encoding": "gzip"})


shelf = FastAPI()
app.mount("/twins/brotli", BrotliMiddleware(shelf))


@shelf.get("/books")
async def brotli(page: int = 0) -> list[dict[str, Any]]:
    return await plain(page)


@app.get("/faults/unchanged")
async def unchanged() -> dict[str, str]:
    return {"menu": "soup"}


@app.get("/twins/etag")
async def etag(request: Request) -> Response:
    headers = {"ETag": '"1"', "Cache-Control": "private, max-age=60"}
    if request.headers.get("if-none-match") == '"1"':
        return Response(status_code=304, headers=headers)
    return Response('{"menu": "soup"}', media_type="application/json", headers=headers)


@app.get("/twins/changing")
async def changing(page: int = 0) -> dict[str, int]:
    return {"page": page}


@app.get("/faults/public")
async def public() -> Response:
    headers = {"Cache-Control": "public, max-age=60", "Set-Cookie": "session=1"}
    return Response("yours", media_type="text/plain", headers=headers)


@app.post("/faults/mail")
async def mail(request: Request) -> dict[str, int]:
    """The answer waits for something that comes after all statements."""
    asked = await ask(request, 1)
    await asyncio.sleep(0.45)
    return asked


@app.post("/twins/mail")
async def mail_later(request: Request) -> dict[str, int]:
    await asyncio.sleep(0.45)
    return await ask(request, 1)


@app.get("/twins/limited")
async def limited() -> Response:
    return Response("slower, please", status_code=429, headers={"Retry-After": "1"})


SLEEP = "SELECT pg_sleep(0.05), $1::int /*traceparent='{}'*/"


@app.get("/faults/queue")
async def queue(request: Request, n: int = 0) -> dict[str, int]:
    """Everybody waits for the one connection of this pool."""
    async with request.app.state.narrow.acquire() as connection:
        await connection.fetch(SLEEP.format(request.headers["traceparent"]), n)
    return {"n": n}


@app.get("/twins/queue")
async def no_queue(request: Request, n: int = 0) -> dict[str, int]:
    """It takes its time before it asks for a connection; there is one for everybody."""
    await asyncio.sleep(0.1 + 0.02 * (n % 5))
    async with request.app.state.pool.acquire() as connection:
        await connection.fetch(SLEEP.format(request.headers["traceparent"]), n)
    return {"n": n}


@app.get("/faults/threads")
def threads() -> dict[str, bool]:
    """A plain `def` runs in one of 40 threads, and holds it while it waits."""
    time.sleep(1)
    return {"waited": True}


@app.get("/twins/threads")
async def no_threads() -> dict[str, bool]:
    await asyncio.sleep(1)
    return {"waited": True}


@app.get("/faults/block")
async def block() -> PlainTextResponse:
    time.sleep(0.25)  # noqa: ASYNC251
    return PlainTextResponse("at last")


@app.get("/twins/block")
async def wait() -> PlainTextResponse:
    await asyncio.sleep(0.25)
    return PlainTextResponse("at last")
