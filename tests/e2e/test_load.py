"""Load alone is no fault: requests without one, two at a time and fifty in a row, give no finding.

Connections stay, as a pool keeps them. How long something takes on a busy machine is not asked here: rules
that go by time alone have thresholds that are far off.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pgsleuth_tags.fastapi import TagMiddleware
from pgsleuth_tags.sqlalchemy import instrument
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import selectinload

from corpus import RUNNERS, Call, Runner, make_tables, one_after_the_other, route
from corpus.with_django import on_one_connection
from corpus.with_sqlalchemy import Author, some_authors
from proxy import Proxy, StartProxy, issues_of
from server import Server, Target

importlib.import_module("corpus.kits")

pytestmark = pytest.mark.slow

AT_ONCE = 2
IN_A_ROW = 50
GAP_S = 0.1  # unit.gap_ms
PATIENCE = "60000,120000,180000,240000"
OPTIONS = {
    f"rules_{name}_ms": PATIENCE
    for name in ("slow_statement", "idle_transaction", "long_transaction", "consecutive", "count_query")
}
PLAIN = ("one-row", "login", "five-different", "batch-any", "page")
ORM = ("get-by-key", "one-author-and-books", "selectin", "joined-to-one", "page")
DJANGO = ("get", "get-with-country", "prefetch", "select-related", "annotate")


def kit(name: str, wanted: tuple[str, ...]) -> tuple[Runner, list[Any]]:
    book, run = RUNNERS[name]
    return run, [replace(app, times=IN_A_ROW) for app in book.apps if app.name in wanted]


KITS = {
    **{name: kit(name, PLAIN) for name in ("psycopg2", "psycopg3", "psycopg3-autocommit", "asyncpg")},
    **{name: kit(name, ORM) for name in ("sqlalchemy-psycopg2", "sqlalchemy-psycopg3", "sqlalchemy-asyncpg")},
    "django": (on_one_connection, kit("django", DJANGO)[1]),
}


@pytest.fixture(scope="module")
def tables(server: Server) -> None:
    make_tables(server)


def without_tags(calls: Iterable[Call]) -> Iterator[Call]:
    """Nothing but silence tells then that one endpoint is done with and another begins."""
    for _, of_one in groupby(calls, lambda each: each.app):
        yield from (replace(each, tag="") for each in of_one)
        time.sleep(3 * GAP_S)


def load(target: Target, name: str, tagged: bool) -> None:
    """Each of AT_ONCE clients makes IN_A_ROW requests of each application, one after the other."""
    run, apps = KITS[name]
    assert len(apps) == len(PLAIN)

    def client() -> None:
        calls = one_after_the_other(name, apps)
        run(target, calls if tagged else without_tags(calls))

    with ThreadPoolExecutor(AT_ONCE) as clients:
        for each in [clients.submit(client) for _ in range(AT_ONCE)]:
            each.result()


@pytest.mark.parametrize("name", KITS)
def test_clean_endpoints_under_load_have_no_finding(
    name: str, server: Server, tables: None, pgsleuth: StartProxy
) -> None:
    del tables
    proxy = pgsleuth(server.app, **OPTIONS)
    load(proxy.target, name, tagged=True)
    outcome = proxy.stop()
    assert issues_of(outcome.report) == []
    for app in KITS[name][1]:
        row = outcome.endpoint(f"GET {route(name, app)}")
        assert row["endpoint"]["requests"] == AT_ONCE * IN_A_ROW, app.name


@pytest.mark.parametrize("name", KITS)
def test_clean_requests_without_tags_under_load_have_no_finding(
    name: str, server: Server, tables: None, pgsleuth: StartProxy
) -> None:
    del tables
    proxy = pgsleuth(server.app, **OPTIONS)
    load(proxy.target, name, tagged=False)
    report = proxy.stop().report
    assert issues_of(report) == []
    assert report["coverage"]["tagged_requests"] == 0
    assert report["coverage"]["dropped_records"] == 0


# --- a web framework, with the tag helper and without ---


def application(target: Target, tagged: bool) -> tuple[FastAPI, Any]:
    app = FastAPI()
    engine = create_async_engine(target.url("postgresql+asyncpg"), pool_size=AT_ONCE)
    if tagged:
        app.add_middleware(TagMiddleware)
        instrument(engine)

    @app.get("/authors/{n}")
    async def authors(n: int) -> list[int]:
        async with AsyncSession(engine) as session:
            page = some_authors(n % 40, 5).options(selectinload(Author.books))
            return [len(author.books) for author in await session.scalars(page)]

    @app.get("/author/{n}")
    async def author(n: int) -> str:
        async with AsyncSession(engine) as session:
            found = await session.get(Author, (n + 1) * 1013)
            assert found is not None
            return found.name

    return app, engine


async def browse(target: Target, tagged: bool) -> None:
    app, engine = application(target, tagged)
    transport = httpx.ASGITransport(app=app)

    async def visitor() -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://corpus") as client:
            for n in range(IN_A_ROW):
                for path in ("authors", "author"):
                    (await client.get(f"/{path}/{n}")).raise_for_status()

    try:
        await asyncio.gather(*(visitor() for _ in range(AT_ONCE)))
    finally:
        await engine.dispose()


@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "untagged"])
def test_clean_routes_of_fastapi_under_load_have_no_finding(
    tagged: bool, server: Server, tables: None, pgsleuth: StartProxy
) -> None:
    del tables
    proxy: Proxy = pgsleuth(server.app, **OPTIONS)
    asyncio.run(browse(proxy.target, tagged))
    outcome = proxy.stop()
    assert issues_of(outcome.report) == []
    if tagged:
        for path in ("authors", "author"):
            seen = outcome.endpoint(f"GET /{path}/{{n}}")["endpoint"]["requests"]
            assert seen == AT_ONCE * IN_A_ROW
