"""A Django application that says what the server got of it.

    python django_app.py psycopg|psycopg2|binding|manifest

Run by test_django.py, a process for each configuration: Django's settings and its choice of a driver are made
once.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).resolve().parent
CONFIGURATION = sys.argv[1]
if CONFIGURATION == "psycopg2":
    sys.modules["psycopg"] = None  # type: ignore[assignment] # Django then takes psycopg2

import django
from django.conf import settings

ASK = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"
PERCENT = ASK + " AND %s = '%%'"
SERVER = urlsplit(os.environ.get("PGSLEUTH_TEST_DSN", "postgresql://nobody:canary@127.0.0.1:1/nothing"))

settings.configure(
    ALLOWED_HOSTS=["*"],
    BASE_DIR=HERE,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": SERVER.hostname,
            "PORT": SERVER.port,
            "USER": SERVER.username,
            "PASSWORD": unquote(SERVER.password or ""),
            "NAME": SERVER.path[1:],
            "CONN_MAX_AGE": 30,
            "OPTIONS": {
                "binding": {"server_side_binding": True},
                "manifest": {"pool": {"min_size": 1, "max_size": 4, "kwargs": {"password": "canary"}}},
            }.get(CONFIGURATION, {}),
        },
        "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    },
    MIDDLEWARE=["pgsleuth_tags.django.TagMiddleware", "django_app.early"],
    ROOT_URLCONF="django_app",
    PGSLEUTH_TAGS="PGSLEUTH_MARKS" not in os.environ,
    SECRET_KEY="canary",
)
sys.modules["django_app"] = sys.modules[__name__]
django.setup()

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.db import connection, connections, models
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path, re_path
from django.utils.decorators import sync_and_async_middleware
from django.views import View

SEEN: dict[str, list[str]] = {}


class Backend(models.Func):
    function = "pg_backend_pid"
    output_field = models.IntegerField()


class Activity(models.Model):
    pid = models.IntegerField(primary_key=True)
    query = models.TextField()

    class Meta:
        app_label = "shop"
        managed = False
        db_table = "pg_stat_activity"


class Sent(models.Model):
    query = models.TextField()

    class Meta:
        app_label = "shop"
        managed = False
        db_table = "sent_by_django"


def note(name, queries):
    SEEN.setdefault(name, []).extend(queries)


def ask():
    with connection.cursor() as cursor:
        cursor.execute(ASK)
        return cursor.fetchone()[0]


@sync_and_async_middleware
def early(get_response):
    if iscoroutinefunction(get_response):

        async def serve(request):
            return await get_response(request)
    else:

        def serve(request):
            if "early" in request.GET:
                note("early", [ask()])
            return get_response(request)

    return serve


def orm(request, author_id):
    note("orm", [Activity.objects.get(pid=Backend()).query])
    note("orm", [Activity.objects.filter(pid=Backend(), query__contains="%").first().query])
    return HttpResponse()


def cursors(request, author_id):
    sql = sys.modules["psycopg2.sql" if CONFIGURATION == "psycopg2" else "psycopg.sql"]
    with connection.cursor() as cursor:
        for query, parameters in (
            (ASK, None),
            (ASK, []),
            (PERCENT, ["%"]),
            (PERCENT.replace("%s", "%(a)s"), {"a": "%"}),
            (sql.SQL(ASK), None),
        ):
            cursor.execute(query, parameters)
            note("cursors", [cursor.fetchone()[0]])
        cursor.execute("CREATE TEMP TABLE sent_by_django (id serial, query text)")
        cursor.executemany(
            f"INSERT INTO sent_by_django (query) {ASK} AND %s > 0 AND '%%' <> ''", [(1,), (2,)]
        )
    note("cursors", [sent.query for sent in Sent.objects.all()])
    return HttpResponse()


def iterated(request, author_id):
    # Outside of a transaction the cursor is WITH HOLD, so its rows are made by the DECLARE.
    note("iterated", [row.query for row in Activity.objects.filter(pid=Backend()).iterator()])
    return HttpResponse()


async def awaited(request, author_id):
    note("awaited", [(await Activity.objects.aget(pid=Backend())).query])
    note("awaited", [await inner()])
    return HttpResponse()


async def inner():
    rows = await sync_to_async(list)(Activity.objects.filter(pid=Backend()))
    return rows[0].query


async def gathered(request, author_id):
    (row,) = await asyncio.gather(Activity.objects.aget(pid=Backend()))
    note("gathered", [row.query])
    return HttpResponse()


async def threaded(request, author_id):
    note("threaded", [await sync_to_async(ask)()])
    return HttpResponse()


def streamed(request, author_id):
    def parts():
        for _ in range(2):
            note("streamed", [Activity.objects.get(pid=Backend()).query])
            yield b"part"

    return StreamingHttpResponse(parts())


async def streamed_async(request, author_id):
    async def parts():
        for _ in range(2):
            note("streamed_async", [(await Activity.objects.aget(pid=Backend())).query])
            yield b"part"

    return StreamingHttpResponse(parts())


def wrapped(request, author_id):
    calls = []

    def outer(execute, sql, params, many, context):
        calls.append(sql)
        return execute(sql, params, many, context)

    connection.close()
    with connection.execute_wrapper(outer):  # open while the connection is made
        note("wrapped", [ask()])
    note("wrapped", [ask()])
    assert len(calls) == 1
    return HttpResponse()


def port(request, author_id):
    with connection.cursor() as cursor:
        cursor.execute("SELECT inet_client_port()")
        note("port", [str(cursor.fetchone()[0])])
        cursor.execute("SELECT 1")
    return HttpResponse()


def other(request, author_id):
    with connections["other"].cursor() as cursor:
        cursor.execute("SELECT %s", ["/*"])
        assert cursor.fetchone() == ("/*",)
    assert not connections["other"].execute_wrappers
    return HttpResponse()


class Class(View):
    def get(self, request, author_id):
        note("Class", [Activity.objects.get(pid=Backend()).query])
        return HttpResponse()

    async def unrelated(self):
        pass


class AsyncClass(View):
    async def post(self, request):
        return HttpResponse()


VIEWS = (orm, cursors, iterated, awaited, gathered, threaded, streamed, streamed_async, wrapped, port, other)
urlpatterns = [
    path(
        "été/100%/",
        include([path(f"{view.__name__}/<int:author_id>/", view) for view in VIEWS]),
    ),
    path("class/<int:author_id>/", Class.as_view()),
    path("async-class/", AsyncClass.as_view()),
    re_path("^old/(?P<year>[0-9]{4})/$", lambda request, year: (note("regex", [ask()]), HttpResponse())[1]),
]


def get(name):
    response = Client().get(f"/%C3%A9t%C3%A9/100%25/{name}/7/")
    assert response.status_code == 200
    return b"".join(response) if response.streaming else response.content


async def get_async(name):
    # AsyncClient decodes the path as the bytes of WSGI, which no ASGI server does: hence this encoding.
    response = await AsyncClient().get(f"/%E9t%E9/100%25/{name}/7/")
    assert response.status_code == 200
    if response.streaming:
        assert [part async for part in response] == [b"part", b"part"]
    await sync_to_async(connections.close_all)()


def main():
    if CONFIGURATION == "manifest":
        from pgsleuth_tags.manifest import describe

        print(json.dumps(describe(root=HERE)))
        return
    for view in (orm, cursors, iterated, wrapped, port, other):
        get(view.__name__)
    assert get("streamed") == b"partpart"
    Client().get("/class/7/")
    Client().get("/old/1999/?early=1")
    Client().head("/nowhere/?early=1")
    for view in (awaited, gathered, threaded, streamed_async):
        asyncio.run(get_async(view.__name__))
    note("outside", [ask()])
    connections.close_all()
    print(json.dumps(SEEN))


if __name__ == "__main__":
    main()
