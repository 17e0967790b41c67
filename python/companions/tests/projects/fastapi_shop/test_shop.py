"""What a project has by itself, and budgets."""

import asyncio
import time

import httpx
import pytest


@pytest.mark.query_budget(7)
def test_slow_list_within_its_budget(client):
    assert len(client.get("/books").json()) == 6


@pytest.mark.query_budget(6)
def test_slow_list_over_its_budget(client):
    assert len(client.get("/books").json()) == 6


@pytest.mark.query_budget(7)
def test_async_list_within_its_budget(client):
    assert len(client.get("/async-books").json()) == 6


@pytest.mark.query_budget(6)
def test_async_list_over_its_budget(client):
    assert len(client.get("/async-books").json()) == 6


@pytest.mark.query_budget(1)
def test_router(client):
    assert client.get("/catalogue/101/books").json() == [["book 1", "author 1"]]


@pytest.mark.query_budget(1)
def test_mount(client):
    assert client.get("/admin/authors/101").json() == {"name": "author 1"}


@pytest.mark.query_budget(0)
def test_nothing_is_sent(client):
    assert client.get("/no-such-page").status_code == 404


def test_handle_of_the_session(client, pgsleuth):
    assert (pgsleuth.count, pgsleuth.queries) == (0, [])
    client.get("/books")
    assert pgsleuth.count == 7
    assert [query.endpoint for query in pgsleuth.queries] == ["GET /books"] * 7
    assert {query.where.split(":")[0] for query in pgsleuth.queries} == {"app.py"}


def test_report_in_between(client, pgsleuth):
    client.get("/books")
    if pgsleuth.dsn is None:
        with pytest.raises(RuntimeError, match="needs --pgsleuth"):
            pgsleuth.report()
        return
    until = time.monotonic() + 60
    while "GET /books" not in {endpoint["name"] for endpoint in pgsleuth.report()["endpoints"]}:
        assert time.monotonic() < until, "a request that ended is not in the report"


@pytest.mark.anyio
@pytest.mark.query_budget(8)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_async_client(client):
    transport = httpx.ASGITransport(app=client.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as web:
        one, other = await asyncio.gather(web.get("/async-books"), web.get("/admin/authors/102"))
    assert (len(one.json()), other.json()) == (6, {"name": "author 2"})
