"""Applications on Django's ORM, a connection for each request as Django has it by default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

from django.db import connection, models, transaction

from corpus import RUNNERS, SIZES, App, Book
from django_setup import use_database
from server import Target

ORM = Book()
app = ORM.app
TIMES = 6


class Country(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "corpus"
        db_table = 'corpus"."countries'  # Django has no schemas; this is the usual way round it


class Author(models.Model):
    name = models.TextField()
    country = models.ForeignKey(Country, models.CASCADE)

    class Meta:
        app_label = "corpus"
        db_table = 'corpus"."authors'


class Title(models.Model):
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    title = models.TextField()

    class Meta:
        app_label = "corpus"
        db_table = 'corpus"."books'


class Log(models.Model):
    what = models.TextField()
    n = models.IntegerField()

    class Meta:
        app_label = "corpus"
        db_table = 'corpus"."log'


def some_authors(n: int, size: int) -> Any:
    return Author.objects.filter(id__gt=n * 3000).order_by("id")[:size]


def lazy_books(size: int) -> Callable[[Any, int], None]:
    return lambda _, n: [len(author.books.all()) for author in some_authors(n, size)]  # type: ignore[func-returns-value,return-value]


def lazy_country(size: int) -> Callable[[Any, int], None]:
    return lambda _, n: [author.country.name for author in some_authors(n, size)]  # type: ignore[func-returns-value,return-value]


for number in SIZES:
    ORM.add(f"lazy-books-{number}", lazy_books(number), "n_plus_one")
    ORM.add(f"lazy-country-{number}", lazy_country(number), "n_plus_one")


@app("lazy-exists", "n_plus_one")
def lazy_exists(_: Any, n: int) -> None:
    assert [author.books.exists() for author in some_authors(n, 10)]


@app("lazy-count", "n_plus_one")
def lazy_count(_: Any, n: int) -> None:
    assert [author.books.count() for author in some_authors(n, 10)]


@app("prefetch")
def prefetch(_: Any, n: int) -> None:
    assert [len(author.books.all()) for author in some_authors(n, 20).prefetch_related("books")]


@app("select-related")
def select_related(_: Any, n: int) -> None:
    assert [author.country.name for author in some_authors(n, 20).select_related("country")]


@app("annotate")
def annotate(_: Any, n: int) -> None:
    books = Title.objects.filter(author=models.OuterRef("pk")).values("author").annotate(n=models.Count("pk"))
    assert [
        author.n_books for author in some_authors(n, 20).annotate(n_books=models.Subquery(books.values("n")))
    ]


@app("get")
def get(_: Any, n: int) -> None:
    assert Author.objects.get(id=(n + 1) * 1013)


@app("get-with-country")
def get_with_country(_: Any, n: int) -> None:
    assert Author.objects.get(id=(n + 1) * 1013).country.name


@app("save-in-a-loop", "write_loop")
def save_in_a_loop(_: Any, n: int) -> None:
    with transaction.atomic():
        for i in range(12):
            Log(what="django", n=i).save()


@app("bulk-create")
def bulk_create(_: Any, n: int) -> None:
    Log.objects.bulk_create([Log(what="django", n=i) for i in range(30)])


@app("whole-table", "unbounded_result")
def whole_table(_: Any, n: int) -> None:
    assert list(Title.objects.values_list("id", "title"))


@app("page")
def page(_: Any, n: int) -> None:
    assert list(Title.objects.order_by("id")[n * 20 : n * 20 + 20])


@app("iterator")
def iterator(_: Any, n: int) -> None:
    assert sum(1 for _ in Title.objects.order_by("id").iterator(chunk_size=400))


def tagger(text: str) -> Any:
    def add_tag(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return execute(sql + text, params, many, context)

    return add_tag


def run(target: Target, apps: Iterable[App], tag: Callable[[App], str]) -> None:
    for each in apps:
        with use_database(target):
            for n in range(each.times):
                with connection.execute_wrapper(tagger(tag(each))):
                    each.request(None, n)
                connection.close()


RUNNERS["django"] = (ORM, run)
