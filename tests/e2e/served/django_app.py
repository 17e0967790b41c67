"""The served application in Django, by its ORM with psycopg 3; for WSGI (`app`) and ASGI (`asgi_app`)."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings

HELPER = os.environ["HELPER"]
URL = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    BASE_DIR=Path(__file__).resolve().parent,
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["pgsleuth_tags.django.TagMiddleware"] if HELPER else [],
    PGSLEUTH_TAGS=HELPER != "marks",
    PGSLEUTH_TAGS_TRACE=HELPER == "traces",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": URL.hostname,
            "PORT": URL.port,
            "USER": unquote(URL.username or ""),
            "PASSWORD": unquote(URL.password or ""),
            "NAME": URL.path[1:],
            "CONN_MAX_AGE": 60,
        }
    },
    USE_TZ=True,
)
django.setup()

from django.core.asgi import get_asgi_application  # needs the settings
from django.core.wsgi import get_wsgi_application
from django.db import models
from django.http import HttpRequest, JsonResponse
from django.urls import path
from pgsleuth_tags.manifest import write_manifest

from served.plan import ROUTES, Served


class Book(models.Model):
    id = models.IntegerField(primary_key=True)
    title = models.TextField()

    class Meta:
        app_label = "shop"
        managed = False
        db_table = 'shop"."books'  # Django has no schemas; this is the usual way round it


def serve(name: str) -> JsonResponse:
    served, route = Served(name), ROUTES[name]
    found = Book.objects.filter(id__gt=0).order_by("id")
    titles = found.annotate(**{f"of_{name}": models.F("title")}).values_list(f"of_{name}")
    for kind in route.order:
        if kind == "own":
            served.own.append(len(list(titles[: route.own])))
        else:
            served.shared.append(len(list(found.values_list("id")[: route.shared])))
    served.write()
    return JsonResponse({"name": name})


def quiet(request: HttpRequest) -> JsonResponse:
    del request
    return JsonResponse({"quiet": True})


def books(request: HttpRequest, id: int) -> JsonResponse:  # noqa: A002
    del request, id
    return serve("books")


def authors(request: HttpRequest) -> JsonResponse:
    del request
    return serve("authors")


def orders(request: HttpRequest) -> JsonResponse:
    assert request.method == "POST"
    return serve("orders")


def reviews(request: HttpRequest, id: int) -> JsonResponse:  # noqa: A002
    del request, id
    return serve("reviews")


urlpatterns = [
    path("quiet", quiet),
    path("books/<int:id>", books),
    path("authors", authors),
    path("orders", orders),
    path("shelves/<int:id>/reviews", reviews),
]
app = get_wsgi_application()
asgi_app = get_asgi_application()
write_manifest(os.environ["MANIFEST"], root=Path(__file__).parent)
