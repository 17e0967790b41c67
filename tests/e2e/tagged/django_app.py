"""A bookshop in Django whose statements somebody else's package tags: django_app.py PACKAGE TIMES TARGET.

TARGET is what psycopg2.connect takes, as JSON. Every route is asked so often, in turn, in this process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Callable

import django
from django.conf import settings

HERE = Path(__file__).resolve().parent
ENGINE = "django.db.backends.postgresql"
ROUTES = ("/", "/books/", "/books/{book}/", "/authors/{author}/")
ON_PSYCOPG2 = ("opentelemetry-twice", "google")
# What each of them wants in the settings, as its documentation has it.
PACKAGES: dict[str, dict[str, Any]] = {
    "none": {},
    "opentelemetry": {},
    "opentelemetry-twice": {},
    "google": {
        "middleware": "google.cloud.sqlcommenter.django.middleware.SqlCommenter",
        "SQLCOMMENTER_WITH_DB_DRIVER": True,
        "SQLCOMMENTER_WITH_APP_NAME": True,
    },
    "google-traced": {
        "middleware": "google.cloud.sqlcommenter.django.middleware.SqlCommenter",
        "SQLCOMMENTER_WITH_OPENTELEMETRY": True,
    },
    "sqlcommenter": {
        "middleware": "django_sqlcommenter.middleware.SqlCommentMiddleware",
        "app": "django_sqlcommenter",
    },
    "sqlcommenter-task": {"app": "django_sqlcommenter"},
    "query-prefixer": {
        "middleware": "django_query_prefixer.middlewares.RequestRouteMiddleware",
        "engine": "django_query_prefixer.backends.postgresql",
    },
    "sql-tagger": {
        "app": "django_sql_tagger",
        "SQL_TAGGER_CODE_ROOT": HERE,
        "SQL_TAGGER_PATH_REPLACEMENTS": [],
    },
}


def configure(package: str, target: dict[str, Any]) -> None:
    wants = dict(PACKAGES[package])
    middleware, app = wants.pop("middleware", None), wants.pop("app", None)
    target = dict(target)
    settings.configure(
        BASE_DIR=HERE,
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[middleware] if middleware else [],
        INSTALLED_APPS=[app] if app else [],
        DATABASES={
            "default": {
                "ENGINE": wants.pop("engine", ENGINE),
                "HOST": target.pop("host"),
                "PORT": target.pop("port"),
                "USER": target.pop("user"),
                "PASSWORD": target.pop("password"),
                "NAME": target.pop("dbname"),
                "OPTIONS": target,
            }
        },
        USE_TZ=True,
        **wants,
    )


def instrument(package: str) -> None:
    if package.startswith("google-"):
        package = "opentelemetry-spans"
    if not package.startswith("opentelemetry"):
        return
    from opentelemetry import trace
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    DjangoInstrumentor().instrument(is_sql_commentor_enabled=package != "opentelemetry-spans")
    if package == "opentelemetry-twice":
        Psycopg2Instrumentor().instrument(enable_commenter=True)


PACKAGE, TIMES = sys.argv[1], int(sys.argv[2])
if PACKAGE in ON_PSYCOPG2:
    sys.modules["psycopg"] = None  # type: ignore[assignment] # which Django would take
configure(PACKAGE, json.loads(sys.argv[3]))
instrument(PACKAGE)
django.setup()

from django.db import models  # needs the settings
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import path, re_path


class Author(models.Model):
    id = models.IntegerField(primary_key=True)
    name = models.TextField()

    class Meta:
        app_label = "shop"
        managed = False
        db_table = 'shop"."authors'  # Django has no schemas; this is the usual way round it


class Book(models.Model):
    id = models.IntegerField(primary_key=True)
    author = models.ForeignKey(Author, models.DO_NOTHING)
    title = models.TextField()

    class Meta:
        app_label = "shop"
        managed = False
        db_table = 'shop"."books'


def front(request: HttpRequest) -> JsonResponse:
    del request
    return JsonResponse({"first": Author.objects.filter(name__startswith="author").order_by("id")[0].name})


def books(request: HttpRequest) -> JsonResponse:
    del request
    found = Book.objects.order_by("id")[:12]
    return JsonResponse({"authors": [book.author.name for book in found]})  # asks once for each book


def book(request: HttpRequest, pk: int) -> JsonResponse:
    del request
    return JsonResponse({"title": Book.objects.get(pk=pk).title})


def author(request: HttpRequest, author_id: str) -> JsonResponse:
    del request
    return JsonResponse({"titles": list(Book.objects.filter(author_id=author_id).values_list("title")[:5])})


urlpatterns = [
    path("", front, name="front"),
    path("books/", books, name="books"),
    path("books/<int:pk>/", book, name="book"),
    re_path(r"^authors/(?P<author_id>[0-9]+)/$", author, name="author"),
]


def nightly() -> None:
    """What is no request: a task, as its worker would open it."""
    from django_sqlcommenter.scope import sql_scope

    for n in range(TIMES):
        with sql_scope(task="shop.nightly"):
            assert Book.objects.get(pk=100007 + 7 * n).title


def main() -> None:
    if PACKAGE == "sqlcommenter-task":
        nightly()
        return
    assert is_psycopg3 is (PACKAGE not in ON_PSYCOPG2)
    client: Any = Client(raise_request_exception=True)
    get: Callable[..., Any] = client.get
    for n in range(1, TIMES + 1):
        for route in ROUTES:
            answer = get(route.format(book=100000 + 7 * n, author=1013 * n))
            assert answer.status_code == 200, (route, answer.content)


if __name__ == "__main__":
    main()
