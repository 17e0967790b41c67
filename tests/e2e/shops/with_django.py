from __future__ import annotations

from typing import Any

from django.db import connection, models

from django_setup import use_database
from server import Target
from shops import NAMED, PAGE, STAR, email, shop


class Author(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "shop"
        db_table = 'shop"."authors'  # Django has no schemas; this is the usual way round it


class Book(models.Model):
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    title = models.TextField()

    class Meta:
        app_label = "shop"
        db_table = 'shop"."books'


class Order(models.Model):
    email = models.TextField()
    total = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        app_label = "shop"
        db_table = 'shop"."orders'


def answer(request: str, n: int) -> None:
    authors = Author.objects.order_by("id")[:PAGE]
    titles = Book.objects.order_by("id").values_list("id", "title")
    if request == "n-plus-one":
        assert [len(author.books.all()) for author in authors]
    elif request == "one-query":
        assert [len(author.books.all()) for author in authors.prefetch_related("books")]
    elif request == "unbounded":
        assert list(titles)
    elif request == "paged":
        assert list(titles[:50])
    elif request == "missing-index":
        list(Order.objects.filter(email=email(n)).values_list("id", "total")[:20])
    elif request == "by-key":
        Order.objects.values_list("id", "total").get(id=n + 1)
    else:
        with connection.cursor() as cursor:
            cursor.execute({"select-star": STAR, "named-columns": NAMED}[request])
            cursor.fetchall()


@shop("django")
def django_shop(target: Target, request: str, tag: str, times: int) -> None:
    """Autocommit, and a connection for each request."""

    def add_tag(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return execute(sql + tag, params, many, context)

    with use_database(target):
        for n in range(times):
            with connection.execute_wrapper(add_tag):
                answer(request, n)
            connection.close()
