from __future__ import annotations

import asyncio
import functools
import json
import os
import platform
import stat
from importlib import metadata
from pathlib import Path

import pytest

from pgsleuth_tags.manifest import describe, write_manifest

HERE = Path(__file__).resolve().parent
FILE = Path(__file__).name
SECRET = "canary"


def line_of(function):
    return function.__code__.co_firstlineno


def routes_of(found):
    """The application's own routes: those of the frameworks (documents, static files) come with it."""
    return [route for route in found["routes"] if route["file"] == FILE]


def named(function, method, route, is_async=False):
    return {
        "method": method,
        "route": route,
        "function": function.__qualname__,
        "file": FILE,
        "line": line_of(function),
        "async": is_async,
    }


def test_describe_without_anything_has_versions():
    found = describe(root=HERE)
    assert (found["version"], found["python"]) == (1, platform.python_version())
    assert (found["routes"], found["middleware"], found["pool"]) == ([], [], None)
    for name, version in found["packages"].items():
        distribution = {"psycopg2": "psycopg2-binary"}.get(name, name)
        assert version in (metadata.version(name) if distribution == name else metadata.version(distribution))


def test_describe_unknown_application_is_refused():
    with pytest.raises(TypeError, match="object is no application"):
        describe(object())


def test_describe_fastapi():
    pytest.importorskip("fastapi")
    from fastapi import APIRouter, FastAPI
    from starlette.applications import Starlette
    from starlette.endpoints import HTTPEndpoint
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    from pgsleuth_tags.fastapi import TagMiddleware

    router = APIRouter(prefix="/sub")

    @router.get("/items/{item_id}")
    def item(item_id: int): ...

    @router.api_route("/both", methods=["POST", "PUT"])
    async def both(): ...

    def wrapping(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return function(*args, **kwargs)

        return inner

    async def plain(request):
        return PlainTextResponse("")

    class Endpoint(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("")

    app = FastAPI()
    app.add_middleware(TagMiddleware)
    app.include_router(router, prefix="/api")

    @app.get("/wrapped")
    @wrapping
    def wrapped(): ...

    @app.websocket("/socket")
    async def listen(websocket): ...

    inner = FastAPI()

    @inner.delete("/y/{j}")
    def y(j: int): ...

    app.mount("/v1", inner)
    app.mount(
        "/tenants/{tenant}",
        Starlette(routes=[Mount("/deep", routes=[Route("/z/{k}", plain), Route("/class", Endpoint)])]),
    )
    found = describe(app, root=HERE)
    assert found["framework"] == "fastapi"
    assert found["middleware"] == ["pgsleuth_tags.fastapi.TagMiddleware"]
    assert routes_of(found) == [
        named(item, "GET", "/api/sub/items/{item_id}"),
        named(both, "POST", "/api/sub/both", True),
        named(both, "PUT", "/api/sub/both", True),
        named(wrapped.__wrapped__, "GET", "/wrapped"),
        named(y, "DELETE", "/v1/y/{j}"),
        named(plain, "GET", "/tenants/{tenant}/deep/z/{k}", True),
        named(Endpoint.get, "GET", "/tenants/{tenant}/deep/class", True),
    ]
    assert "/openapi.json" in [route["route"] for route in found["routes"]]


def test_describe_starlette():
    pytest.importorskip("starlette")
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def plain(request): ...

    found = describe(Starlette(routes=[Route("/z", plain, methods=["POST"])]), root=HERE)
    assert found["framework"] == "starlette"
    assert found["routes"] == [named(plain, "POST", "/z", True)]


def test_describe_flask():
    pytest.importorskip("flask")
    from flask import Blueprint, Flask
    from flask.views import MethodView

    from pgsleuth_tags.flask import init_app

    class Wrapped:
        def __init__(self, wsgi_app):
            self.wsgi_app = wsgi_app

        def __call__(self, environ, start_response):
            return self.wsgi_app(environ, start_response)

    app = Flask("shop")
    init_app(app)
    app.wsgi_app = Wrapped(app.wsgi_app)
    blueprint = Blueprint("api", "shop", url_prefix="/api")

    @blueprint.route("/items/<int:item_id>", methods=["GET", "POST"])
    def item(item_id): ...

    @app.get("/awaited")
    async def awaited(): ...

    class Class(MethodView):
        def put(self, item_id): ...

    app.add_url_rule("/class/<item_id>", view_func=Class.as_view("class"))
    app.register_blueprint(blueprint)
    found = describe(app, root=HERE)
    assert found["framework"] == "flask"
    assert found["middleware"] == [
        f"{__name__}.{Wrapped.__qualname__}",
        "pgsleuth_tags.flask.TagMiddleware",
        "pgsleuth_tags.flask._routed",
    ]
    assert routes_of(found) == [
        named(awaited, "GET", "/awaited", True),
        named(Class.put, "PUT", "/class/<item_id>"),
        named(item, "GET", "/api/items/<int:item_id>"),
        named(item, "POST", "/api/items/<int:item_id>"),
    ]


def test_describe_django_without_any_secret():
    pytest.importorskip("django")
    pytest.importorskip("psycopg")
    from test_django import run_app

    found = run_app("manifest", PGSLEUTH_TEST_DSN="postgresql://canary:canary@canary:1/canary")
    assert found["framework"] == "django"
    assert found["middleware"] == ["pgsleuth_tags.django.TagMiddleware", "django_app.early"]
    assert found["databases"] == {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "CONN_MAX_AGE": 30,
            "CONN_HEALTH_CHECKS": False,
            "OPTIONS": {"pool": {"min_size": 1, "max_size": 4}},
        },
        "other": {"ENGINE": "django.db.backends.sqlite3", "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False},
    }
    assert SECRET not in json.dumps(found)
    by_route = {(route["method"], route["route"]): route for route in found["routes"]}
    source = (HERE / "django_app.py").read_text().splitlines()
    for key, begin, is_async in (
        (("*", "/été/100%/orm/<int:author_id>/"), "def orm(", False),
        (("*", "/été/100%/awaited/<int:author_id>/"), "async def awaited(", True),
        (("GET", "/class/<int:author_id>/"), "    def get(self", False),
        (("POST", "/async-class/"), "    async def post(self", True),
    ):
        route = by_route.pop(key)
        assert route["file"] == "django_app.py"
        assert source[route["line"] - 1].startswith(begin)
        assert route["async"] is is_async
    assert ("*", "/^old/(?P<year>[0-9]{4})/$") in by_route


def test_describe_pool_without_the_password():
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg")
    url = f"postgresql+psycopg://{SECRET}:{SECRET}@{SECRET}/{SECRET}"
    options = {"pool_size": 3, "max_overflow": 4, "pool_timeout": 5, "pool_recycle": 6, "pool_pre_ping": True}
    engine = sqlalchemy.create_engine(url, **options)
    found = describe(engine=engine)
    assert found["pool"] == {
        "class": "QueuePool",
        "size": 3,
        "max_overflow": 4,
        "timeout": 5,
        "recycle": 6,
        "pre_ping": True,
    }
    assert SECRET not in json.dumps(found)
    unpooled = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    assert describe(engine=unpooled)["pool"]["class"] == "NullPool"
    assert describe(engine=unpooled)["pool"]["size"] is None


def test_describe_pool_of_an_async_engine():
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("asyncpg")
    from sqlalchemy.ext.asyncio import create_async_engine

    pool = describe(engine=create_async_engine("postgresql+asyncpg://h/d", pool_size=2))["pool"]
    assert (pool["class"], pool["size"]) == ("AsyncAdaptedQueuePool", 2)


def test_describe_pools_of_drivers():
    pool_module = pytest.importorskip("psycopg_pool")
    asyncpg = pytest.importorskip("asyncpg")
    options = {"min_size": 2, "max_size": 5, "open": False, "kwargs": {"password": SECRET}}
    found = describe(
        engine=pool_module.ConnectionPool(f"host={SECRET}", timeout=7, max_lifetime=60, **options)
    )
    assert found["pool"] == {
        "class": "ConnectionPool",
        "size": 2,
        "max_overflow": 3,
        "timeout": 7,
        "recycle": 60,
        "pre_ping": False,
    }
    assert SECRET not in json.dumps(found)

    async def make():
        return asyncpg.create_pool(f"postgresql://{SECRET}:{SECRET}@h/d", min_size=2, max_size=5)

    found = describe(engine=asyncio.run(make()))
    assert (found["pool"]["class"], found["pool"]["size"], found["pool"]["max_overflow"]) == ("Pool", 2, 3)
    assert SECRET not in json.dumps(found)
    with pytest.raises(TypeError, match="object is no engine"):
        describe(engine=object())


def test_write_manifest_replaces_whole(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text("older")
    write_manifest(path, root=HERE)
    assert json.loads(path.read_text()) == describe(root=HERE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_write_manifest_that_fails_leaves_the_older_one(tmp_path, monkeypatch):
    path = tmp_path / "manifest.json"
    path.write_text("older")

    def fail(_descriptor):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="the disk is full"):
        write_manifest(path, root=HERE)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("manifest.json", "older")]
