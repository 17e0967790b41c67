from __future__ import annotations

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

import asyncio
import inspect

import httpx
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router

from pgsleuth_tags import current_endpoint
from pgsleuth_tags.fastapi import TagMiddleware

SEEN: list = []
# Older Starlette leaves the route out of the scope; FastAPI's own routes put it there at any age.
TOLD = pytest.mark.skipif(
    'scope["route"]' not in inspect.getsource(Router), reason="Starlette tells no route"
)


def note():
    SEEN.append(current_endpoint.get().tags())


def build():
    router = APIRouter(prefix="/sub")

    @router.get("/items/{item_id}")
    def item(item_id: int):
        note()

    app = FastAPI(dependencies=[Depends(note)])
    app.add_middleware(TagMiddleware)
    app.include_router(router, prefix="/api")

    @app.get("/threaded/{name}")
    def threaded(name: str):
        note()

    @app.post("/awaited/{name:path}")
    async def awaited(name: str):
        await asyncio.gather(asyncio.to_thread(note), asyncio.sleep(0))

    @app.get("/later")
    async def later(tasks: BackgroundTasks):
        tasks.add_task(note)

    inner = FastAPI()

    @inner.get("/y/{j}")
    def y(j: int):
        note()

    async def plain(request):
        note()
        return PlainTextResponse("")

    async def bare(scope, receive, send):
        note()
        await PlainTextResponse("")(scope, receive, send)

    app.mount("/v1", inner)
    app.mount("/graphql/{tenant}", bare)
    app.mount("/outer", Starlette(routes=[Mount("/bare/{tenant}", app=bare)]))
    app.mount("/tenants/{tenant}", Starlette(routes=[Mount("/deep", routes=[Route("/z/{k}", plain)])]))
    return app


def request(app, method, path):
    async def run():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await client.request(method, path)

    SEEN.clear()
    return asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/threaded/ada", "/threaded/{name}"),
        ("POST", "/awaited/a/b", "/awaited/{name:path}"),
        ("GET", "/later", "/later"),
        ("GET", "/api/sub/items/7", "/api/sub/items/{item_id}"),
        ("GET", "/v1/y/7", "/v1/y/{j}"),
        ("GET", "/graphql/acme/x", "/graphql/{tenant}"),
        ("GET", "/outer/bare/acme/x", "/outer/bare/{tenant}"),
        pytest.param("GET", "/tenants/acme/deep/z/3", "/tenants/{tenant}/deep/z/{k}", marks=TOLD),
    ],
)
def test_middleware_knows_the_route_template(method, path, route):
    assert request(build(), method, path).status_code == 200
    assert SEEN
    assert set(SEEN) == {("fastapi", method, route)}


def test_middleware_before_routing_has_method_only():
    app = build()

    @app.middleware("http")
    async def early(request, call_next):
        return await call_next(request)

    outer = TagMiddleware(_noting(app), framework="starlette")
    request(outer, "GET", "/nowhere")
    assert SEEN == [("starlette", "GET", "")]


def test_middleware_unknown_method_is_not_repeated():
    request(TagMiddleware(_noting(build())), "X" * 30, "/threaded/ada")
    assert SEEN[0] == ("fastapi", "", "")


def test_middleware_gives_each_request_its_id():
    app = build()
    ids = []

    @app.get("/id")
    def read():
        ids.append(current_endpoint.get().request_id)
        ids.append(current_endpoint.get().request_id)

    for _ in range(3):
        request(app, "GET", "/id")
    assert len(ids) == 6
    assert len(set(ids)) == 3


def test_middleware_leaves_no_context_behind():
    app = TagMiddleware(build())

    async def run():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            await client.get("/later")
        return current_endpoint.get()

    assert asyncio.run(run()) is None


def _noting(app):
    async def call(scope, receive, send):
        note()
        await app(scope, receive, send)

    return call
