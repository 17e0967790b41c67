"""A bookshop in Django whose functions are edited by test_source_edit.py: django_app.py TIMES TARGET.

TARGET is what psycopg.connect takes, as JSON. Every route is asked so often; the answers are printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django
from django.conf import settings

target = json.loads(sys.argv[2])
settings.configure(
    ALLOWED_HOSTS=["*"],
    BASE_DIR=Path(__file__).resolve().parent,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": target.pop("host"),
            "PORT": target.pop("port"),
            "USER": target.pop("user"),
            "PASSWORD": target.pop("password"),
            "NAME": target.pop("dbname"),
            "CONN_MAX_AGE": 30,
            "OPTIONS": target,
        }
    },
    MIDDLEWARE=["pgsleuth_tags.django.TagMiddleware"],
    ROOT_URLCONF=__name__,
)
django.setup()

from django.core.paginator import Paginator  # needs the settings
from django.db import connection, connections, models
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import path


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


def authors(request: HttpRequest) -> JsonResponse:
    page = Paginator(Author.objects.exclude(name=request.GET.get("not")).order_by("id"), 20).page(1)
    out = []
    for author in page:
        titles = sorted(book.title for book in author.book_set.all())
        out.append({"author": author.name, "titles": titles})
    return JsonResponse({"authors": out})


def books(request: HttpRequest) -> JsonResponse:
    found = Book.objects.all()
    if "title" in request.GET:
        found = found.filter(title=request.GET["title"])
    found = found.order_by("title")
    return JsonResponse({"books": [(book.title, book.author.name) for book in found[:40]]})


def top(request: HttpRequest) -> JsonResponse:
    del request
    found = list(Book.objects.order_by("title"))[:10]
    return JsonResponse({"books": [book.title for book in found]})


def some(request: HttpRequest) -> JsonResponse:
    del request
    if Book.objects.filter(title__contains="book").count() > 0:
        return JsonResponse({"first": [book.id for book in Book.objects.order_by("id")[:3]]})
    return JsonResponse({})


def customers(request: HttpRequest) -> JsonResponse:
    del request
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT *
            FROM shop.customers
            ORDER BY id LIMIT 50
            """
        )
        return JsonResponse({"customers": [row[7] for row in cursor.fetchall()]})


def counted(request: HttpRequest) -> JsonResponse:
    del request
    return JsonResponse({a.name: a.book_set.count() for a in Author.objects.order_by("id")[:20]})


VIEWS = (authors, books, top, some, customers, counted)
urlpatterns = [path(view.__name__, view) for view in VIEWS]

if __name__ == "__main__":
    answers = {}
    for view in VIEWS:
        for _ in range(int(sys.argv[1])):
            response = Client().get(f"/{view.__name__}")
            assert response.status_code == 200, response.content
            answers[f"/{view.__name__}"] = response.json()
    connections.close_all()
    print(json.dumps(answers))
